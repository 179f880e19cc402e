"""Writing the rows of ``series.npy``: to fixed places, or one after another where series have their own lengths."""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from brainage.data.store.reading import Reading


@dataclass(frozen=True)
class Rows:
    """Rows of an existing file into which several processes write.

    The first row is `offset` bytes from the start; `shape` is that of a row, (n_components, n_times).
    """

    path: Path
    offset: int
    shape: tuple[int, int]

    def write(self, row: int, series: NDArray[np.float32]) -> int:
        """Write a row, numbered from 0; return its checksum."""
        data = np.ascontiguousarray(series, dtype=np.float32).data
        with self.path.open("r+b") as file:
            file.seek(self.offset + row * data.nbytes)
            file.write(data)
        return zlib.crc32(data)


def rows_in(path: Path, n_rows: int, reading: Reading) -> Rows | None:
    """Return the places of rows in a file; None if they are not known before the series are read."""
    if reading.n_times_of_row is None:
        return None
    shape = (reading.n_channels, reading.n_times_of_row)
    return Rows(path, len(header_of((n_rows, *shape))), shape)


def row_writer(path: Path, n_rows: int, reading: Reading) -> _FixedLength | _OwnLengths:
    """Return what writes `n_rows` rows, or fewer, in their order, behind the header of its `shape`.

    The shape is final once all are written and `finish` was called.
    """
    rows = rows_in(path, n_rows, reading)
    return _OwnLengths(reading.n_channels) if rows is None else _FixedLength(rows, n_rows)


class _FixedLength:
    """Series of one length; the gaps that exclusions leave are closed at the end."""

    def __init__(self, rows: Rows, n_rows: int) -> None:
        self._rows, self._kept = rows, list[int]()
        self.shape: tuple[int, ...] = (n_rows, *rows.shape)

    def write(self, _: BinaryIO, row: int, result: NDArray[np.float32] | int) -> int:
        """Write a series, or take the checksum of one that another process has written; return the checksum."""
        self._kept.append(row)
        return result if isinstance(result, int) else self._rows.write(row, result)

    def finish(self, file: BinaryIO) -> None:
        _close_gaps(file, self._kept, self._rows)
        self.shape = (len(self._kept), *self._rows.shape)

    def index(self) -> dict[str, Any]:
        return {}


class _OwnLengths:
    """Series of several lengths, one after another."""

    def __init__(self, n_channels: int) -> None:
        self._n_channels, self._lengths = n_channels, list[int]()

    @property
    def shape(self) -> tuple[int, ...]:
        return (self._n_channels * sum(self._lengths),)

    def write(self, file: BinaryIO, _: int, result: NDArray[np.float32] | int) -> int:
        if isinstance(result, int):
            raise TypeError("a series of its own length is written by one process")
        data = np.ascontiguousarray(result, dtype=np.float32).data
        file.write(data)
        self._lengths.append(result.shape[1])
        return zlib.crc32(data)

    def finish(self, file: BinaryIO) -> None:
        pass

    def index(self) -> dict[str, Any]:
        return {"lengths": self._lengths}


def _close_gaps(file: BinaryIO, kept: Sequence[int], rows: Rows) -> None:
    """Move rows up over the empty rows of excluded participants, and truncate the file."""
    size = 4 * math.prod(rows.shape)
    for row, former in enumerate(kept):
        if row != former:
            file.seek(rows.offset + former * size)
            data = file.read(size)
            file.seek(rows.offset + row * size)
            file.write(data)
    file.truncate(rows.offset + len(kept) * size)


def header_of(shape: tuple[int, ...]) -> bytes:
    """Return NumPy's header, which is padded so that its length does not depend on the number of rows."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return header.getvalue()
