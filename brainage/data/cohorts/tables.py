"""Reading the columns of a cohort's table as text."""

from __future__ import annotations

import csv
import difflib
import gzip
import io
import re
import zlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import pandas as pd

from brainage.errors import CohortError, MissingPathError, nearest


def read_header(path: Path, key: str = "cohort.phenotypes") -> list[str]:
    """Read the column names of a table and nothing else; see `read_columns`."""
    with _open_table(path, key) as (header, _):
        return header


def read_columns(path: Path, names: Iterable[str], key: str = "cohort.phenotypes") -> pd.DataFrame:
    """Read some columns of a table as text without surrounding white space; skip blank lines.

    Parameters
    ----------
    path : Path
        A table separated by tabs or commas, in UTF-8, quoted or not, gzipped or not.
    names : iterable of str
        Columns to keep; the header must have all of them.
    key : str, default="cohort.phenotypes"
        The config key that names the table, for messages.

    Returns
    -------
    DataFrame
        The index is the line number in the file.

    Raises
    ------
    CohortError, MissingPathError
        The file is not such a table, has a column twice, or a row and the header differ in length; or it is missing.
    """
    # Not pandas: given ``usecols``, it shifts the values of a line that has one too many, and it does not count blank
    # lines.
    names = list(dict.fromkeys(names))
    lines: list[int] = []
    values: list[list[str]] = []
    with _open_table(path, key) as (header, rows):
        positions = [_position(header, name, path) for name in names]
        for line, fields in rows:
            if not any(fields):
                continue
            if len(fields) != len(header):
                raise CohortError(
                    f"Row {line} of `{path}` has {len(fields)} values, but the header has {len(header)} names. Every "
                    "row must have one value a column: look for a missing or an extra separator in that row."
                )
            lines.append(line)
            values.append([fields[position].strip() for position in positions])
    if not lines:
        raise CohortError(f"`{path}` has a header but no rows. The table must have one row a participant.")
    return pd.DataFrame(values, columns=names, index=lines, dtype="str")


def check_columns(asked: Iterable[str], known: Collection[str], label: str) -> None:
    """Raise CohortError with the nearest matches if a column is not among the known ones.

    Column names that may be ids or values, because the file has no header, are not suggested.
    """
    for name in asked:
        if name not in known:
            id_like = re.compile(r"\W*(sub-)?\d{5,}\W*")
            choices = {choice for choice in known if choice.isprintable() and not id_like.fullmatch(choice)}
            if "participant_id" not in choices:
                choices = {choice for choice in choices if not re.search(r"\d", choice)}
            if len(choices) > 30 or "participant_id" not in choices:  # UK Biobank tables have thousands
                choices = set(difflib.get_close_matches(name, choices, n=5))
            hint = nearest(name, choices) if choices else "No column has a similar name."
            raise CohortError(f"{label} has no column `{name}`. The first line must contain the column names. {hint}")


def row_list(lines: Iterable[object], limit: int = 5) -> str:
    """Return the first line numbers as words, and how many more there are."""
    lines = list(lines)
    more = f" and {len(lines) - limit} more" if len(lines) > limit else ""
    return f"row{'s' if len(lines) > 1 else ''} {', '.join(str(line) for line in lines[:limit])}{more}"


@contextmanager
def _open_table(path: Path, key: str) -> Iterator[tuple[list[str], Iterator[tuple[int, list[str]]]]]:
    """Open a table; yield its header and its rows, each with the number of its first line."""
    try:
        with path.open("rb") as file, _text(file) as text:
            first = text.readline()
            delimiter = _delimiter(first, path)
            header = [name.strip() for name in next(csv.reader([first], delimiter=delimiter, strict=True))]
            yield header, _numbered(csv.reader(text, delimiter=delimiter, strict=True), path)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise CohortError(f"`{path}` is not a whole gzip file. Copy it again.") from None
    except csv.Error as error:
        raise CohortError(f"The header of `{path}` cannot be parsed: {error}. Correct its quotes.") from None
    except OSError as error:
        raise MissingPathError(
            f"The table `{path}` cannot be read: {error.strerror}. Name an existing file with `{key}=FILE`."
        ) from None


def _text(file: BinaryIO) -> io.TextIOWrapper:
    gzipped = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    data = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if gzipped else file
    # A stray byte of another encoding must not matter in a column that is not read.
    return io.TextIOWrapper(data, encoding="utf-8-sig", errors="replace", newline="")


def _delimiter(header: str, path: Path) -> str:
    if not header.strip():
        raise CohortError(f"`{path}` is empty, or its first line is. The first line must contain the column names.")
    if "\0" in header or "\ufffd" in header:
        raise CohortError(f"`{path}` is not UTF-8 text. Save the table as comma or tab separated text in UTF-8.")
    for delimiter in "\t,":
        if delimiter in header:
            return delimiter
    raise CohortError(f"The header of `{path}` has neither tabs nor commas. Separate the columns by one of them.")


def _numbered(reader: Iterator[list[str]], path: Path) -> Iterator[tuple[int, list[str]]]:
    line = 2
    try:
        for fields in reader:
            yield line, fields
            # A quoted value may contain line breaks, so a row may have several lines.
            line = reader.line_num + 2  # type: ignore[attr-defined]
    except csv.Error as error:
        raise CohortError(
            f"Row {line} of `{path}` cannot be parsed: {error}. A quoted value must end with a quote before the next "
            "separator, and a quote inside one is doubled."
        ) from None


def _position(header: list[str], name: str, path: Path) -> int:
    if header.count(name) > 1:
        raise CohortError(
            f"`{path}` has {header.count(name)} columns `{name}`, so which one to read is ambiguous. Remove or rename "
            "all but one."
        )
    return header.index(name)
