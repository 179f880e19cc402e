"""Functional connectivity of all participants of a store, cached in its folder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brainage.data.store.layout import Store, verify
from brainage.system.console import track
from brainage.system.files import write_whole

KINDS = ("correlation", "partial correlation")

# Participants in memory at a time.
_TOGETHER = 64

# Correlations are clipped, because Fisher's z of 1 is infinite.
_HIGHEST = 0.999999


def connectivity(store: Store, rows: NDArray[np.intp], channels: Sequence[int], kind: str) -> NDArray[np.float32]:
    """Return Fisher-z transformed connectivity of these rows, float32 of shape (len(rows), n_pairs).

    `channels` are the indices of the components, and `kind` is that of nilearn's ConnectivityMeasure.
    """
    name = hashlib.sha256(f"{kind} {list(channels)}".encode()).hexdigest()[:12]
    path = store.folder / f"connectivity-{name}.npz"
    values = _cached(path, len(store.participant_ids), len(channels))
    if values is None:
        values = _computed(store, channels, kind)
        with suppress(OSError):  # a store that cannot be written
            write_whole(path, lambda partial: _write(partial, values))
    return values[rows]


def _computed(store: Store, channels: Sequence[int], kind: str) -> NDArray[np.float32]:
    from nilearn.connectome import ConnectivityMeasure

    measure = ConnectivityMeasure(kind=kind, vectorize=True, discard_diagonal=True, standardize=False)
    n_rows = len(store.participant_ids)
    begins = range(0, n_rows, _TOGETHER)
    found = []
    for begin in track(begins, len(begins), "Connectivity, once"):
        together = range(begin, min(begin + _TOGETHER, n_rows))
        verify(store, together)
        series = [np.ascontiguousarray(store.series[row][list(channels)].T) for row in together]
        found.append(np.arctanh(np.clip(measure.fit_transform(series), -_HIGHEST, _HIGHEST)).astype(np.float32))
        store.release()
    return np.concatenate(found)


def _write(path: Path, values: NDArray[np.float32]) -> None:
    with path.open("wb") as file:
        np.savez(file, values=values, digest=np.array(_digest(values)))
    path.chmod(0o666 & path.parent.stat().st_mode)  # an existing store may be shared


def _cached(path: Path, n_rows: int, n_channels: int) -> NDArray[np.float32] | None:
    """Return the cached values; None if the file is missing or damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as cached:
            values, digest = cached["values"], str(cached["digest"])
    except Exception:  # NumPy and zipfile have errors of many kinds
        return None
    shape = (n_rows, n_channels * (n_channels - 1) // 2)
    return values if values.shape == shape and values.dtype == np.float32 and _digest(values) == digest else None


def _digest(values: NDArray[np.float32]) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()
