"""Single scans, or halves of scans, as rows of a store in memory: for models that read whole rows."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brainage.data.participants import Participants, ScanOfRow
from brainage.data.store.layout import Store
from brainage.data.store.ragged import Ragged

# Participants whose series are in memory at a time.
_TOGETHER = 512

# A place without files, in which nothing can be cached.
_NOWHERE = Path(os.devnull)

_Series = NDArray[np.float32]


def rows_by_scan(participants: Participants) -> Iterator[Participants]:
    """Yield participants, some at a time, with a row for each of their scans; see `Participants.by_scan`."""
    yield from _rows(participants, participants.n_times, participants.scans)


def rows_by_half(participants: Participants, n_times: int) -> Iterator[Participants]:
    """Yield participants who have one scan each, some at a time, with a row for each half of it.

    Their labels are ``half-1`` and ``half-2``; `n_times` are the time points that a network sees of one at once. Where
    series are z-scored, each half is.
    """

    def halves(position: int) -> list[ScanOfRow]:
        (scan,) = participants.scans(position)
        length = (scan.end - scan.begin) // 2
        begins = enumerate((scan.begin, scan.begin + length), start=1)
        return [replace(scan, label=f"half-{number}", begin=begin, end=begin + length) for number, begin in begins]

    yield from _rows(participants, n_times, halves, standardised if participants.scale == "zscore" else None)


def half_length(participants: Participants) -> int:
    """Return the time points of the shortest half."""
    return int(participants.store.lengths[participants.rows].min()) // 2 if len(participants) else 0


def standardised(series: _Series) -> _Series:
    """Return series of shape (n_channels, n_times) with mean 0 and SD 1 over time; constant ones are 0."""
    values = series.astype(np.float64)
    values -= values.mean(axis=1, keepdims=True)
    spread = values.std(axis=1, keepdims=True)
    scaled: _Series = np.divide(values, spread, out=np.zeros_like(values), where=spread > 0).astype(np.float32)
    return scaled


def _rows(
    participants: Participants,
    n_times: int,
    pieces_of: Callable[[int], list[ScanOfRow]],
    change: Callable[[_Series], _Series] | None = None,
) -> Iterator[Participants]:
    for begin in range(0, len(participants), _TOGETHER):
        together = range(begin, min(begin + _TOGETHER, len(participants)))
        pieces = [(position, one) for position in together for one in pieces_of(position)]
        rows = participants.rows
        arrays = [participants.store.series[rows[position]][:, one.begin : one.end] for position, one in pieces]
        arrays = [np.ascontiguousarray(one if change is None else change(one)) for one in arrays]
        yield _with_rows(participants, n_times, pieces, arrays)


def _with_rows(
    participants: Participants, n_times: int, pieces: list[tuple[int, ScanOfRow]], arrays: list[_Series]
) -> Participants:
    """Return participants with a row for each piece of a series."""
    store = participants.store
    lengths = [one.shape[1] for one in arrays]
    table = participants.table.iloc[[position for position, _ in pieces]].reset_index(drop=True)
    table = table.assign(
        scan=[one.label for _, one in pieces], age=[one.age for _, one in pieces], row=np.arange(len(pieces))
    )
    moments = None if store.moments is None else store.moments[[one.number for _, one in pieces]]
    held = Store(
        _NOWHERE,
        tuple(map(str, range(len(pieces)))),
        {},
        Ragged(np.concatenate([one.ravel() for one in arrays]), store.n_channels, lengths),
        np.array([zlib.crc32(one.data) for one in arrays], dtype=np.uint32),
        channels=store.channels,
        scans=[[(one.label, length)] for (_, one), length in zip(pieces, lengths, strict=True)],
        moments=moments,
    )
    return replace(participants, table=table, store=held, n_times=n_times, scan_ages={})
