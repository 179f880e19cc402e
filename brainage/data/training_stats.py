"""Aggregates of the training participants: ages and traits of their series."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AllowInfNan, Strict, StrictInt, TypeAdapter

from brainage.data.store.layout import Store

# Participants in memory at a time.
_TOGETHER = 64

_Array = NDArray[np.float64]
Number = Annotated[float, Strict(), AllowInfNan(False)]


@dataclass(frozen=True)
class Spread:
    """Number, mean, sample SD (n - 1), minimum and maximum of values."""

    n: StrictInt
    mean: Number
    sd: Number
    low: Number
    high: Number

    def n_outside(self, values: _Array) -> int:
        """Count the values below the lowest or above the highest."""
        return int(((values < self.low) | (values > self.high)).sum())

    @classmethod
    def from_json(cls, plain: Any) -> Spread:
        """Read plain values; raise ValueError for any others."""
        return TypeAdapter(cls).validate_python(plain)


@dataclass(frozen=True)
class Aggregates:
    """Ages of the training participants, in years, and their series' traits (see `traits_of`)."""

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
    return Spread(len(array), float(array.mean()), sd, float(array.min()), float(array.max()))


def aggregates_of(
    ages: Iterable[float], store: Store, rows: NDArray[np.intp], channels: NDArray[np.intp]
) -> Aggregates:
    """Describe participants from their ages, in years, and their series: rows of the store, and channels of those."""
    return Aggregates(spread_of(ages), {name: spread_of(values) for name, values in traits_of(store, rows, channels)})


def traits_of(store: Store, rows: NDArray[np.intp], channels: NDArray[np.intp]) -> Iterator[tuple[str, _Array]]:
    """Yield the name of each trait of z-scored series, and its values, one a participant.

    They are the autocorrelation at one time point and the excess kurtosis, both means over components, and the mean
    absolute correlation of two components. Few participants are in memory at a time.
    """
    blocks = []
    for begin in range(0, len(rows), _TOGETHER):
        blocks.append(_traits(store.series[rows[begin : begin + _TOGETHER][:, None], channels]))
        store.release()
    found = np.concatenate(blocks)
    yield "lag-1 autocorrelation", found[:, 0]
    yield "excess kurtosis", found[:, 1]
    if len(channels) > 1:
        yield "mean absolute correlation of components", found[:, 2]


def _traits(series: NDArray[np.float32]) -> _Array:
    """Return the traits of a block, of shape (n_participants, 3)."""
    n_channels, n_times = series.shape[1:]
    lagged = np.einsum("pct,pct->pc", series[:, :, :-1], series[:, :, 1:]) / n_times
    squares = series**2
    kurtosis = np.einsum("pct,pct->pc", squares, squares) / n_times - 3
    correlations = np.abs(series @ series.transpose(0, 2, 1) / n_times)
    total = correlations.sum(axis=(1, 2)) - np.trace(correlations, axis1=1, axis2=2)
    n_pairs = max(1, n_channels * (n_channels - 1))
    return np.stack([lagged.mean(axis=1), kurtosis.mean(axis=1), total / n_pairs], axis=1).astype(np.float64)
