"""Reading a cohort's table: its columns as text, and what their words mean."""

from __future__ import annotations

import csv
import difflib
import gzip
import io
import math
import re
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from brainage.errors import CohortError, MissingPathError, nearest
from brainage.system.console import printable
from brainage.system.redaction import register

STANDARD_COLUMNS = ("participant_id", "age", "sex", "site", "head_motion", "family_id")
"""Names that mean the same in every cohort; every other column is a phenotype."""

_MISSING = frozenset({"", "n/a", "na", "nan"})
_SEXES = {"0": 0.0, "0.0": 0.0, "female": 0.0, "f": 0.0, "1": 1.0, "1.0": 1.0, "male": 1.0, "m": 1.0}


def read_header(path: Path, key: str = "cohort.phenotypes") -> list[str]:
    """Read a table's column names, and nothing else of it.

    Parameters
    ----------
    path : Path
        A table separated by tabs or commas, UTF-8, quoted or not, gzipped or not.
    key : str, default="cohort.phenotypes"
        Where the config names it, for messages.

    Raises
    ------
    CohortError
        The file is empty or is not such a table.
    MissingPathError
        The file does not exist or cannot be read.
    """
    with _open_table(path, key) as (header, _):
        return header


def read_columns(path: Path, names: Iterable[str], key: str = "cohort.phenotypes") -> pd.DataFrame:
    """Read some columns of a table, as text.

    The csv module rather than pandas: with ``usecols`` pandas reads a line that has a value too many without a word,
    its later values under the wrong names, and its row numbers are not line numbers where lines are blank.

    Parameters
    ----------
    path : Path
        See `read_header`.
    names : iterable of str
        Columns to keep, all of them in the header.
    key : str, default="cohort.phenotypes"
        See `read_header`.

    Returns
    -------
    DataFrame
        Text without surrounding white space; the index is the line number in the file. Blank lines are left out.

    Raises
    ------
    CohortError
        A column is there twice, a line has more or fewer values than the header, or there are no rows.
    MissingPathError
        The file does not exist or cannot be read.
    """
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
                    "row must have one value a column: look for a separator too many or too few in that row."
                )
            lines.append(line)
            values.append([fields[position].strip() for position in positions])
    if not lines:
        raise CohortError(f"`{path}` has a header but no rows. The table must have one row a participant.")
    return pd.DataFrame(values, columns=names, index=lines, dtype="str")


@contextmanager
def _open_table(path: Path, key: str) -> Iterator[tuple[list[str], Iterator[tuple[int, list[str]]]]]:
    """Open a table; yield its header and its rows, each with the line that it begins at."""
    try:
        with path.open("rb") as file, _text(file) as text:
            first = text.readline()
            delimiter = _delimiter(first, path)
            header = [name.strip() for name in next(csv.reader([first], delimiter=delimiter, strict=True))]
            yield header, _numbered(csv.reader(text, delimiter=delimiter, strict=True), path)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise CohortError(f"`{path}` is not a whole gzip file. Copy it again.") from None
    except csv.Error as error:
        raise CohortError(f"The header of `{path}` cannot be parsed: {error}. Mend its quotes.") from None
    except OSError as error:
        raise MissingPathError(
            f"The table `{path}` cannot be read: {error.strerror}. Name an existing file with `{key}=FILE`."
        ) from None


def _text(file: BinaryIO) -> io.TextIOWrapper:
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    data = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if packed else file
    # Among thousands of columns that nobody reads, one stray byte of another encoding must not matter.
    return io.TextIOWrapper(data, encoding="utf-8-sig", errors="replace", newline="")


def _delimiter(header: str, path: Path) -> str:
    if not header.strip():
        raise CohortError(f"`{path}` is empty, or its first line is. The first line must hold the column names.")
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
            # A quoted value may hold line breaks, so a row may be several lines.
            line = reader.line_num + 2  # type: ignore[attr-defined]
    except csv.Error as error:
        raise CohortError(
            f"Row {line} of `{path}` cannot be parsed: {error}. A quoted value must end with a quote before the next "
            "separator, and a quote inside one is doubled."
        ) from None


def _position(header: list[str], name: str, path: Path) -> int:
    if header.count(name) > 1:
        raise CohortError(
            f"`{path}` has {header.count(name)} columns `{name}`, and which of them to read is not known. Remove or "
            "rename all but one."
        )
    return header.index(name)


