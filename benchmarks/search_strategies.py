"""Strategies of search that are replayed: samplers and pruners of the project, and candidates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, GPSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from benchmarks.measure import ROOT
from benchmarks.search_oracles import cost
from brainage.config.instantiate import instance

# The user attribute of a trial with the seconds of its epoch.
EPOCH_SECONDS = "epoch_seconds"

MakeSampler = Callable[[int], BaseSampler]


@dataclass(frozen=True)
class Strategy:
    """A strategy of search.

    Parameters
    ----------
    sampler : callable
        Makes the sampler behind `FeasibleSampler` from a seed.
    pruner : callable
        Makes the pruner.
    n_first : int
        Random networks before the sampler proposes.
    in_order : bool
        Whether these are in order of their cost.
    feasible : bool
        Whether only feasible points are proposed.
    screened : tuple of int or None
        Networks, and epochs, that are trained with a third of the participants first; the best fifth then begin.
    starts_known : bool
        Whether it begins with the default and the published networks.
    """

    sampler: MakeSampler
    pruner: Callable[[], BasePruner]
    n_first: int = 10
    in_order: bool = True
    feasible: bool = True
    screened: tuple[int, int] | None = None
    starts_known: bool = False


def _configured(kind: str, name: str, /, **others: Any) -> Any:
    text = (ROOT / "configs" / "hydra" / "sweeper" / kind / f"{name}.yaml").read_text()
    return instance(kind, {**yaml.safe_load(text), **others})


def _tpe(**others: Any) -> MakeSampler:
    return lambda seed: _configured("sampler", "tpe", seed=seed, **others)


def _median() -> BasePruner:
    made: BasePruner = _configured("pruner", "median")
    return made


class CheapestOf(BaseSampler):
    """Of several proposals of another sampler, the one that takes least time: improvement per second, roughly."""

    def __init__(self, make: MakeSampler, seed: int, n_proposals: int = 3) -> None:
        self._samplers = [make(seed + number) for number in range(n_proposals)]

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return nothing: `FeasibleSampler` names the space."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the cheapest feasible proposal, as far as its cost is known."""
        proposed = [sampler.sample_relative(study, trial, search_space) for sampler in self._samplers]
        return min(proposed, key=lambda point: _cost(point))

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Refuse, as `FeasibleSampler` does."""
        raise AssertionError(param_name)


def _cost(point: dict[str, Any]) -> float:
    try:
        return cost(point) if point else 0.0
    except (ValueError, ArithmeticError):  # infeasible
        return float("inf")


class HalvingInSeconds(BasePruner):
    """Successive halving whose resource is the time of training [1]_.

    A trial goes on past `first` seconds, and then past each `factor` times as many, if it is among the best
    1 / `factor` of the trials that came so far.

    References
    ----------
    .. [1] Li et al. (2020). A system for massively parallel hyperparameter tuning. https://arxiv.org/abs/1810.05934
    """

    def __init__(self, first: float = 5.0, factor: int = 3) -> None:
        self._first, self._factor = first, factor
        self._reached: dict[int, dict[int, float]] = {}

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Return whether the trial ends at a rung that this epoch has passed."""
        seconds, values = trial.user_attrs[EPOCH_SECONDS], trial.intermediate_values
        spent = seconds * len(values)
        rung = int(np.floor(np.log(max(spent / self._first, 1e-9)) / np.log(self._factor)))
        rungs = self._reached.setdefault(rung, {})
        if rung < 0 or trial.number in rungs:
            return False
        rungs[trial.number] = min(values.values())
        n_kept = max(1, len(rungs) // self._factor)
        return rungs[trial.number] > sorted(rungs.values())[n_kept - 1]


# Not TPE with groups: each trial has all parameters, so there is one group.
STRATEGIES: dict[str, Strategy] = {
    "published": Strategy(lambda seed: TPESampler(seed=seed), NopPruner, n_first=0, in_order=False, feasible=False),
    "today": Strategy(_tpe(), _median),
    "TPE after 5": Strategy(_tpe(n_startup_trials=5), _median, n_first=5),
    "TPE, one parameter at a time": Strategy(_tpe(multivariate=False), _median),
    "GP": Strategy(lambda seed: GPSampler(seed=seed, n_startup_trials=10), _median),
    "cheapest of 3": Strategy(lambda seed: CheapestOf(_tpe(), seed), _median),
    "known networks first": Strategy(_tpe(), _median, starts_known=True),
    "screen of 15, 2 epochs": Strategy(_tpe(), _median, screened=(15, 2)),
    "median after 2 epochs": Strategy(_tpe(), lambda: MedianPruner(n_startup_trials=5, n_warmup_steps=2)),
    "ASHA": Strategy(_tpe(), lambda: SuccessiveHalvingPruner(min_resource=2, reduction_factor=3)),
    "ASHA in seconds": Strategy(_tpe(), HalvingInSeconds),
    "Hyperband": Strategy(_tpe(), lambda: HyperbandPruner(min_resource=3, max_resource=20)),
}
