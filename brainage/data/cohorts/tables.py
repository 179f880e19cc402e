"""Reading the columns of a cohort's table as text."""

from __future__ import annotations

import csv
import difflib
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

import pandas as pd

from brainage.data.cohorts.ids import ID_NAMES, bare_id
from brainage.data.cohorts.lines import read_lines
from brainage.errors import CohortError, MissingPathError, nearest
from brainage.system.console import log, printable
from brainage.system.files import open_file
from brainage.system.redaction import register


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
    try:
        with _open_table(path, key) as (header, rows):
            positions = [_position(header, name, path) for name in names]
            for line, found in rows(positions):
                lines.append(line)
                values.append([value.strip() for value in found])
        if not lines:
            raise CohortError(f"`{path}` has a header but no rows. The table must have one row a participant.")
        table = pd.DataFrame(values, columns=names, index=lines, dtype="str")
        _check_encoding(table, path)
    except BaseException:  # its traceback may quote what was read so far
        for position in (position for position, name in enumerate(names) if name in ID_NAMES):
            register(bare_id(row[position]) for row in values)
        raise
    return table


def unique_names(header: Sequence[str], reserved: Collection[str], label: str) -> list[str]:
    """Return the columns that are not reserved; a name that several columns have is logged and left out."""
    counts = Counter(name for name in header if name and name not in reserved)
    repeated = [f"`{name}`" for name, count in counts.items() if count > 1]
    if repeated:
        more = f" and {len(repeated) - 5} more" if len(repeated) > 5 else ""
        log.warning(
            "%s has several columns of the name %s%s: none of them is used. Rename or remove all but one.",
            *(label, ", ".join(map(printable, repeated[:5])), more),
        )
    return [name for name, count in counts.items() if count == 1]


def check_columns(asked: Iterable[str], known: Collection[str], label: str) -> None:
    """Raise CohortError with the nearest matches if a column is not among the known ones."""
    for name in asked:
        if name not in known:
            raise CohortError(
                f"{label} has no column `{name}`. The first line must contain the column names. "
                f"{nearest_column(name, known)}"
            )


def nearest_column(name: str, known: Iterable[str]) -> str:
    """Return a sentence with the columns that are meant by a name that is none of them; see `named_columns`."""
    choices = set(named_columns(known))
    if len(choices) > 30 or "participant_id" not in choices:  # UK Biobank tables have thousands
        choices = set(difflib.get_close_matches(name, choices, n=5))
    return nearest(name, choices) if choices else "No column has a similar name."


def named_columns(header: Iterable[str]) -> list[str]:
    """Return the columns that messages may show: not what may be ids or values, because the file has no header."""
    shown = [name for name in header if name.isprintable() and not re.fullmatch(r"\W*(sub-)?\d{5,}\W*", name)]
    return shown if "participant_id" in shown else [name for name in shown if not re.search(r"\d", name)]


def row_list(lines: Iterable[object], limit: int = 5) -> str:
    """Return the first line numbers as words, and how many more there are."""
    lines = list(lines)
    more = f" and {len(lines) - limit} more" if len(lines) > limit else ""
    return f"row{'s' if len(lines) > 1 else ''} {', '.join(str(line) for line in lines[:limit])}{more}"


# Yields the values of each row at some positions, with the number of its first line.
_Rows = Callable[[Sequence[int]], Iterator[tuple[int, list[str]]]]


@contextmanager
def _open_table(path: Path, key: str) -> Iterator[tuple[list[str], _Rows]]:
    """Open a table; yield its header, and a function that reads its rows."""
    try:
        with open_file(path, "rb", follow=True) as file, _text(file) as text:
            first = text.readline().removeprefix("\ufeff")
            delimiter = _delimiter(first, path)
            header = [name.strip() for name in next(csv.reader([first], delimiter=delimiter, strict=True))]
            yield header, lambda positions: read_lines(text, delimiter, len(header), positions, path)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise CohortError(f"`{path}` is not a whole gzip file. Copy it again.") from None
    except csv.Error as error:
        raise CohortError(f"The header of `{path}` cannot be parsed: {error}. Correct its quotes.") from None
    except OSError as error:
        raise MissingPathError(
            f"The table `{path}` cannot be read: {error.strerror}. Name an existing file with `{key}=FILE`."
        ) from None


def _text(file: IO[bytes]) -> io.TextIOWrapper:
    gzipped = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    data = cast(BinaryIO, gzip.GzipFile(fileobj=file) if gzipped else file)
    # A stray byte of another encoding must not matter in a column that is not read.
    return io.TextIOWrapper(data, encoding="utf-8", errors="replace", newline="")


def _delimiter(header: str, path: Path) -> str:
    if not header.strip():
        raise CohortError(f"`{path}` is empty, or its first line is. The first line must contain the column names.")
    if "\0" in header or "\ufffd" in header:
        raise CohortError(f"`{path}` is not UTF-8 text. Save the table as comma or tab separated text in UTF-8.")
    for delimiter in "\t,":
        if delimiter in header:
            return delimiter
    if re.fullmatch(r"[\w.-]+", header.strip().strip("\"'")):  # a list of ids is a table of one column
        return ","
    raise CohortError(f"The header of `{path}` has neither tabs nor commas. Separate the columns by one of them.")


def _check_encoding(table: pd.DataFrame, path: Path) -> None:
    """Raise CohortError if a byte was replaced: two names that differ in it would be the same."""
    for name in table:
        wrong = table[name].str.contains("\ufffd", regex=False)
        if wrong.any():
            raise CohortError(
                f"`{path}`, column `{printable(str(name))}`: {int(wrong.sum())} values are not UTF-8 text, in "
                f"{row_list(table.index[wrong])}, so that different names could become the same. Save the table in "
                f"UTF-8 (`iconv -f latin1 -t utf-8`, if it is in Latin-1), or remove the column."
            )


def _position(header: list[str], name: str, path: Path) -> int:
    if header.count(name) > 1:
        raise CohortError(
            f"`{path}` has {header.count(name)} columns `{name}`, so which one to read is ambiguous. Remove or rename "
            "all but one."
        )
    return header.index(name)
