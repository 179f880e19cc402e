"""What one participant's file is like. Worker processes import this module, so it imports little."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from brainage.data.scale import has_percent
from brainage.data.store.parse import FloatArray, is_number, recording_of
from brainage.data.store.series import Scan, UnreadableNowError, errors_of_files
from brainage.data.store.several import SeveralScans
from brainage.errors import SeriesError

# Range of a channel, as a share of its largest value, below which it is constant; see `brainage.data.store.checked`.
_CONSTANT = 1e-12


@dataclass(frozen=True)
class Lines:
    """The rows, or the columns, of a file: indices of those that are constant, empty, or partly without numbers.

    `smoothness` is the mean correlation between neighbouring numbers of a line: that of time points is high.
    `no_percent` of the lines have no percent signal change; `mean` and `sd` are medians over lines.
    """

    n: int
    names: tuple[str, ...] | None
    constant: tuple[int, ...] = ()
    empty: tuple[int, ...] = ()
    partial: tuple[int, ...] = ()
    smoothness: float = 0.0
    no_percent: int = 0
    mean: float = 0.0
    sd: float = 0.0

    @property
    def n_missing(self) -> int:
        """Lines that a network could not use."""
        return len(self.constant) + len(self.empty) + len(self.partial)


@dataclass(frozen=True)
class Facts:
    """A file's rows and columns, and its repetition time in seconds if the file itself has it."""

    rows: Lines
    columns: Lines
    t_r: float | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows.n, self.columns.n


def describe(scan: Scan) -> Facts | SeriesError:
    """Read a scan and return what its file is like, or why it cannot be read; of several scans, the longest."""
    if isinstance(scan, SeveralScans):
        each = [describe(one.scan) for one in scan.scans]
        found = [one for one in each if isinstance(one, Facts)]
        return max(found, key=lambda one: one.rows.n * one.columns.n) if found else each[0]
    try:
        with errors_of_files():
            recording = recording_of(scan.read())
    except SeriesError as error:
        return UnreadableNowError(error.detail) if isinstance(error, UnreadableNowError) else error
    values = recording.values
    row_names = None if all(map(is_number, recording.row_names or ())) else recording.row_names
    return Facts(_lines(values, row_names), _lines(values.T, recording.column_names), recording.t_r)


def _lines(values: FloatArray, names: tuple[str, ...] | None) -> Lines:
    """Describe each row of values."""
    finite = np.isfinite(values)
    highest = np.where(finite, values, -np.inf).max(axis=1, initial=-np.inf)
    lowest = np.where(finite, values, np.inf).min(axis=1, initial=np.inf)
    empty = ~finite.any(axis=1)
    size = np.maximum(np.abs(highest), np.abs(lowest), where=~empty, out=np.ones(len(values)))
    spread = np.subtract(highest, lowest, where=~empty, out=np.ones(len(values)))
    constant = ~empty & (spread <= _CONSTANT * size)
    partial = ~empty & ~constant & ~finite.all(axis=1)
    whole = values[~(empty | constant | partial)]
    missing = _indices(constant), _indices(empty), _indices(partial)
    return Lines(len(values), names, *missing, _smoothness(whole), *_amplitude(whole))


def _amplitude(values: FloatArray) -> tuple[int, float, float]:
    """Return how many rows have no percent signal change, and medians of their means and SDs."""
    if not values.size:
        return 0, 0.0, 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        moments = np.stack([values.mean(axis=1), values.std(axis=1)], axis=1)
    mean, sd = np.median(moments, axis=0)
    return int((~has_percent(moments)).sum()), float(mean), float(sd)


def _smoothness(values: FloatArray) -> float:
    """Return the mean autocorrelation of rows at lag 1; 0 without rows that vary."""
    if not values.size:
        return 0.0
    values = values / np.abs(values).max(axis=1, keepdims=True)
    values = values - values.mean(axis=1, keepdims=True)
    return float(((values[:, 1:] * values[:, :-1]).sum(axis=1) / (values**2).sum(axis=1)).mean())


def _indices(chosen: Any) -> tuple[int, ...]:
    return tuple(np.flatnonzero(chosen).tolist())
