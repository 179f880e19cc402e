"""Resampling of series to another repetition time."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Repetition times that differ by at most this share are the same.
TOLERANCE = 0.01

# Zero crossings of the filter on each side, and its Kaiser window: the transition is from 0.9 to 1.1 of the lower
# Nyquist frequency, and what is above it is attenuated by 80 dB.
_HALF_LENGTH, _BETA = 20, 8.0

_Array = NDArray[np.floating[Any]]


def same(one: Any, other: Any) -> Any:
    """Return whether repetition times differ by at most 1 %, or one is unknown, NaN."""
    # Rounding must not decide about 0.99 s and 1 s.
    return ~(np.abs(np.asarray(one, np.float64) - other) > (TOLERANCE + 1e-9) * np.asarray(other))


def n_resampled(n_times: int, t_r: float, to: float) -> int:
    """Return how many time points at repetition time `to` are in `n_times` at `t_r`, from the first to the last."""
    return n_times if same(t_r, to) else int((n_times - 1) * _ratio(t_r, to)) + 1


def resampled(values: _Array, t_r: float, to: float) -> _Array:
    """Return series at another repetition time, in seconds; as they are if it is the same to within 1 %.

    Band-limited, by a polyphase filter whose cutoff is the lower of the two Nyquist frequencies. A line through the
    first and the last point is subtracted before and added after it, against effects of the edges.

    Parameters
    ----------
    values : array of shape (n_times, n_channels)
        At repetition time `t_r`; finite.
    t_r, to : float
        Repetition times, in seconds.

    Returns
    -------
    array of shape (`n_resampled`, n_channels)
        The first time point is at the same time.
    """
    from scipy.signal import firwin, resample_poly  # worker processes import this module and seldom need it

    if same(t_r, to):
        return values
    ratio = _ratio(t_r, to)
    rate = max(ratio.numerator, ratio.denominator)
    window = firwin(2 * _HALF_LENGTH * rate + 1, 1 / rate, window=("kaiser", _BETA))
    found = resample_poly(values, ratio.numerator, ratio.denominator, axis=0, window=window, padtype="line")
    return np.asarray(found[: n_resampled(len(values), t_r, to)])


def _ratio(t_r: float, to: float) -> Fraction:
    """Return the quotient of repetition times; over 1,000 time points it is wrong by less than one thousandth."""
    return Fraction(t_r / to).limit_denominator(1000)
