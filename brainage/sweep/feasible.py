"""Feasible points of a search space: those whose network can be built."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from brainage.errors import ImpossibleArchitectureError, SweepError
from brainage.sweep.space import Point, Space

# Draws from the whole space before its points are enumerated instead.
_DRAWS = 500

# Points of the discrete parameters that are enumerated at most.
_MAX_COUNTED = 1_000_000


class FeasibleSpace:
    """A space of which only feasible points are drawn.

    `check` raises ImpossibleArchitectureError for an infeasible point; `depends_on` returns whether feasibility depends
    on a key, whose values are countable then.
    """

    def __init__(
        self,
        space: Space,
        check: Callable[[Mapping[str, Any]], None],
        depends_on: Callable[[str], bool] = lambda key: True,
    ) -> None:
        self.space = space
        self._check, self._depends_on = check, depends_on
        self._counted: tuple[list[Point], np.ndarray] | None = None
        self.draw(np.random.default_rng(0))

    def why_not(self, point: Mapping[str, Any]) -> str | None:
        """Return why a point is infeasible; None if it is feasible."""
        try:
            self._check(point)
        except ImpossibleArchitectureError as error:
            return str(error)
        return None

    def draw(self, rng: np.random.Generator) -> Point:
        """Draw a feasible point, with its probability in the whole space given that it is feasible."""
        if self._counted is None:
            for _ in range(_DRAWS):
                point = {key: drawn(value, rng) for key, value in self.space.distributions.items()}
                if self.why_not(point) is None:
                    return point
            self._counted = self._count()
        points, weights = self._counted
        chosen = points[int(rng.choice(len(points), p=weights))]
        return {
            key: chosen[key] if key in chosen else drawn(value, rng) for key, value in self.space.distributions.items()
        }

    def nearest(self, point: Point) -> Point | None:
        """Return the feasible point that differs least in the ranks of countable values; None if that is not known."""
        if self.why_not(point) is None:
            return point
        ranks = {
            key: {repr(value): rank / len(values) for rank, (value, _) in enumerate(values)}
            for key, values in ((key, _values(one)) for key, one in self.space.distributions.items())
        }
        try:
            points = self._counted[0] if self._counted is not None else self._count()[0]
        except SweepError:  # too many to be counted
            return None

        def distance(other: Mapping[str, Any]) -> float:
            return sum(abs(ranks[key][repr(value)] - ranks[key][repr(point[key])]) for key, value in other.items())

        return point | min(points, key=distance)

    def _count(self) -> tuple[list[Point], np.ndarray]:
        """Return every feasible combination of countable values, with its probability."""
        rng = np.random.default_rng(0)
        some = {key: drawn(value, rng) for key, value in self.space.distributions.items()}
        countable = {key: _values(value) for key, value in self.space.distributions.items()}
        table = {key: values for key, values in countable.items() if values and self._depends_on(key)}
        size = math.prod(len(values) for values in table.values())
        points, weights, reason = [], [], ""
        if size <= _MAX_COUNTED:
            for combination in itertools.product(*table.values()):
                point = dict(zip(table, (value for value, _ in combination), strict=True))
                why = self.why_not({**some, **point})
                if why is None:
                    points.append(point)
                    weights.append(math.prod(weight for _, weight in combination))
                reason = reason or why or ""
        if not points:
            what = f"any of {size:,} combinations" if size <= _MAX_COUNTED else f"any of {_DRAWS} draws"
            raise SweepError(
                f"`hydra.sweeper.params` must contain feasible networks, but no network can be built from {what}. "
                f"For example: {reason or self.why_not(some)}"
            )
        return points, np.array(weights) / sum(weights)


def _values(distribution: BaseDistribution) -> list[tuple[Any, float]]:
    """Return the values of a distribution with their probabilities; none if they are not countable."""
    if isinstance(distribution, CategoricalDistribution):
        return [(choice, 1 / len(distribution.choices)) for choice in distribution.choices]
    if isinstance(distribution, IntDistribution):
        values = range(distribution.low, distribution.high + 1, distribution.step)
        if not distribution.log:
            return [(value, 1 / len(values)) for value in values]
        whole = math.log((distribution.high + 0.5) / (distribution.low - 0.5))
        return [(value, math.log((value + 0.5) / (value - 0.5)) / whole) for value in values]
    return []


def drawn(distribution: BaseDistribution, rng: np.random.Generator) -> Any:
    """Draw a value of a parameter."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[int(rng.integers(len(distribution.choices)))]
    if isinstance(distribution, IntDistribution):
        if distribution.log:
            drawn = math.exp(rng.uniform(math.log(distribution.low - 0.5), math.log(distribution.high + 0.5)))
            return min(max(round(drawn), distribution.low), distribution.high)
        n_steps = (distribution.high - distribution.low) // distribution.step
        return distribution.low + distribution.step * int(rng.integers(n_steps + 1))
    assert isinstance(distribution, FloatDistribution)
    low, high = distribution.low, distribution.high
    if distribution.step is not None:
        n_steps = round((high - low) / distribution.step)
        return min(low + distribution.step * int(rng.integers(n_steps + 1)), high)
    if distribution.log:
        return min(max(math.exp(rng.uniform(math.log(low), math.log(high))), low), high)
    return float(rng.uniform(low, high))