def check_columns(asked: Iterable[str], known: Collection[str], label: str) -> None:
    """Raise a CohortError that names the nearest match unless all columns asked for are known.

    Parameters
    ----------
    asked : iterable of str
        Columns that somebody wants.
    known : collection of str
        Columns that there are.
    label : str
        What messages call the table, such as its path in backticks.

    Raises
    ------
    CohortError
        The first column that is missing.
    """
    for name in asked:
        if name not in known:
            # A bare number of this length is nobody's column but somebody's id.
            hidden = re.compile(r"\W*(sub-)?\d{5,}\W*")
            choices = {choice for choice in known if choice.isprintable() and not hidden.fullmatch(choice)}
            if "participant_id" not in choices:
                # The first line may hold values instead of names, and those are nobody's business.
                choices = {choice for choice in choices if not re.search(r"\d", choice)}
            if len(choices) > 30 or "participant_id" not in choices:  # UK Biobank tables have thousands
                choices = set(difflib.get_close_matches(name, choices, n=5))
            hint = nearest(name, choices) if choices else "No column has a similar name."
            raise CohortError(f"{label} has no column `{name}`. The first line must hold the column names. {hint}")


def participant_ids(column: pd.Series, label: str) -> pd.Series:
    """Return ids in the one form that they have everywhere: text without a ``sub-`` prefix.

    Parameters
    ----------
    column : Series
        Ids; the index is the line number in the table.
    label : str
        What messages call the table.

    Raises
    ------
    CohortError
        An id is empty, or has become a rounded number such as ``1.5e+06``.
    """
    ids = column.astype("str").str.strip().map(bare_id, na_action="ignore").astype("str")
    empty = ids.isna() | ids.str.casefold().isin(_MISSING)
    if empty.any():
        raise CohortError(
            f"{label}, column `{column.name}`: the id is empty in {row_list(column.index[empty])}. Every row must name "
            "its participant: fill the ids in or remove the rows."
        )
    rounded = ids.map(is_rounded)
    if rounded.any():
        raise CohortError(
            f"{label}, column `{column.name}`: a spreadsheet or R has made numbers with a point or an exponent of the "
            f"ids in {row_list(column.index[rounded])}. Export the table again with the ids as text."
        )
    register(ids)
    return ids


def ages(column: pd.Series, label: str) -> pd.Series:
    """Return ages in years; NaN where the table has none. Their range is for `usable_people` to check.

    Parameters
    ----------
    column : Series
        Numbers or text; the index is the line number in the table.
    label : str
        What messages call the table.

    Raises
    ------
    CohortError
        Some text is not a number.
    """
    values, unreadable = _floats(column)
    _refuse_words(column, unreadable, label, "a number of years")
    return values


def numbers(column: pd.Series, label: str) -> pd.Series:
    """Return finite numbers; NaN where the table has none.

    Parameters
    ----------
    column : Series
        Numbers or text; the index is the line number in the table.
    label : str
        What messages call the table.

    Raises
    ------
    CohortError
        Some text is not a number, or a number is infinite.
    """
    values, unreadable = _floats(column)
    _refuse_words(column, unreadable | values.isin([math.inf, -math.inf]), label, "a finite number")
    return values


def labels(column: pd.Series) -> pd.Series:
    """Return text; NaN where the table has none.

    Parameters
    ----------
    column : Series
        Sites, families and other names.
    """
    text = column.astype("str").str.strip()
    return text.mask(text.str.casefold().isin(_MISSING))


def phenotype(column: pd.Series) -> pd.Series:
    """Return numbers if all values are numbers, text otherwise; NaN where the table has none.

    Parameters
    ----------
    column : Series
        Any column.
    """
    values, unreadable = _floats(column)
    return labels(column) if unreadable.any() else values


