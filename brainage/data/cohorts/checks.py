"""Checks of a cohort's table: each participant once, plausible ages, an age for each scan."""

from __future__ import annotations

import math
from collections.abc import Collection

import pandas as pd

from brainage.data.cohorts.query import selected, shown
from brainage.data.cohorts.tables import row_list
from brainage.errors import CohortError

ROW = "table_row"
"""The column in which `usable_rows` keeps the line numbers of the table, for messages."""

MAX_AGE = 120


def usable_rows(table: pd.DataFrame, *, include: str | None, label: str) -> pd.DataFrame:
    """Return the rows of a reader's table that a query selects, checked, sorted by id and with a new index.

    Ages may be missing. The column `ROW` has the line numbers, and `label` is the table's name in messages.
    """
    rows = table.assign(**{ROW: table.index})
    if include is not None:
        rows = rows[selected(table, include, label)]
        if rows.empty:
            raise CohortError(
                f"`cohort.include` selects none of the {len(table)} rows of {label}: `{shown(include)}`. Loosen it."
            )
    _check_unique(rows["participant_id"], label)
    check_age_range(rows["age"], label, f'remove them with `cohort.include="0 <= age <= {MAX_AGE}"`')
    return rows.sort_values("participant_id", kind="stable").reset_index(drop=True)


def check_age_range(ages: pd.Series, label: str, remedy: str) -> None:
    """Raise CohortError unless ages, indexed by line number, are missing or 0 to `MAX_AGE` years."""
    infinite = ages.isin([math.inf, -math.inf])
    kinds = {"infinite": infinite, "negative": (ages < 0) & ~infinite, f"over {MAX_AGE}": (ages > MAX_AGE) & ~infinite}
    found = [
        f"{int(wrong.sum())} {kind} ({row_list(ages.index[wrong])})" for kind, wrong in kinds.items() if wrong.any()
    ]
    if found:
        raise CohortError(
            f"{label}: ages must be 0 to {MAX_AGE} years, but there are {', '.join(found)}. Correct them, or {remedy}."
        )


def check_ages_of_scanned(table: pd.DataFrame, scanned: Collection[str]) -> None:
    """Raise CohortError if a participant with a scan has no age."""
    ageless = table[table["age"].isna() & table["participant_id"].isin(list(scanned))]
    if len(ageless):
        raise CohortError(
            f"{len(ageless)} of {len(scanned)} participants with a scan have no age: {row_list(ageless[ROW])} of the "
            'table. Fill the ages in, or leave these participants out with `cohort.include="age == age"`.'
        )


def _check_unique(ids: pd.Series, label: str) -> None:
    repeated = ids[ids.duplicated(keep=False)]
    if len(repeated):
        count = repeated.nunique()
        raise CohortError(
            f"{label}: {count} participant{'s are' if count > 1 else ' is'} in the table more than once, in "
            f"{row_list(repeated.index)}. Each must have one row: remove the others, or choose one row a participant "
            "with `cohort.include`."
        )
