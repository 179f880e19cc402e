"""Values of some columns from the lines of a table."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from brainage.errors import CohortError

_QUOTE = ord('"')

# Columns for each one that is read, from which on a line is not split into all of its values.
_WIDE = 8


def read_lines(
    text: Iterator[str], delimiter: str, width: int, positions: Sequence[int], path: Path
) -> Iterator[tuple[int, list[str]]]:
    """Yield, of each row that is not blank, the number of its first line in the file, and the values at some positions.

    Raises CohortError if a row is not `width` values wide. Only lines in which a quote or a separator may be part of a
    value are parsed by the csv module. Of other lines of wide tables, only the wanted values become text.
    """
    number = 2
    for line in text:
        first = number
        number += 1
        if not line.strip(delimiter + "\r\n"):
            continue
        if width > _WIDE * len(positions) and (values := _picked(line, delimiter, width, positions)) is not None:
            yield first, values
            continue
        fields = [line]
        if '"' in line:
            reader = csv.reader(itertools.chain([line], text), delimiter=delimiter, strict=True)
            try:
                fields = next(reader)
            except csv.Error as error:
                raise CohortError(
                    f"Row {first} of `{path}` cannot be parsed: {error}. A quoted value must end with a quote before "
                    "the next separator, and a quote inside one is doubled."
                ) from None
            number = first + reader.line_num  # a quoted value may contain line breaks
            if not any(fields):
                continue
        else:
            fields = line.rstrip("\r\n").split(delimiter)
        if len(fields) != width:
            raise CohortError(
                f"Row {first} of `{path}` has {len(fields)} values, but the header has {width} names. Every row must "
                "have one value a column: look for a missing or an extra separator in that row."
            )
        yield first, [fields[position] for position in positions]


def _picked(line: str, delimiter: str, width: int, positions: Sequence[int]) -> list[str] | None:
    """Return values of a line in which each separator separates and each quote encloses a value; None for others."""
    data = line.rstrip("\r\n").encode() + delimiter.encode()
    content = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(content == ord(delimiter))
    if len(ends) != width:
        return None
    starts = np.concatenate(([0], ends[:-1] + 1))
    if n_quotes := data.count(b'"'):
        quoted = content[starts] == _QUOTE
        closed = (content[ends - 1] == _QUOTE) & (ends - starts > 1)
        if (quoted != closed).any() or n_quotes != 2 * quoted.sum() or n_quotes == len(data) - width:
            return None  # the last: perhaps all values are empty
        starts, ends = starts + quoted, ends - quoted
    return [data[starts[position] : ends[position]].decode() for position in positions]
