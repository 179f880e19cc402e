"""Parsing the columns of a table: ids, ages, sex, numbers and names from their many spellings."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from brainage.data.cells import kind_of
from brainage.data.cohorts.ids import bare_id, is_rounded
from brainage.data.cohorts.tables import has_decimal_commas, row_list
from brainage.errors import CohortError
from brainage.system.console import log, printable
from brainage.system.redaction import register

STANDARD_COLUMNS = ("participant_id", "age", "sex", "site", "head_motion", "family_id", "t_r")
"""Names that mean the same in every cohort; every other column is a phenotype."""

_MISSING = frozenset({"", "n/a", "na", "nan"})
SEXES = {"0": 0.0, "0.0": 0.0, "female": 0.0, "f": 0.0, "1": 1.0, "1.0": 1.0, "male": 1.0, "m": 1.0}
"""Codes of sex, by its text in any case."""


def standard_table(columns: Mapping[str, pd.Series], label: str, sexes: Mapping[str, float] = SEXES) -> pd.DataFrame:
    """Parse the columns that have the same meaning in every cohort.

    Parameters
    ----------
    columns : mapping of str to Series
        Text, by the name in `STANDARD_COLUMNS`; a Series keeps the name that it has in the table.
    label : str
        The table's name in messages, such as its path in backticks.
    sexes : mapping of str to float
        Codes of sex, by their text.

    Raises
    ------
    CohortError
        A value cannot be used.
    """
    parsers: dict[str, Callable[[pd.Series, str], pd.Series]] = {
        "participant_id": participant_ids,
        "age": ages,
        "sex": partial(sex_codes, sexes=sexes),
        "head_motion": numbers,
        "t_r": seconds,
    }
    table = {name: parsers[name](column, label) for name, column in columns.items() if name in parsers}
    for name in ("site", "family_id"):
        if name in columns:
            # pandas writes the code 11025 as 11025.0 where a cell of the column is empty.
            table[name] = labels(columns[name]).str.replace(r"^(\d+)\.0+$", r"\1", regex=True)
    return pd.DataFrame({name: table[name] for name in STANDARD_COLUMNS if name in table})


def table_without_ages(ids: Iterable[str]) -> pd.DataFrame:
    """Return a table of participants with known ids and unknown ages."""
    ids = sorted(ids)
    register(ids)
    table = pd.DataFrame({"participant_id": pd.Series(ids, dtype="str"), "age": math.nan})
    return table.set_index(pd.RangeIndex(1, len(ids) + 1))


def participant_ids(column: pd.Series, label: str) -> pd.Series:
    """Return ids in their one form, text without ``sub-``, and register them for redaction.

    Parameters
    ----------
    column : Series
        Ids as text.
    label : str
        The table's name in messages.

    Raises
    ------
    CohortError
        An id is empty, or has become a rounded number such as ``1.5e+06``.
    """
    ids = column.astype("str").str.strip().map(bare_id, na_action="ignore").astype("str")
    empty = ids.isna() | ids.str.casefold().isin(_MISSING)
    register(ids[~empty])  # before anything can fail
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
    return ids


def ages(column: pd.Series, label: str) -> pd.Series:
    """Return ages in years, NaN where missing; raise CohortError if a value is not a number.

    `brainage.data.cohorts.checks.check_age_range` checks their range after the selection.
    """
    values, unreadable = _floats(column)
    _refuse(column, unreadable, label, "a number of years")
    return values


def numbers(column: pd.Series, label: str) -> pd.Series:
    """Return finite numbers, NaN where missing; raise CohortError if a value is not one."""
    values, unreadable = _floats(column)
    _refuse(column, unreadable | values.isin([math.inf, -math.inf]), label, "a finite number")
    return values


def seconds(column: pd.Series, label: str) -> pd.Series:
    """Return durations in seconds, NaN where missing; raise CohortError if a value is not above 0."""
    values = numbers(column, label)
    _refuse(column, values <= 0, label, "above 0 seconds")
    return values


def labels(column: pd.Series) -> pd.Series:
    """Return text, NaN where missing."""
    text = column.astype("str").str.strip()
    return text.mask(text.str.casefold().isin(_MISSING))


def warn_of_commas(columns: pd.DataFrame, label: str) -> None:
    """Warn of columns of numbers that are text because of decimal commas."""
    found = [f"`{printable(str(name))}`" for name in columns if has_decimal_commas(columns[name])]
    if found:
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        log.warning(
            "%s: numbers with a decimal comma are text, in %s%s. Write points, or separate the columns by semicolons.",
            *(label, ", ".join(found[:5]), more),
        )


def phenotype(column: pd.Series) -> pd.Series:
    """Return numbers if all values are numbers, otherwise text; NaN where missing.

    Parameters
    ----------
    column : Series
        Values as text.
    """
    values, unreadable = _floats(column)
    return labels(column) if unreadable.any() else values


def sex_codes(column: pd.Series, label: str, sexes: Mapping[str, float] = SEXES) -> pd.Series:
    """Return 0 for female, 1 for male, NaN where missing; raise CohortError for any other value.

    Accepted are the keys of `sexes`, as numbers or text in any case: 0 and 1, Female and Male, F and M.
    """
    text = labels(column)
    bare = text.str.casefold().str.replace(r"\.0+$", "", regex=True)  # pandas writes 1.0 where a cell is empty
    codes = bare.map(sexes).astype("float64")
    unknown = text[text.notna() & codes.isna()]
    if unknown.size:
        rule = "0 or 1, Female or Male, or F or M (female is 0)" if sexes is SEXES else "one of `cohort.sex_codes`"
        raise CohortError(
            f"{label}, column `{column.name}`: sex must be {rule}, but {row_list(unknown.index)} "
            f"{'has' if unknown.size == 1 else 'have'} something else: {_kinds(unknown)}. Leave unknown values empty, "
            "and name the table's codes, such as 'cohort.sex_codes={1: male, 2: female}', or recode the column."
        )
    return codes


def _floats(column: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return the values as numbers, and where a value is text but not a number."""
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


def _refuse(column: pd.Series, wrong: pd.Series, label: str, rule: str) -> None:
    if wrong.any():
        kinds = _kinds(column[wrong])
        step = "Write a number there, or leave it empty."
        if kinds == "a decimal comma":
            step = "Write points, or separate the columns by semicolons."
        raise CohortError(
            f"{label}, column `{column.name}`: {int(wrong.sum())} of {len(column)} values are not {rule}, in "
            f"{row_list(column.index[wrong])}: {kinds}. {step}"
        )


def _kinds(column: pd.Series) -> str:
    """Return the kinds of a column's values; where columns are shifted, the values are ids."""
    return ", ".join(kind for kind, _ in Counter(kind_of(str(value)) for value in column).most_common())
