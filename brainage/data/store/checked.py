"""Series that can be used: missing values are refused, or repaired where a modality says so; channels are z-scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from brainage.data.store.parse import FloatArray, Recording, recording_of
from brainage.data.store.reading import Reading
from brainage.data.store.resample import resampled
from brainage.errors import SeriesError

Series = TypeVar("Series", bound="NDArray[np.float32] | int")


@dataclass(frozen=True)
class Checked(Generic[Series]):
    """A participant's series, float32 of shape (n_channels, n_times), or the checksum of what is in the store already.

    `n_missing` of the channels are missing and are zero; `n_interpolated` time points have interpolated values. `t_r`
    is the repetition time, in seconds, if the file itself has it.
    Of a participant with several scans, `scans` has the label and the time points of each, in the order in which they
    follow each other, and `unused` the label of each other, and the kind and detail of the reason.
    `moments`, of shape (n_scans, n_channels, 2), are the mean and the SD of each scan's channels before they were
    z-scored, both 0 for a missing channel; None if the series are from a store of an earlier version.
    """

    series: Series
    n_missing: int = 0
    n_interpolated: int = 0
    t_r: float | None = None
    scans: Sequence[tuple[str, int]] = ()
    unused: Sequence[tuple[str, str, str]] = ()
    moments: NDArray[np.float64] | None = None


def check_series(raw: Recording | FloatArray, reading: Reading) -> Checked[NDArray[np.float32]]:
    """Check raw series and z-score each channel over the time points that are kept.

    Returns series of shape (n_channels, n_times), or raises SeriesError.
    """
    recording = recording_of(raw)
    raw, n_interpolated = _interpolated(reading.series(recording), reading.max_interpolated)
    finite = np.isfinite(raw)
    if reading.max_missing is None and not finite.all():
        time, component = np.argwhere(~finite)[0]
        raise SeriesError("NaN or infinity", f"{raw[time, component]} at time point {time + 1}, column {component + 1}")
    if reading.resample_to is not None and recording.t_r is not None:
        raw = resampled(np.where(finite, raw, np.nan), recording.t_r, reading.resample_to)
        finite = np.isfinite(raw)
    series = np.ascontiguousarray(raw[: reading.n_times].T, dtype=np.float64)
    missing = ~finite[: reading.n_times].all(axis=0)
    series[missing] = 0.0
    # Scaled first, because the square of a very large or small number overflows or underflows.
    peak = np.maximum(np.abs(series).max(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    series /= peak
    mean = series.mean(axis=1, keepdims=True)
    series -= mean
    sd = series.std(axis=1, keepdims=True)
    # A constant such as 0.1 has an SD of 1e-17, not 0.
    missing = sd[:, 0] < 1e-12
    _check_missing(missing, reading.max_missing)
    moments = np.hstack([mean, sd]) * peak
    series[missing], sd[missing], moments[missing] = 0.0, 1.0, 0.0
    z_scored = (series / sd).astype(np.float32)
    return Checked(z_scored, int(missing.sum()), n_interpolated, recording.t_r, moments=moments[None])


def _check_missing(missing: NDArray[np.bool_], max_missing: float | None) -> None:
    """Raise SeriesError if channels are missing, or more of them than `max_missing`, a share of all."""
    n_missing, n_channels = int(missing.sum()), len(missing)
    if not n_missing:
        return
    if max_missing is None:
        numbers = ", ".join(str(number + 1) for number in np.flatnonzero(missing))
        raise SeriesError("constant component", f"number {numbers}")
    if n_missing > max_missing * n_channels:
        share = f"{n_missing / n_channels:.3g} of {n_channels}"
        raise SeriesError("too many missing channels", f"{n_missing}, {share}, expected at most {max_missing:g}")


def _interpolated(raw: FloatArray, max_interpolated: float) -> tuple[FloatArray, int]:
    """Return series whose missing time points are interpolated linearly, and how many time points had any.

    At the ends, the nearest value is repeated. A channel of which more than `max_interpolated`, a share of its time
    points, is missing stays as it is.
    """
    gaps = np.isnan(raw)
    if not max_interpolated or not gaps.any():
        return raw, 0
    n_missing = gaps.sum(axis=0)
    filled = np.flatnonzero((n_missing > 0) & (n_missing <= max_interpolated * len(raw)))
    raw, times = raw.copy(), np.arange(len(raw))
    for channel in filled:
        gap = gaps[:, channel]
        raw[gap, channel] = np.interp(times[gap], times[~gap], raw[~gap, channel])
    return raw, int(gaps[:, filled].any(axis=1).sum())
