"""Series whose order of time is changed, shuffled, reversed or phase-randomised, and what stays of their statistics."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Array = NDArray[np.float32]

# Statistics of one participant's series that an order keeps or loses.
CONNECTIVITY, SPECTRA, LAGS, VALUES = "connectivity", "spectra", "lagged correlations", "distribution of values"


@dataclass(frozen=True)
class Order:
    """How the time points of a series, of shape (n_channels, n_times), are changed, and which statistics stay."""

    change: Callable[[_Array, np.random.Generator], _Array]
    keeps: tuple[str, ...]


def _shuffled(series: _Array, rng: np.random.Generator) -> _Array:
    return series[:, rng.permutation(series.shape[1])]


def _shuffled_by_channel(series: _Array, rng: np.random.Generator) -> _Array:
    return rng.permuted(series, axis=1)


def _reversed(series: _Array, _: np.random.Generator) -> _Array:
    return series[:, ::-1]


def _phase_randomised(series: _Array, rng: np.random.Generator) -> _Array:
    n_times = series.shape[1]
    spectrum = np.fft.rfft(series.astype(np.float64), axis=1)
    turned = np.exp(2j * np.pi * rng.random(spectrum.shape[1]))
    turned[0] = 1  # the mean
    if n_times % 2 == 0:
        turned[-1] = 1  # the highest frequency, which is real
    return np.fft.irfft(spectrum * turned, n=n_times, axis=1).astype(series.dtype)


# All channels share the permutation or the random phases, except in `shuffled_by_channel`.
ORDERS = {
    "shuffled": Order(_shuffled, (CONNECTIVITY, VALUES)),
    "shuffled_by_channel": Order(_shuffled_by_channel, (VALUES,)),
    "reversed": Order(_reversed, (CONNECTIVITY, SPECTRA, VALUES)),
    "phase_randomised": Order(_phase_randomised, (CONNECTIVITY, SPECTRA, LAGS)),
}


def reordered(series: _Array, order: str, seed: int) -> _Array:
    """Return series in another order of time; each is changed on its own, and by the same draws in any batch.

    Parameters
    ----------
    series : array of shape (n_series, n_channels, n_times)
        Not changed.
    order : str
        One of `ORDERS`.
    seed : int
        The draws depend on it and on the series itself: not on other participants, their order, or units.

    References
    ----------
    Prichard & Theiler (1994), Generating surrogate data for time series with several simultaneously measured
    variables, doi 10.1103/PhysRevLett.73.951.
    """
    changed = np.empty_like(series)
    for target, one in zip(changed, series, strict=True):
        target[:] = ORDERS[order].change(one, np.random.default_rng([seed, _key(one)]))
    return changed


def shuffled(series: _Array, seed: int | None) -> _Array:
    """Return `reordered` series whose time points are shuffled; without a seed the series themselves."""
    return series if seed is None else reordered(series, "shuffled", seed)


def _key(series: _Array) -> int:
    """Return a number that differs between participants, but not with units or rounding: of where a series rises."""
    return zlib.crc32(np.packbits(series[:, 1:] > series[:, :-1]).tobytes())
