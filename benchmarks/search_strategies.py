"""Strategies of search that are replayed: samplers and pruners of the project, and candidates."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml
from hydra.utils import get_class
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, GPSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from benchmarks.measure import ROOT
from benchmarks.search_oracles import FEASIBLE, cost
from brainage.sweep.space import Point

# The user attribute of a trial with the seconds of its epoch.
EPOCH_SECONDS = "epoch_seconds"

_GOLDEN = (5**0.5 - 1) / 2

# Feasible networks among which a Gaussian process chooses; a quarter of them at a time.
_N_DRAWN = 2000

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


@functools.cache
def _config(kind: str, name: str) -> Mapping[str, Any]:
    config: Mapping[str, Any] = yaml.safe_load(
        (ROOT / "configs" / "hydra" / "sweeper" / kind / f"{name}.yaml").read_text()
    )
    return config


def _configured(kind: str, name: str, /, **others: Any) -> Any:
    config = {**_config(kind, name), **others}
    return get_class(config.pop("_target_"))(**config)


def _tpe(**others: Any) -> MakeSampler:
    return lambda seed: Jointly(_configured("sampler", "tpe", seed=seed, **others))


def _median() -> BasePruner:
    made: BasePruner = _configured("pruner", "median")
    return made


class _Together(BaseSampler):
    """Proposes all parameters together, as `FeasibleSampler` asks for."""

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return nothing: `FeasibleSampler` names the space."""
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Refuse, as `FeasibleSampler` does."""
        raise AssertionError(param_name)


class Jointly(_Together):
    """Another sampler's joint proposals, without its search for the parameters that all trials have: it takes long."""

    def __init__(self, sampler: BaseSampler) -> None:
        self._sampler = sampler

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the other sampler's proposal."""
        return self._sampler.sample_relative(study, trial, search_space)