def standard_table(columns: Mapping[str, pd.Series], label: str) -> pd.DataFrame:
    """Bring the columns that every cohort knows into the form that they have everywhere.

    Parameters
    ----------
    columns : mapping of str to Series
        Text, by the name in `STANDARD_COLUMNS`; a Series' own name is the one that the table has for it.
    label : str
        What messages call the table.

    Returns
    -------
    DataFrame
        See `CohortReader.read_table`.

    Raises
    ------
    CohortError
        A column cannot be used.
    """
    readers: dict[str, Callable[[pd.Series, str], pd.Series]] = {
        "participant_id": participant_ids,
        "age": ages,
        "sex": sex_codes,
        "head_motion": numbers,
    }
    table = {name: readers[name](column, label) for name, column in columns.items() if name in readers}
    for name in ("site", "family_id"):
        if name in columns:
            # Beside empty cells pandas writes the code 11025 as 11025.0.
            table[name] = labels(columns[name]).str.replace(r"^(\d+)\.0+$", r"\1", regex=True)
    return pd.DataFrame({name: table[name] for name in STANDARD_COLUMNS if name in table})


def people_without_ages(ids: Iterable[str]) -> pd.DataFrame:
    """Return the table of people of whom nothing is known but that they have a file.

    Parameters
    ----------
    ids : iterable of str
        In the one form that ids have.
    """
    people = sorted(ids)
    table = pd.DataFrame({"participant_id": pd.Series(people, dtype="str"), "age": math.nan})
    return table.set_index(pd.RangeIndex(1, len(people) + 1))


def sex_codes(column: pd.Series, label: str) -> pd.Series:
    """Return 0 for female, 1 for male, NaN where the table has none.

    Parameters
    ----------
    column : Series
        0 and 1, as numbers or text, or Female and Male, or F and M, in any case.
    label : str
        What messages call the table.

    Raises
    ------
    CohortError
        Another value, such as a 2.
    """
    text = labels(column)
    codes = text.str.casefold().map(_SEXES).astype("float64")
    unknown = text[text.notna() & codes.isna()]
    if unknown.size:
        raise CohortError(
            f"{label}, column `{column.name}`: sex must be 0 or 1, Female or Male, or F or M (female is 0), but "
            f"{row_list(unknown.index)} {'has' if unknown.size == 1 else 'have'} {_values(unknown, 5)}. Recode the "
            "column, and leave empty what is not known."
        )
    return codes


def bare_id(text: str) -> str:
    """Return an id in the one form it has everywhere: no quotes, no ``sub-``."""
    bare = text.strip("\"'").strip().removeprefix("sub-")
    # What a spreadsheet or pandas makes of whole numbers beside an empty cell.
    return bare[: bare.index(".")] if re.fullmatch(r"\d+\.0+", bare) else bare


def is_rounded(text: str) -> bool:
    """Tell whether a spreadsheet made a number of an id, and maybe another one."""
    return re.fullmatch(r"[-+]?\d+(\.\d*([eE][-+]?\d+)?|[eE]\+\d+)", text) is not None


def _floats(column: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return the numbers and where there is text that is no number."""
    if is_numeric_dtype(column) and not is_bool_dtype(column):
        return column.astype("float64"), pd.Series(False, index=column.index)
    text = labels(column)
    known = {value: _float(value) for value in text.dropna().unique()}
    values = text.map(known).astype("float64")
    return values, text.notna() & values.isna()


def _float(text: str) -> float:
    try:
        return math.nan if "_" in text else float(text)  # Python reads 4_5 as 45
    except ValueError:
        return math.nan


def _refuse_words(column: pd.Series, wrong: pd.Series, label: str, rule: str) -> None:
    if wrong.any():
        raise CohortError(
            f"{label}, column `{column.name}`: {int(wrong.sum())} of {len(column)} values are not {rule}, in "
            f"{row_list(column.index[wrong])}: {_values(column[wrong], 3)}. Write a number there, or leave it empty."
        )


def _values(column: pd.Series, limit: int) -> str:
    # Numbers are hidden: where columns are shifted, these values are ids.
    distinct = list(dict.fromkeys(re.sub(r"\d\d+", "##", printable(str(value)[:30])) for value in column))
    more = f" and {len(distinct) - limit} more" if len(distinct) > limit else ""
    return ", ".join(f"`{value}`" for value in distinct[:limit]) + more


def row_list(lines: Iterable[object], limit: int = 5) -> str:
    """Return the first line numbers in words, and how many more there are."""
    lines = list(lines)
    more = f" and {len(lines) - limit} more" if len(lines) > limit else ""
    return f"row{'s' if len(lines) > 1 else ''} {', '.join(str(line) for line in lines[:limit])}{more}"
