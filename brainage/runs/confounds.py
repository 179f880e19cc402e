"""A table of further covariates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from brainage.data.cohorts.columns import participant_ids, phenotype, warn_of_commas
from brainage.data.cohorts.ids import ID_NAMES
from brainage.data.cohorts.tables import read_columns, read_header, unique_names
from brainage.errors import EvaluationError, MissingPathError

if TYPE_CHECKING:
    from brainage.evaluation.findings import AnalysisSettings


def check_confounds(path: str | None) -> None:
    """Raise unless ``confounds`` is a table with a column of ids and others."""
    if path is not None:
        _columns(Path(path))


def with_confounds(
    phenotypes: pd.DataFrame | None, settings: AnalysisSettings, path: str | None
) -> tuple[pd.DataFrame | None, AnalysisSettings]:
    """Return phenotypes with the columns of ``confounds``, and settings that adjust for these.

    Raises
    ------
    MissingPathError, EvaluationError
        It cannot be read, has no ids, repeats one, none of its participants is in the cohort, or a column is there too.
    """
    if path is None or phenotypes is None:
        return phenotypes, settings
    table = _read(Path(path))
    names = [str(name) for name in table if name != "participant_id"]
    if shared := [name for name in names if name in phenotypes]:
        raise EvaluationError(
            f"`confounds={path}` must have columns that the cohort's table lacks, but both have `{shared[0]}`. Rename "
            f"it, or adjust for that of the cohort with associations.covariates=[...,{shared[0]}]."
        )
    if not table["participant_id"].isin(phenotypes["participant_id"]).any():
        raise EvaluationError(
            f"`confounds={path}` must have participants of the cohort, but none of its {len(table)} ids is there. The "
            "ids must be the same, with leading zeros."
        )
    return phenotypes.merge(table, on="participant_id", how="left"), replace(settings, confounds=tuple(names))


def _columns(path: Path) -> tuple[str, list[str]]:
    """Return the column of ids, and the others."""
    if not path.is_file():
        raise MissingPathError(
            f"`confounds={path}` must be a table, but does not exist. Name an existing one with confounds=FILE."
        )
    header = read_header(path, "confounds")
    id_name = next((name for name in ID_NAMES if name in header), None)
    others = unique_names(header, {*ID_NAMES}, f"`{path}`")
    if id_name is None or not others:
        raise EvaluationError(
            f"`confounds={path}` must have a column of ids ({' or '.join(ID_NAMES)}) and columns to adjust for, but "
            f"has {len(header)} columns{'' if id_name else ' and no ids'}. Add what is missing."
        )
    return id_name, others


def _read(path: Path) -> pd.DataFrame:
    id_name, names = _columns(path)
    text, label = read_columns(path, [id_name, *names], "confounds"), f"`{path}`"
    ids = participant_ids(text[id_name], label)
    if n_repeated := int(ids.duplicated().sum()):
        raise EvaluationError(
            f"`confounds={path}` must have one row per participant, but {n_repeated} rows repeat one. Remove them."
        )
    warn_of_commas(text[names], label)
    return text[names].apply(phenotype).assign(participant_id=ids)
