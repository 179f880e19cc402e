"""Values of all participants of a store, computed once and cached in its folder.

They are deleted with the store when participants withdraw.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brainage.data.store.layout import Store, verify
from brainage.system.console import track
from brainage.system.files import write_whole

# Participants in memory at a time.
_TOGETHER = 64

# Rows of a store and their series, each of shape (n_channels, n_times); returns float32, one row a participant.
Compute = Callable[[range, list[NDArray[np.float32]]], NDArray[np.float32]]


def cached_rows(
    store: Store, channels: Sequence[int], what: tuple[str, str], width: int, compute: Compute
) -> NDArray[np.float32]:
    """Return `width` values of each row of a store, float32.

    `what` is the first word of the file's name, and everything that the values depend on besides the store and the
    `channels`. A cache that is missing or damaged is recomputed.
    """
    word, settings = what
    name = hashlib.sha256(f"{settings} {list(channels)}".encode()).hexdigest()[:12]
    path = store.folder / f"{word}-{name}.npz"
    values = _cached(path, (len(store.participant_ids), width))
    if values is None:
        values = _computed(store, channels, f"{word.replace('_', ' ').capitalize()}, once", compute)
        with suppress(OSError):  # a store that cannot be written
            write_whole(path, lambda partial: _write(partial, values))
    return values


def _computed(store: Store, channels: Sequence[int], label: str, compute: Compute) -> NDArray[np.float32]:
    n_rows = len(store.participant_ids)
    begins = range(0, n_rows, _TOGETHER)
    found = []
    for begin in track(begins, len(begins), label):
        together = range(begin, min(begin + _TOGETHER, n_rows))
        verify(store, together)
        found.append(compute(together, [store.series[row][list(channels)] for row in together]))
        store.release()
    return np.concatenate(found)


def _write(path: Path, values: NDArray[np.float32]) -> None:
    with path.open("wb") as file:
        np.savez(file, values=values, digest=np.array(_digest(values)))
    path.chmod(0o666 & path.parent.stat().st_mode)  # an existing store may be shared


def _cached(path: Path, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    """Return the cached values; None if the file is missing or damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as cached:
            values, digest = cached["values"], str(cached["digest"])
    except Exception:  # NumPy and zipfile have errors of many kinds
        return None
    return values if values.shape == shape and values.dtype == np.float32 and _digest(values) == digest else None


def _digest(values: NDArray[np.float32]) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()
