"""Traits of participants' series, by which series from elsewhere are compared with those of the training."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from brainage.data.store.layout import Store
from brainage.data.store.ragged import Ragged

# Participants in memory at a time.
_TOGETHER = 64

_Array = NDArray[np.float64]


def traits_of(
    store: Store, rows: NDArray[np.intp], channels: NDArray[np.intp], scale: str = "zscore"
) -> Iterator[tuple[str, _Array]]:
    """Yield the name of each trait of series, and its values, one a participant.

    They are the autocorrelation at one time point and the excess kurtosis, both means over components, and the mean
    absolute correlation of two components; of another scale also SD and mean. Few participants are in memory at a time.
    """
    blocks = []
    for block in _blocks(store, rows, channels):
        blocks.append(_traits(block))
        store.release()
    found = np.concatenate(blocks)
    yield "lag-1 autocorrelation", found[:, 0]
    yield "excess kurtosis", found[:, 1]
    if len(channels) > 1:
        yield "mean absolute correlation of components", found[:, 2]
    yield from _amplitudes(store, rows, channels, scale)


def _amplitudes(
    store: Store, rows: NDArray[np.intp], channels: NDArray[np.intp], scale: str
) -> Iterator[tuple[str, _Array]]:
    """Yield the traits that z-scored series do not have, means over components and scans."""
    if scale == "zscore" or store.moments is None:
        return
    first, of_scans = store.first_scans, store.moments[:, channels]
    mean, sd = np.moveaxis(of_scans, 2, 0)
    if scale == "percent":
        values = {"SD in percent of the mean": np.divide(100 * sd, mean, out=np.zeros_like(sd), where=mean > 0)}
    else:
        values = {"SD": sd, "mean": mean}
    for name, of_channels in values.items():
        scans = of_channels.mean(axis=1)
        yield name, np.array([scans[first[row] : first[row + 1]].mean() for row in rows])


def _blocks(store: Store, rows: NDArray[np.intp], channels: NDArray[np.intp]) -> Iterator[NDArray[np.float32]]:
    """Yield series of one length, each of shape (n_participants, n_channels, n_times)."""
    if isinstance(store.series, Ragged):
        yield from (store.series[row][None, channels] for row in rows)
    else:
        for begin in range(0, len(rows), _TOGETHER):
            yield store.series[rows[begin : begin + _TOGETHER][:, None], channels]


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
