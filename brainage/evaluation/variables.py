"""Columns that may be associated with the gap; without scipy, so that mistakes are answered early."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from brainage.errors import EvaluationError, nearest

# Columns that identify participants, or that the simulation added.
_NO_VARIABLES = ("participant_id", "family_id", "age", "table_row", "true_gap")


def columns_to_read(variables: Sequence[str] | None, columns: Sequence[str]) -> list[str]:
    """Return the columns that an analysis of `variables` needs, all if None; see `check_variables`."""
    if variables is None:
        return list(columns)
    check_variables(variables, columns)
    return [*dict.fromkeys(variables), *(name for name in columns if name == "true_gap")]


def check_variables(variables: Sequence[str], columns: Iterable[str]) -> None:
    """Raise unless all ``associations.variables`` are columns of the cohort's table that identify no one."""
    choices = [name for name in columns if name not in _NO_VARIABLES]
    for name in variables:
        if name not in choices:
            raise EvaluationError(
                f"`associations.variables` must name columns of the cohort's table, but got {name!r}. "
                f"{nearest(name, choices) if choices else 'The table has no columns besides the age.'}"
            )
