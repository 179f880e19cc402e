"""Tables of predictions: those of runs, and those made elsewhere, which ``report.py predictions=`` reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from brainage.data.cohorts.checks import check_age_range
from brainage.data.cohorts.columns import (
    STANDARD_COLUMNS,
    ages,
    numbers,
    participant_ids,
    phenotype,
    standard_table,
    warn_of_commas,
)
from brainage.data.cohorts.ids import ID_NAMES
from brainage.data.cohorts.tables import read_columns, read_header, unique_names
from brainage.data.splits import PARTS
from brainage.errors import EvaluationError
from brainage.evaluation.conformal import BOUNDS
from brainage.evaluation.variables import columns_to_read

# Columns that are not phenotypes.
_PREDICTED = (*ID_NAMES, "split", "age", "predicted_age", "bag", "bag_corrected", "predicted_age_sd", *BOUNDS)


def read_predictions(path: Path, key: str) -> tuple[pd.DataFrame, list[str]]:
    """Read a table of predictions: ``participant_id, split, age, predicted_age``, and notes on excluded rows.

    Raises
    ------
    MissingPathError, EvaluationError, CohortError
        It cannot be read, lacks a column, repeats a participant, or has an unknown part of the split.
    """
    label, header = f"`{path}`", read_header(path, key)
    id_column = _check_columns(header, label)
    text = read_columns(path, [id_column, "age", "predicted_age", *(["split"] if "split" in header else [])], key)
    table = pd.DataFrame(
        {
            "participant_id": participant_ids(text[id_column], label),
            "split": _parts(text["split"], label) if "split" in text else pd.Series(None, text.index, dtype=object),
            "age": ages(text["age"], label),
            "predicted_age": numbers(text["predicted_age"], label),
        }
    )
    _check_rows(table, label)
    complete = table[table["age"].notna() & table["predicted_age"].notna()].reset_index(drop=True)
    if complete.empty:
        raise EvaluationError(
            f"{label} must contain predictions, but none of its {len(table)} rows has both an age and a prediction."
        )
    n_excluded = len(table) - len(complete)
    notes = [f"{n_excluded} of {len(table)} rows have no age or no prediction and are excluded."]
    return complete, notes if n_excluded else []


def read_phenotypes(
    path: Path,
    variables: Sequence[str] | None = None,
    groups: str | None = None,
    covariates: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Read the other columns of a table of predictions: sex, site, head motion, and these or all phenotypes.

    `groups` is the column of groups, and `covariates` are chosen ones.
    """
    header, label = read_header(path, "predictions"), f"`{path}`"
    id_column = _check_columns(header, label)
    standard = {"participant_id": id_column, **{name: name for name in STANDARD_COLUMNS[2:] if name in header}}
    others = unique_names(header, {*standard.values(), *STANDARD_COLUMNS, *_PREDICTED}, label)
    asked = set(columns_to_read(variables, [*standard, *others], groups=groups, covariates=covariates))
    others = [name for name in others if name in asked]
    text = read_columns(path, [*standard.values(), *others], "predictions")
    table = standard_table({name: text[source] for name, source in standard.items()}, label)
    warn_of_commas(text[others], label)
    return table.assign(**{name: phenotype(text[name]) for name in others}).drop_duplicates("participant_id")


def _check_columns(header: list[str], label: str) -> str:
    """Return the column of ids; raise unless the table has all required columns."""
    id_column = next((name for name in ID_NAMES if name in header), None)
    missing = [name for name in ("age", "predicted_age") if name not in header]
    if id_column is None or missing:
        lacking = [*(["participant_id (or eid)"] if id_column is None else []), *missing]
        raise EvaluationError(
            f"{label} must be a table of predictions with the columns participant_id (or eid), age and predicted_age, "
            f"but lacks {', '.join(lacking)}. Rename its columns."
        )
    return id_column


def _check_rows(table: pd.DataFrame, label: str) -> None:
    n_repeated = int(table["participant_id"].duplicated().sum())
    if n_repeated:
        raise EvaluationError(
            f"{label} must have one row per participant, but {n_repeated} rows repeat one. Remove them, or average "
            "each participant's predictions first."
        )
    check_age_range(table["age"], label, "remove these rows")


def _parts(column: pd.Series, label: str) -> pd.Series:
    values = column.astype("string").str.strip()
    values = values.mask(values.isin(["", "n/a", "NA", "nan"]))
    unknown = values.notna() & ~values.isin(PARTS)
    if unknown.any():
        raise EvaluationError(
            f"{label}: `split` must be train, val or test, or empty, but {int(unknown.sum())} rows have another "
            "value. Rename the parts."
        )
    return values.astype(object).where(values.notna(), None)
