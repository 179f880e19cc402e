"""Aggregates of the training participants, ``training.json``: their ages, and traits of their series."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AllowInfNan, Strict, StrictInt, TypeAdapter

from brainage.evaluation.shown_values import middle_range

_Array = NDArray[np.float64]
Number = Annotated[float, Strict(), AllowInfNan(False)]

# Share of values outside the percentiles of their own distribution.
_EXPECTED = 0.1

# Difference between means, in SDs, that matters.
_SHIFTED = 0.5

# Distance from the percentiles, as a share of their difference, that none of a thousand normal values reaches.
_FAR = 0.5


@dataclass(frozen=True)
class Spread:
    """Number, mean, sample SD (n - 1), and 5th and 95th percentile of values: None for fewer than 50."""

    n: StrictInt
    mean: Number
    sd: Number
    p5: Number | None = None
    p95: Number | None = None

    @property
    def range_text(self) -> str:
        """The percentiles as text, or an empty string."""
        return "" if self.p5 is None else f"{self.p5:g} to {self.p95:g}"

    def n_outside(self, values: _Array) -> int:
        """Count the values outside the percentiles; 0 where chance explains them.

        That is, where they are at most 10 % plus two standard errors, and none is far outside.
        """
        if self.p5 is None or self.p95 is None or not len(values):
            return 0
        distance = np.maximum(self.p5 - values, values - self.p95)
        n_outside = int((distance > 0).sum())
        share_error = (_EXPECTED * (1 - _EXPECTED) / len(values)) ** 0.5
        is_far = bool((distance > _FAR * (self.p95 - self.p5)).any())
        return n_outside if is_far or n_outside > (_EXPECTED + 2 * share_error) * len(values) else 0

    def shift(self, values: _Array) -> float:
        """Return by how many SDs the mean of values differs; 0 for under half an SD, and where chance explains it."""
        if not len(values) or self.sd == 0:
            return 0.0
        shift = float(values.mean() - self.mean) / self.sd
        return shift if abs(shift) > max(_SHIFTED, 3 * (1 / len(values) + 1 / self.n) ** 0.5) else 0.0

    @classmethod
    def from_json(cls, plain: Any) -> Spread:
        """Read plain values; raise ValueError for any others. Extremes, in files of version 0.1, are dropped."""
        return TypeAdapter(cls).validate_python(plain)


@dataclass(frozen=True)
class Aggregates:
    """Ages of the training participants, in years, and their series' traits (see `brainage.data.traits`)."""

    ages: Spread
    series: dict[str, Spread]

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Any) -> Aggregates:
        """Read the result of `as_json`; raise ValueError for anything else."""
        return TypeAdapter(cls).validate_python(plain)


def spread_of(values: Iterable[float]) -> Spread:
    """Summarise a non-empty sequence."""
    array = np.fromiter(values, dtype=np.float64)
    sd = float(array.std(ddof=1)) if len(array) > 1 else 0.0
    return Spread(len(array), float(array.mean()), sd, *(middle_range(array) or ()))
