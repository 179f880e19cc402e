"""Tables in text: their encoding, separators and header."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

from brainage.data.cohorts.lines import read_lines
from brainage.data.cohorts.rows import OpenTable
from brainage.data.encoding import encoding_of
from brainage.errors import CohortError

# Characters of a line: hundreds of times what UK Biobank's widest tables have.
_MAX_LINE = 64 * 2**20


@contextmanager
def text_table(file: IO[bytes], path: Path) -> Iterator[OpenTable]:
    """Open text, gzipped or not, as a table; rows are numbered as the file's lines.

    The columns are separated by tabs, commas or semicolons. With semicolons, numbers have decimal commas, as
    spreadsheets write them in languages with these.
    """
    with _text(file) as text:
        lines = _lines(text, path)
        first = next(lines, "").removeprefix("\ufeff")
        delimiter = _delimiter(first, path)
        header = [name.strip() for name in next(csv.reader([first], delimiter=delimiter, strict=True))]
        yield OpenTable(
            header, lambda positions: read_lines(lines, delimiter, len(header), positions, path), delimiter == ";"
        )


def _text(file: IO[bytes]) -> io.TextIOWrapper:
    gzipped = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    data = io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=file))) if gzipped else cast(BinaryIO, file)
    start = cast(io.BufferedReader, data).peek(4)
    # A stray byte of another encoding must not matter in a column that is not read.
    return io.TextIOWrapper(data, encoding=encoding_of(start), errors="replace", newline="")


def _lines(text: io.TextIOWrapper, path: Path) -> Iterator[str]:
    """Yield lines; raise CohortError where one is too long for a table, however small the gzip file is."""
    while line := text.readline(_MAX_LINE):
        if len(line) == _MAX_LINE:
            raise CohortError(
                f"`{path}` must have lines of at most {_MAX_LINE:,} characters, but one has more. Save the table as "
                "text with one line a participant."
            )
        yield line


def _delimiter(header: str, path: Path) -> str:
    if not header.strip():
        raise CohortError(f"`{path}` is empty, or its first line is. The first line must contain the column names.")
    if "\0" in header:
        kind = "but perhaps UTF-16 without a byte-order mark" if "\0" in header[:2] else "nor any other"
        raise CohortError(
            f"`{path}` is not UTF-8 text, {kind}. Save the table as comma or tab separated text in UTF-8."
        )
    if "\ufffd" in header:
        raise CohortError(
            f"`{path}` is not UTF-8 text: its column names are perhaps in Latin-1. Save the table in UTF-8 (`iconv -f "
            "latin1 -t utf-8`, if it is in Latin-1)."
        )
    bare = re.sub('"[^"]*"', "", header)
    if "\t" not in bare and 0 < bare.count(",") <= bare.count(";"):
        raise CohortError(
            f"The header of `{path}` has both commas and semicolons, so which of them separate the columns is not "
            "known. Put names with commas or semicolons in quotes."
        )
    for delimiter in "\t,;":
        if delimiter in bare:
            return delimiter
    if re.fullmatch(r"[\w.-]+", header.strip().strip("\"'")):  # a list of ids is a table of one column
        return ","
    raise CohortError(
        f"The header of `{path}` has neither tabs nor commas nor semicolons. Separate the columns by one of them."
    )
