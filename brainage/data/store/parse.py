"""Numbers from the bytes of a participant's file, and where in it something else is."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from brainage.data.cells import MISSING, kind_of
from brainage.data.encoding import encoding_of
from brainage.errors import SeriesError

FloatArray = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Recording:
    """One scan as its file has it.

    Parameters
    ----------
    values : array of shape (n_rows, n_columns)
        float64; NaN where the file has no number.
    column_names, row_names : tuple of str or None
        The names that stand in the file.
    t_r : float or None
        The repetition time, in seconds, if it is known.
    rows_are_times : bool, default=False
        Whether a row is a time point, whatever the modality says of files.
    """

    values: FloatArray
    column_names: tuple[str, ...] | None = None
    row_names: tuple[str, ...] | None = None
    t_r: float | None = None
    rows_are_times: bool = False


def recording_of(raw: Recording | FloatArray) -> Recording:
    """Return what a scan's `read` returned as a Recording; the rows of an array are time points."""
    return raw if isinstance(raw, Recording) else Recording(raw, rows_are_times=True)


# Numbers of one participant; 4,800 time points of 1,000 parcels take half of it as text.
MAX_BYTES = 256 * 2**20
_CHUNK = 2**20
# Rising numbers that chance does not make.
_MIN_COUNTED = 5
# Characters of a number, on average, from which pandas is faster than NumPy.
_LONG = 18


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


def parse_text(data: bytes, delimiter: str | None = None) -> Recording:
    """Parse a table of numbers, or raise SeriesError; None as delimiter splits at any white space.

    Lines that begin with ``#`` are comments, of which the last before the numbers may name the columns, as AFNI writes
    it. A first line of names or of column numbers, such as labels of an atlas, is a header; a first column of text, or
    one without a name in the header, names the rows. Empty cells and words such as ``n/a`` are NaN. A first column of
    equal steps, such as numbers of lines or times, is an index and left out.
    """
    try:
        text = data.decode(encoding_of(data))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SeriesError("not a text file", f"bytes that are not UTF-8, perhaps Latin-1, in line {line}") from None
    if "\0" in text:
        raise SeriesError("not a text file", f"NUL bytes in line {text[: text.index(chr(0))].count(chr(10)) + 1}")
    lines = text.split("\n")
    start, names = _header(lines, delimiter)
    if names is None and not lines[0].startswith("#"):
        with suppress(ValueError):
            return _without_index(_plain_numbers(lines[start:], delimiter))
    return _parse_table(lines, start, names, delimiter)


def _plain_numbers(lines: list[str], delimiter: str | None) -> FloatArray:
    """Return a table of numbers and nothing else, or raise ValueError.

    Both parsers round correctly. Pandas is faster than NumPy where numbers have more than 15 digits, as numpy.savetxt
    writes them, and slower where they have the 10 of FSL.
    """
    fields, text = lines[0].split(delimiter), "\n".join(lines)
    is_long = len("".join(fields)) >= _LONG * len(fields)
    if is_long and not any(mark in text for mark in '"\r'):  # which pandas reads in another way
        with suppress(ValueError):
            values = _by_pandas(text, delimiter)
            if np.isfinite(values).all():  # NaN is also what pandas has for a value that a line lacks
                return values
    # A list of lines is read slightly faster than a stream.
    return np.loadtxt(lines, ndmin=2, comments=None, delimiter=delimiter)


def _by_pandas(text: str, delimiter: str | None) -> FloatArray:
    """Return a table of numbers, or raise ValueError; missing values are NaN."""
    import pandas as pd  # here, because worker processes import this module and seldom need it

    table = pd.read_csv(
        io.BytesIO(text.encode()),
        sep=delimiter or r"\s+",
        header=None,
        dtype=np.float64,
        na_values=[*MISSING],
        low_memory=False,  # in one piece, which is faster
    )
    return table.to_numpy()


def _header(lines: list[str], delimiter: str | None) -> tuple[int, list[str] | None]:
    """Return the index of the first line of numbers, and the columns' names if there are any."""
    start, comment = 0, None
    while start < len(lines) and (not lines[start].strip() or lines[start].startswith("#")):
        comment = lines[start] if lines[start].strip() else comment
        start += 1
    if start == len(lines):
        raise SeriesError("empty file", "" if comment is None else "only comments")
    following = next((line for line in lines[start + 1 :] if line.strip()), "")
    if _is_header(lines[start], delimiter) or _has_labels(lines[start], following, delimiter):
        if not following:
            raise SeriesError("empty file", "only a header line")
        names = [name.strip().strip('"') for name in lines[start].split(delimiter)]
        return start + 1, names if _names(names) else None
    named = [name.strip().removeprefix("#").strip() for name in comment.split(delimiter)] if comment else []
    return start, named if _names(named) and len(named) == len(lines[start].split(delimiter)) else None