class FeasibleGP(GPSampler):
    """A Gaussian process whose expected improvement is maximised over feasible networks that are drawn at random.

    `GPSampler` climbs from point to point instead, mostly to infeasible ones: that takes ten seconds a search and more.
    """

    def _optimize_acqf(self, acqf: Any, best_params: Any) -> NDArray[np.float64]:
        drawn = _drawn()
        points = [drawn[index] for index in self._rng.rng.choice(len(drawn), size=_N_DRAWN // 4, replace=False)]
        rows: NDArray[np.float64] = acqf.search_space.get_normalized_params(points, points)
        found: NDArray[np.float64] = rows[int(np.argmax(acqf.eval_acqf_no_grad(rows)))]
        return found


@functools.cache
def _drawn() -> list[Point]:
    rng = np.random.default_rng(0)
    return [FEASIBLE.draw(rng) for _ in range(_N_DRAWN)]


class CheapestOf(_Together):
    """Of several proposals of another sampler, the one that takes least time: improvement per second, roughly."""

    def __init__(self, make: MakeSampler, seed: int, n_proposals: int = 3) -> None:
        self._samplers = [make(seed + number) for number in range(n_proposals)]

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the cheapest feasible proposal, as far as its cost is known."""
        proposed = [sampler.sample_relative(study, trial, search_space) for sampler in self._samplers]
        return min(proposed, key=_cost)


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


class HyperbandInSeconds(BasePruner):
    """Hyperband whose resource is the time of training: successive halving that begins after different times [1]_.

    Each trial belongs to one of the brackets, by its number; bracket n begins `factor` ** n times as late.

    References
    ----------
    .. [1] Li et al. (2018). Hyperband: a novel bandit-based approach to hyperparameter optimization.
       https://arxiv.org/abs/1603.06560
    """

    def __init__(self, first: float = 5.0, factor: int = 3, n_brackets: int = 3) -> None:
        self._brackets = [HalvingInSeconds(first * factor**n, factor) for n in range(n_brackets)]
        # As many trials as give each bracket the same time, as in the paper.
        shares = np.array([factor ** (n_brackets - 1 - n) / (n_brackets - n) for n in range(n_brackets)])
        self._limits = np.cumsum(shares) / shares.sum()

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Return whether the trial ends at a rung of its bracket."""
        place = trial.number * _GOLDEN % 1  # spreads consecutive numbers evenly
        return self._brackets[int(np.searchsorted(self._limits, place, side="right"))].prune(study, trial)


class Extrapolated(BasePruner):
    """Ends a trial whose lowest value is not expected to come below the best so far.

    The lowest value of the whole curve is predicted from the lowest one so far: by a line through the logarithms of
    both in the complete trials, at the same epoch. The prediction is optimistic by a quantile of the line's residuals.

    Parameters
    ----------
    n_complete : int, default=5
        Complete trials, 3 or more, before any trial is ended.
    n_epochs : int, default=2
        Epochs that every trial has.
    quantile : float, default=0.1
        Share of the residuals below the optimistic one.
    """

    def __init__(self, n_complete: int = 5, n_epochs: int = 2, quantile: float = 0.1) -> None:
        self._n_complete, self._n_epochs, self._quantile = n_complete, n_epochs, quantile

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Return whether the optimistic prediction is above the best complete trial."""
        n_epochs = len(trial.intermediate_values)
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        curves = [list(other.intermediate_values.values()) for other in complete]
        curves = [curve for curve in curves if len(curve) > n_epochs]
        if n_epochs < self._n_epochs or len(curves) < self._n_complete:
            return False
        now = np.log([min(curve[:n_epochs]) for curve in curves])
        lowest = np.log([min(curve) for curve in curves])
        predicted = optimistic(now, lowest, float(np.log(min(trial.intermediate_values.values()))), self._quantile)
        return predicted > float(lowest.min())


def optimistic(now: NDArray[np.float64], lowest: NDArray[np.float64], at: float, quantile: float) -> float:
    """Return the value at `at` of the line of `lowest` on `now`, plus a quantile of its residuals; `at` at most."""
    centred = now - now.mean()
    slope = float(centred @ lowest / max(centred @ centred, 1e-12))
    line = lowest.mean() + slope * centred
    return min(at, float(lowest.mean() + slope * (at - now.mean()) + np.quantile(lowest - line, quantile)))


# Not TPE with groups: each trial has all parameters, so there is one group. Nor TPE that is not multivariate:
# `FeasibleSampler` draws at random for a sampler that does not propose all parameters together.
STRATEGIES: dict[str, Strategy] = {
    "published": Strategy(_tpe(), NopPruner, n_first=0, in_order=False, feasible=False),
    "today": Strategy(_tpe(), _median),
    "first ten in random order": Strategy(_tpe(), _median, in_order=False),
    "TPE after 5": Strategy(_tpe(n_startup_trials=5), _median, n_first=5),
    "GP": Strategy(lambda seed: FeasibleGP(seed=seed, n_startup_trials=10), _median),
    "cheapest of 3": Strategy(lambda seed: CheapestOf(_tpe(), seed), _median),
    "known networks first": Strategy(_tpe(), _median, starts_known=True),
    "screen of 15, 2 epochs": Strategy(_tpe(), _median, screened=(15, 2)),
    "median after 2 epochs": Strategy(_tpe(), lambda: MedianPruner(n_startup_trials=5, n_warmup_steps=2)),
    "ASHA": Strategy(_tpe(), lambda: SuccessiveHalvingPruner(min_resource=2, reduction_factor=3)),
    "ASHA in seconds": Strategy(_tpe(), HalvingInSeconds),
    "Hyperband": Strategy(_tpe(), lambda: HyperbandPruner(min_resource=3, max_resource=20)),
    "Hyperband in seconds": Strategy(_tpe(), HyperbandInSeconds),
    "extrapolated curves": Strategy(_tpe(), Extrapolated),
    "known networks, ASHA in seconds": Strategy(_tpe(), HalvingInSeconds, starts_known=True),
    "known networks, extrapolated curves": Strategy(_tpe(), Extrapolated, starts_known=True),
    "screen of 15, ASHA in seconds": Strategy(_tpe(), HalvingInSeconds, screened=(15, 2)),
    "known networks, screen of 15, ASHA in seconds": Strategy(
        _tpe(), HalvingInSeconds, screened=(15, 2), starts_known=True
    ),
}
