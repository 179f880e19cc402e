"""Reading the columns of a cohort's table as text."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import pandas as pd

from brainage.data.cells import MISSING, kind_of
from brainage.data.cohorts.ids import ID_NAMES, bare_id
from brainage.data.cohorts.opening import open_table
from brainage.data.cohorts.rows import position_of
from brainage.errors import CohortError, nearest
from brainage.system.console import log, printable
from brainage.system.redaction import register

MAX_ROWS = 10_000_000
_NUMBERS = {"a decimal comma", "a whole number", "a number", "an empty cell", *(f"`{word}`" for word in MISSING)}


def read_header(path: Path, key: str = "cohort.phenotypes") -> list[str]:
    """Read the column names of a table and nothing else.

    Parameters
    ----------
    path : Path
        A table of any format that `read_columns` reads.
    key : str, default="cohort.phenotypes"
        The config key that names the table, for messages.
    """
    with open_table(path, key) as table:
        return table.header


def read_columns(path: Path, names: Iterable[str], key: str = "cohort.phenotypes") -> pd.DataFrame:
    """Read some columns of a table as text without surrounding white space; skip blank lines.

    Parameters
    ----------
    path : Path
        A table: text, Parquet, Feather or Excel.
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
        with open_table(path, key) as opened:
            positions = [position_of(name, opened.header, path) for name in names]
            for line, found in opened.rows(positions):
                lines.append(line)
                values.append([value.strip() for value in found])
                if len(lines) > MAX_ROWS:
                    raise CohortError(f"`{path}` must have at most {MAX_ROWS:,} rows. Remove the others.")
        if not lines:
            raise CohortError(f"`{path}` has a header but no rows. The table must have one row a participant.")
        table = pd.DataFrame(values, columns=names, index=lines, dtype="str")
        _check_encoding(table, path)
        if opened.decimal_commas:
            _replace_commas(table, path)
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
    """Raise CohortError with the nearest matches if a column is not among the known ones.

    Parameters
    ----------
    asked, known : collection of str
        Names of columns.
    label : str
        The table's name in messages.
    """
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


def _replace_commas(table: pd.DataFrame, path: Path) -> None:
    """Write the points of numbers with decimal commas, in columns that have no other numbers with a fraction."""
    found = [str(name) for name in table if has_decimal_commas(table[name])]
    mixed = [name for name in found if table[name].str.contains(".", regex=False).any()]
    if mixed:
        raise CohortError(
            f"`{path}`, column `{printable(mixed[0])}`: some numbers have a point and others a comma, so the "
            "meaning of the comma is not known. Write all with a point, or all with a comma."
        )
    for name in found:
        table[name] = table[name].str.replace(",", ".", regex=False)
    if found:
        log.info("`%s`: commas in the numbers of %d columns are decimal commas", path, len(found))


def has_decimal_commas(column: pd.Series) -> bool:
    """Return whether a column of text has numbers, or missing values, of which some have a decimal comma."""
    if not any("," in value for value in column):
        return False
    kinds = {kind_of(value) for value in column.unique()}
    return kinds <= _NUMBERS and "a decimal comma" in kinds
