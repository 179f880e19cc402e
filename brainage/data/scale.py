"""The scale of the series that a network sees: z-scores as they are in a store, percent of the mean, or as read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# What was done to the numbers of the files, in words.
IN_WORDS = {
    "zscore": "z-scored over time",
    "percent": "converted to percent change from the mean over time",
    "none": "used in the units of the files",
}

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scaling:
    """From z-scores to another scale: a factor, and something to add, for each scan and channel.

    Parameters
    ----------
    gain, offset : array of shape (n_scans, n_channels, 1), or None
        float32; None is 1 or 0.
    """

    gain: NDArray[np.float32] | None = None
    offset: NDArray[np.float32] | None = None

    @classmethod
    def of(cls, scale: str, moments: _Array) -> Scaling:
        """Return the scaling to percent of the mean, or to numbers as read, by means and SDs: see `Store.moments`."""
        mean, sd = moments[..., :1], moments[..., 1:]
        if scale == "percent":
            percent = np.divide(100 * sd, mean, out=np.zeros_like(sd), where=mean > sd)
            return cls(percent.astype(np.float32))
        with np.errstate(over="ignore"):  # numbers that no float32 has end the training as diverged
            return cls(sd.astype(np.float32), mean.astype(np.float32))

    def apply(self, series: NDArray[np.float32], scans: NDArray[np.intp] | int) -> NDArray[np.float32]:
        """Change the scale of a scan's series, or of those of several, in place; return them."""
        if self.gain is not None:
            series *= self.gain[scans]
        if self.offset is not None:
            series += self.offset[scans]
        return series


def has_percent(moments: _Array) -> NDArray[np.bool_]:
    """Return whether channels have a percent signal change: their mean over time is above their SD.

    That of an ICA's components, or of series that were demeaned, is near 0. Missing channels, which are 0, have one.
    """
    mean, sd = moments[..., 0], moments[..., 1]
    return np.asarray((mean > sd) | (sd == 0))


def sizes(mean: float, sd: float) -> str:
    """Return a mean and an SD in words; thousands are whole numbers."""
    shown = [f"{value:,.0f}" if 1e3 <= abs(value) < 1e7 else f"{value:.3g}" for value in (mean, sd)]
    return f"a mean of {shown[0]} and an SD of {shown[1]}"
