"""A sampler that proposes nothing that cannot exist, whichever of Optuna's samplers it asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.pruners import NopPruner
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from brainage.sweep.feasible import PossibleSpace
from brainage.sweep.space import Point
from brainage.sweep.storage import note_point

# Proposals of the other sampler that cannot exist, before a possible point is drawn at random.
_PROPOSALS = 50


class PossibleSampler(BaseSampler):
    """Asks another sampler until its proposal can exist; while that one only draws at random, draws possible points.

    Every trial has a generator of its own, from (`seed`, trial number): processes that come later, or work beside
    each other, do not repeat what others drew.

    Parameters
    ----------
    possible : PossibleSpace
        What may be proposed.
    make : callable
        Makes the other sampler from its seed.
    seed : int
        Governs every proposal, with the trial's number and the trials before it.
    n_first : int, default=0
        This many points that are drawn at random come first, the cheapest of them before the others: what a pruner
        needs to know, it learns in seconds, and does not sit through a giant that nothing can be compared with.
    cost : callable
        Tells what a point costs, in any unit.
    """

    def __init__(
        self,
        possible: PossibleSpace,
        make: Callable[[int], BaseSampler],
        seed: int,
        *,
        n_first: int = 0,
        cost: Callable[[Point], float] = lambda point: 0.0,
    ) -> None:
        self._possible, self._make, self._seed = possible, make, seed
        drawn = (possible.draw(np.random.default_rng([seed, number])) for number in range(n_first))
        self._first = sorted(drawn, key=cost)

    def check(self) -> None:
        """Make the other sampler once, so that what it refuses is said before any trial."""
        self._make(0)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the whole space: all parameters are proposed together."""
        return self._possible.space.distributions

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return a point that can exist, and note it: whoever tries it again needs all of it."""
        if "fixed_params" in trial.system_attrs:
            return {}  # it is tried again
        point = self._point(study, trial, search_space)
        note_point(study, trial, point)
        return point

    def _point(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        # Hyperband shows a sampler the trials of one bracket only, and a random phase would begin in each.
        whole = Study(study.study_name, study._storage, pruner=NopPruner())
        if (place := _place(whole, trial)) < len(self._first):
            return self._first[place]
        rng = np.random.default_rng([self._seed, trial.number])
        other = self._make(int(rng.integers(2**32)))
        single = {key: _only(value) for key, value in search_space.items() if value.single()}
        free = {key: value for key, value in search_space.items() if key not in single}
        for _ in range(_PROPOSALS):
            proposed = other.sample_relative(whole, trial, free) if free else {}
            if set(proposed) != set(free) or not free:
                break  # it draws at random as yet, or always
            point = {key: single[key] if key in single else proposed[key] for key in search_space}
            if self._possible.why_not(point) is None:
                return point
        return self._possible.draw(rng)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Refuse: a value that is drawn on its own may belong to a point that cannot exist."""
        raise AssertionError(f"{param_name} is none of the parameters that are proposed together")


def _place(study: Study, trial: FrozenTrial) -> int:
    """Return how many trials came before this one, those that were tried again left out."""
    others = study.get_trials(deepcopy=False)
    return sum(other.number < trial.number and "fixed_params" not in other.system_attrs for other in others)


def _only(distribution: BaseDistribution) -> Any:
    return distribution.to_external_repr(_first(distribution))


def _first(distribution: BaseDistribution) -> float:
    low: float = getattr(distribution, "low", 0.0)  # a choice's number
    return low
