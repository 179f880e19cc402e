"""Columns that may be associated with the gap; without scipy, so that mistakes are answered early."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from brainage.errors import EvaluationError, nearest
from brainage.evaluation.disclosure import may_describe

# Columns that identify participants, or that the simulation added.
_NO_VARIABLES = ("participant_id", "family_id", "age", "table_row", "true_gap")


def columns_to_read(
    variables: Sequence[str] | None,
    columns: Sequence[str],
    *,
    groups: str | None = None,
    covariates: Sequence[str] | None = None,
) -> list[str]:
    """Return the columns that an analysis of `variables`, all if None, and of a column of `groups` needs.

    See `check_variables`.
    """
    of_groups = [] if groups is None else [groups]
    check_variables(of_groups, columns, "groups.column")
    others = [name for name in covariates or () if name != "age"]
    check_variables(others, columns, "associations.covariates")
    if variables is None:
        return list(columns)
    check_variables(variables, columns)
    return [*dict.fromkeys([*variables, *of_groups, *others]), *(name for name in columns if name == "true_gap")]


def check_variables(variables: Sequence[str], columns: Iterable[str], key: str = "associations.variables") -> None:
    """Raise unless all variables that a key names are columns of the cohort's table that identify no one."""
    choices = [name for name in columns if name not in _NO_VARIABLES]
    for name in variables:
        if name not in choices:
            raise EvaluationError(
                f"`{key}` must name columns of the cohort's table, but got {name!r}. "
                f"{nearest(name, choices) if choices else 'The table has no columns besides the age.'}"
            )


def as_text(column: pd.Series) -> pd.Series:
    """Return a column's values as the names of groups: text, and numbers without a needless point."""
    return column.map(lambda value: f"{value:.15g}" if isinstance(value, float) else str(value))


def in_reference(column: pd.Series, reference: str) -> pd.Series[bool]:
    """Return who is in the reference group of a column of groups; raise unless some are, and some are in others."""
    groups = as_text(column.dropna())
    is_reference = groups == reference
    if not is_reference.any():
        # In a wrong column, values are ids or those of single participants.
        shown = [str(name) for name, n in groups.value_counts().items() if may_describe(n)]
        step = nearest(reference, shown) if shown else "No value there is that of ten participants: look at the column."
        raise EvaluationError(
            f"`groups.reference` must be a value of the column `{column.name}`, but got {reference!r}. {step}"
        )
    if is_reference.all():
        raise EvaluationError(
            f"`groups.column={column.name}` must have other values than {reference!r}, but all {len(groups)} "
            "participants with a value have that. Name another column, or leave it out."
        )
    return is_reference.reindex(column.index, fill_value=False)


def is_group(column: pd.Series, group: str) -> pd.Series[bool]:
    """Return whether each value is that of a group; False where it is missing."""
    return column.notna() & as_text(column).eq(group)