def _parse_table(lines: list[str], start: int, names: list[str] | None, delimiter: str | None) -> Recording:
    """Parse what has names, missing values or comments, by pandas."""
    if delimiter is None and _has_single_tabs(lines[start], lines):
        delimiter = "\t"  # read faster than white space
    numbered = [(n, line) for n, line in enumerate(lines, start=1) if n > start and line.strip() and line[0] != "#"]
    width = _width(numbered, delimiter)
    first = numbered[0][1].split(delimiter)
    labelled = width > 1 and not _is_value(first[0]) and _is_value(first[1])
    if names is not None and len(names) not in ((width, width - 1) if labelled or names[0] else (width,)):
        raise SeriesError("lines of different length", f"{len(names)} names, {width} values in line {numbered[0][0]}")
    labelled = labelled or (names is not None and (not names[0] or len(names) < width))
    bare, rows = [line for _, line in numbered], None
    if labelled:
        divided = [line.lstrip().split(delimiter, 1) for line in bare]
        rows, bare = _names([label.strip().strip('"') for label, _ in divided]), [values for _, values in divided]
    try:
        values = _by_pandas("\n".join(bare), delimiter)
    except ValueError:
        raise _fault(numbered, delimiter, labelled) from None
    return _without_index(values, names or [], rows)


def _without_index(values: FloatArray, names: Sequence[str] = (), rows: tuple[str, ...] | None = None) -> Recording:
    """Return values without a first column that rises by equal steps, rounded to a tenth of one, unlike the second."""
    if len(values) >= _MIN_COUNTED and values.shape[1] > 1 and _rises_evenly(values[:, 0]):
        values = values if _rises_evenly(values[:, 1]) else values[:, 1:]
    return Recording(values, _names(list(names[-values.shape[1] :])), rows)


def _rises_evenly(values: FloatArray) -> bool:
    with np.errstate(all="ignore"):  # infinite, or very large
        step = (values[-1] - values[0]) / (len(values) - 1)
        error = np.abs(values - values[0] - step * np.arange(len(values))).max()
    return bool(step > 0 and error <= step / 10)


def _has_single_tabs(first: str, lines: list[str]) -> bool:
    """Return whether values are separated by one tab each, as in the first line of them."""
    return "\t" in first.strip() == first and "\t\t" not in first and not any(" " in line for line in lines)


def _names(names: list[str]) -> tuple[str, ...] | None:
    """Return names; None where there are none, or only numbers from 0 or 1."""
    counted = [str(number) for number in range(len(names) + 1)]
    return None if names in (counted[:-1], counted[1:]) else tuple(names)


def parse_npy(data: bytes) -> Recording:
    """Return the array of an ``.npy`` file, or raise SeriesError; its header is checked against its size."""
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
    return Recording(array.astype(np.float64))


def _is_header(line: str, delimiter: str | None) -> bool:
    """Return whether a line has column numbers, as pandas writes them, or names; that of an index may be empty."""
    fields = [field.strip() for field in line.split(delimiter)]
    bare = [field.strip('"') for field in fields]
    bare = bare[1:] if not bare[0] else bare
    numbers = [str(number) for number in range(len(bare) + 1)]
    if delimiter is not None and len(bare) > 1 and bare in (numbers[:-1], numbers[1:]):
        return True
    return bool(bare) and not any(_is_value(field) for field in bare)


def _has_labels(line: str, following: str, delimiter: str | None) -> bool:
    """Return whether a line has rising whole numbers, above one that has others; the first may be a word."""
    fields = [field.strip().strip('"') for field in line.split(delimiter)]
    labels = fields if is_number(fields[0]) else fields[1:]
    if len(labels) < _MIN_COUNTED or not all(map(str.isdecimal, labels)) or "." not in following:
        return False
    numbers = list(map(int, labels))
    return numbers == sorted(set(numbers))


def _is_value(field: str) -> bool:
    """Return whether a field is a number or stands for a missing one."""
    field = field.strip().strip('"')
    return is_number(field) or not field or field.casefold() in MISSING


def is_number(field: str) -> bool:
    """Return whether text is one number."""
    try:
        float(field)
    except ValueError:
        return False
    return "_" not in field  # Python reads 4_5 as 45


def _width(numbered: list[tuple[int, str]], delimiter: str | None) -> int:
    """Return how many fields each line has; raise SeriesError if they differ."""
    first = numbered[0][1] if numbered else ""
    if delimiter is not None and numbered:
        n_found = "\n".join(line for _, line in numbered).count(delimiter)
        if n_found == len(numbered) * first.count(delimiter):  # a line with more is an error of pandas
            return first.count(delimiter) + 1
    width = None
    for index, (number, line) in enumerate(numbered):
        found = len(line.split()) if delimiter is None else line.count(delimiter) + 1
        width = width or found
        if found != width:
            reason = f"{found} values in line {number}, {width} before"
            raise _fault(numbered[:index], delimiter, True, SeriesError("lines of different length", reason))
    if width is None:
        raise SeriesError("empty file")
    return width


def _fault(
    numbered: list[tuple[int, str]], delimiter: str | None, labelled: bool, otherwise: SeriesError | None = None
) -> SeriesError:
    """Return what is wrong in the first line that cannot be read."""
    for number, line in numbered:
        for column, field in enumerate(line.split(delimiter), start=1):
            if not (_is_value(field) or (labelled and column == 1)):
                return SeriesError(
                    "not a number where a number belongs", f"{kind_of(field)} in line {number}, column {column}"
                )
    return otherwise or SeriesError("not a number where a number belongs")
