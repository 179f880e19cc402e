"""Who takes part: the choice by query, the checks that every cohort passes, and who withdrew."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from brainage.data.cohorts.query import selected
from brainage.data.cohorts.tables import bare_id, is_rounded, row_list
from brainage.errors import CohortError, MissingPathError

ROW = "table_row"
"""The column in which `usable_people` keeps each person's line number in the table, for messages."""

MAX_AGE = 120


def usable_people(table: pd.DataFrame, *, include: str | None, label: str) -> pd.DataFrame:
    """Choose the people who take part, check them and sort them by id.

    Parameters
    ----------
    table : DataFrame
        As `CohortReader.read_table` returns it; the index is the line number in the table.
    include : str or None
        A pandas query; only rows for which it is true stay. None keeps all.
    label : str
        What messages call the table, such as its path in backticks.

    Returns
    -------
    DataFrame
        The rows that stay, those without an age among them, sorted by ``participant_id`` as text, with a new index and
        with each row's line number in the column `ROW`.

    Raises
    ------
    CohortError
        The query cannot be used or selects nobody; a participant is there twice; an age cannot be one.
    """
    people = table.assign(**{ROW: table.index})
    if include is not None:
        people = people[selected(table, include, label)]
        if people.empty:
            raise CohortError(
                f"`cohort.include` selects none of the {len(table)} rows of {label}: `{include}`. Loosen the query."
            )
    _check_unique(people, label)
    _check_age_range(people, label)
    return people.sort_values("participant_id", kind="stable").reset_index(drop=True)


def check_ages_of_scanned(table: pd.DataFrame, scans: Collection[str]) -> None:
    """Refuse people who have a scan but no age.

    Parameters
    ----------
    table : DataFrame
        As `usable_people` returns it.
    scans : collection of str
        Ids of the participants who have a scan.

    Raises
    ------
    CohortError
        At least one of them has no age.
    """
    ageless = table[table["age"].isna() & table["participant_id"].isin(list(scans))]
    if len(ageless):
        raise CohortError(
            f"{len(ageless)} of {len(scans)} participants with a scan have no age: {row_list(ageless[ROW])} of the "
            'table. Fill the ages in, or leave these people out with `cohort.include="age == age"`.'
        )


def read_ids(path: Path) -> frozenset[str]:
    """Read a list of participants, such as those who withdrew their consent.

    Parameters
    ----------
    path : Path
        Text, one id a line; a first line ``eid`` or ``participant_id``, quotes and ``sub-`` are left out.

    Returns
    -------
    frozenset of str
        Ids in the form of `participant_ids`.

    Raises
    ------
    CohortError
        A line holds more than one word, or the file is not text.
    MissingPathError
        The file does not exist or cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise MissingPathError(
            f"The list of ids `{path}` cannot be read: {error.strerror}. Name an existing file with one id a line."
        ) from None
    except UnicodeDecodeError:
        raise CohortError(f"The list of ids `{path}` is not UTF-8 text. Save it as text with one id a line.") from None
    ids = [(number, bare_id(line.strip())) for number, line in enumerate(lines, start=1)]
    ids = [(number, text) for number, text in ids if text]
    if ids and ids[0][1].casefold() in {"eid", "f.eid", "participant_id"}:
        del ids[0]
    for number, text in ids:
        if len(re.split(r"[\s,;]", text)) > 1 or is_rounded(text):
            raise CohortError(
                f"Line {number} of `{path}` is not one id. The file must hold one id a line, without other columns, "
                "and no numbers with a point or an exponent."
            )
    return frozenset(text for _, text in ids)


def _check_unique(people: pd.DataFrame, label: str) -> None:
    repeated = people["participant_id"].duplicated(keep=False)
    if repeated.any():
        count = people.loc[repeated, "participant_id"].nunique()
        raise CohortError(
            f"{label}: {count} participant{'s are' if count > 1 else ' is'} in the table more than once, in "
            f"{row_list(people.loc[repeated, ROW])}. Each must have one row: remove the others, or choose one of a "
            "person's rows with `cohort.include`."
        )


def _check_age_range(people: pd.DataFrame, label: str) -> None:
    age = people["age"]
    infinite = age.isin([math.inf, -math.inf])
    kinds = {"infinite": infinite, "negative": (age < 0) & ~infinite, f"over {MAX_AGE}": (age > MAX_AGE) & ~infinite}
    found = [
        f"{int(wrong.sum())} {kind} ({row_list(people.loc[wrong, ROW])})"
        for kind, wrong in kinds.items()
        if wrong.any()
    ]
    if found:
        raise CohortError(
            f"{label}: ages must be 0 to {MAX_AGE} years, but there are {', '.join(found)}. Correct them, or remove "
            f'them with `cohort.include="0 <= age <= {MAX_AGE}"`.'
        )
