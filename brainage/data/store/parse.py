"""Numbers from the bytes of a participant's file, and where in it something else is."""

from __future__ import annotations

import io
import math
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from brainage.data.cells import kind_of
from brainage.errors import SeriesError

FloatArray = NDArray[np.floating[Any]]

# Numbers of one participant; 4,800 time points of 1,000 parcels take half of it as text.
MAX_BYTES = 256 * 2**20
_CHUNK = 2**20


def read_bounded(stream: BinaryIO) -> bytes:
    """Read a stream to its end; raise SeriesError once it has more than `MAX_BYTES`, however small its file is."""
    chunks: list[bytes] = []
    room = MAX_BYTES
    while chunk := stream.read(_CHUNK):
        chunks.append(chunk)
        room -= len(chunk)
        if room < 0:
            raise SeriesError("too large", f"more than {MAX_BYTES / 2**20:.0f} MB of numbers")
    return b"".join(chunks)


def parse_text(data: bytes, delimiter: str | None = None) -> FloatArray:
    """Parse numbers, one line a time point, into float64 of shape (n_times, n_components), or raise SeriesError.

    With a delimiter, a first line of names or of column numbers, from 0 or 1, is a header. None splits at any white
    space.
    """
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SeriesError("not a text file", f"bytes that are not ASCII in line {line}") from None
    if not text.strip():
        raise SeriesError("empty file")
    lines = text.split("\n")
    n_header = 0
    if delimiter is not None and _is_header(lines[0], delimiter):
        n_header = 1
        if not any(line.strip() for line in lines[1:]):
            raise SeriesError("empty file", "only a header line")
    try:
        # numpy reads a list of lines slightly faster than a stream.
        return np.loadtxt(lines[n_header:], ndmin=2, comments=None, delimiter=delimiter)
    except ValueError:
        raise _fault(lines[n_header:], delimiter, n_header) from None


def parse_npy(data: bytes) -> FloatArray:
    """Return the array of an ``.npy`` file as float64, or raise SeriesError; its header is checked against its size."""
    file = io.BytesIO(data)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    version = np.lib.format.read_magic(file)
    if version not in readers:  # 3.0 is for columns with names
        raise SeriesError("not a table of numbers", f"format {version[0]}.{version[1]}")
    shape, in_columns, dtype = readers[version](file)
    if dtype.hasobject:
        raise SeriesError("unreadable file", "pickled objects, which are never opened")
    if len(shape) != 2 or dtype.kind not in "fiu":
        raise SeriesError("not a table of numbers", f"{len(shape)} axes of {dtype}")
    n_values, found = math.prod(shape), len(data) - file.tell()
    if min(shape) < 0 or n_values * dtype.itemsize > found:
        claimed = f"{shape[0]} x {shape[1]} values of {dtype.itemsize} bytes"
        raise SeriesError("unreadable file", f"its header has {claimed}, but {found} bytes follow")
    array = np.frombuffer(data, dtype, n_values, file.tell()).reshape(shape, order="F" if in_columns else "C")
    return array.astype(np.float64)


def _is_header(line: str, delimiter: str) -> bool:
    """Return whether a line has column numbers, as pandas writes them, or names: no field is empty or a number."""
    fields = [field.strip() for field in line.split(delimiter)]
    bare = [field.strip('"') for field in fields]
    numbers = [str(number) for number in range(len(fields) + 1)]
    if len(fields) > 1 and bare in (numbers[:-1], numbers[1:]):
        return True
    return not any(_is_number(field) or not field for field in fields)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return "_" not in field  # Python reads 4_5 as 45


def _fault(lines: list[str], delimiter: str | None, n_header: int) -> SeriesError:
    """Return what is wrong in the first line that cannot be read."""
    width = None
    for number, line in enumerate(lines, start=n_header + 1):
        if not line.strip():
            continue
        fields = [field.strip() for field in line.split(delimiter)]
        width = width or len(fields)
        if len(fields) != width:
            return SeriesError("lines of different length", f"{len(fields)} values in line {number}, {width} before")
        for column, field in enumerate(fields, start=1):
            if not _is_number(field):
                return SeriesError(
                    "not a number where a number belongs", f"{kind_of(field)} in line {number}, column {column}"
                )
    return SeriesError("not a number where a number belongs")
