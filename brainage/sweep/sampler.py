"""A sampler that proposes feasible points only, with any of Optuna's samplers behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from brainage.sweep.feasible import FeasibleSpace
from brainage.sweep.feasible import drawn as drawn_value
from brainage.sweep.recovery import is_retry, saved_point
from brainage.sweep.space import Point, refuse_other_values

# Infeasible proposals of the other sampler before a feasible point is drawn at random.
_PROPOSALS = 50


class FeasibleSampler(BaseSampler):
    """Asks another sampler until its proposal is feasible; draws feasible points while that one draws at random.

    Every trial has its own generator, seeded with (`seed`, trial number): processes that start later or run at the
    same time do not repeat draws. The first `n_first` points are `known` ones, and others that are drawn at random, in
    ascending order of `cost`: a pruner then has trials to compare with before an expensive one starts. `all_trials`
    loads the study with all its trials (Hyperband passes only those of one bracket), once per proposal because
    Optuna's samplers cache them in it. `fits` returns whether a trial is expected to end in time: others are proposed
    only if no draw fits.
    """

    def __init__(
        self,
        space: FeasibleSpace,
        make: Callable[[int], BaseSampler],
        seed: int,
        *,
        known: Sequence[Point] = (),
        n_first: int = 0,
        cost: Callable[[Point], float] = lambda point: 0.0,
        all_trials: Callable[[], Study] | None = None,
        fits: Callable[[Study, Point], bool] = lambda study, point: True,
    ) -> None:
        self._feasible, self._make, self._seed, self._all_trials, self._fits = space, make, seed, all_trials, fits
        drawn = (space.draw(np.random.default_rng([seed, number])) for number in range(n_first - len(known)))
        self._first = [*known, *sorted(drawn, key=cost)]

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the whole space: all parameters are proposed together."""
        return self._feasible.space.distributions

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return a feasible point; for a retry, the point of the trial that it repeats."""
        if (point := saved_point(trial)) is not None:
            refuse_other_values(trial.number, point | dict.fromkeys(search_space.keys() - point.keys()), search_space)
            return point
        whole = self._all_trials() if self._all_trials is not None else study
        if (place := _place(whole, trial)) < len(self._first):
            return self._first[place]
        rng = np.random.default_rng([self._seed, trial.number])
        other = self._make(int(rng.integers(2**32)))
        single = {
            key: drawn_value(value, np.random.default_rng(0)) for key, value in search_space.items() if value.single()
        }
        free = {key: value for key, value in search_space.items() if key not in single}
        other.infer_relative_search_space(whole, trial)  # `group=true` of Optuna's TPE needs it before it proposes
        for _ in range(_PROPOSALS if free else 0):
            proposed = other.sample_relative(whole, trial, free)
            if set(proposed) != set(free):
                break  # it draws at random so far, or always
            point = {**single, **proposed}
            if self._feasible.why_not(point) is None and self._fits(whole, point):
                return point
        points = [self._feasible.draw(rng)]
        while len(points) < _PROPOSALS and not self._fits(whole, points[-1]):
            points.append(self._feasible.draw(rng))
        return points[-1]

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Refuse: a value drawn alone may belong to an infeasible point."""
        raise AssertionError(f"{param_name} is none of the parameters that are proposed together")


def _place(study: Study, trial: FrozenTrial) -> int:
    """Return how many trials came before this one, without retries."""
    return sum(other.number < trial.number and not is_retry(other) for other in study.get_trials(deepcopy=False))
