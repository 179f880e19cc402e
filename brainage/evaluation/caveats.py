"""Caveats about the analysed rows, as sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.evaluation.associations import MIN_ROWS, Associations
from brainage.evaluation.disclosure import MIN_SHOWN, may_describe
from brainage.evaluation.gap import has_labels
from brainage.evaluation.motion import Motion

# Predictions whose SD is less than this share of the SD of age carry almost no information.
_MIN_SPREAD = 0.1

# Oldest plausible age, in years.
_MAX_AGE = 120


def caveats(rows: pd.DataFrame, table: pd.DataFrame, training: pd.DataFrame, choice: str) -> list[str]:
    """Return caveats about the analysed `rows` of `table`, chosen by ``associations.rows`` = `choice`."""
    n, notes = len(rows), []
    if len(training):
        low, high = training["age"].min(), training["age"].max()
        if n_outside := int(((rows["age"] < low) | (rows["age"] > high)).sum()):
            notes.append(
                f"{n_outside} of {n} participants are younger or older than all training participants: their "
                "predictions are extrapolations."
            )
    if has_labels(table):
        if n_training := int((rows["split"] == "train").sum()):
            notes.append(
                f"{n_training} of the {n} rows are training participants: accuracy on them does not generalise."
            )
        if choice != "all" and (n_unlabelled := int(table["split"].isna().sum())):
            notes.append(f"{n_unlabelled} of {len(table)} rows belong to no part of the split and are excluded.")
    predicted, age = float(rows["predicted_age"].std(ddof=0)), float(rows["age"].std(ddof=0))
    if may_describe(n) and predicted < _MIN_SPREAD * age:
        notes.append(
            f"Predictions hardly vary (SD {predicted:.2f} years; SD of age {age:.2f} years): the gap is almost exactly "
            "minus age, so the corrected gap is noise."
        )
    notes += implausible(rows["predicted_age"])
    if not may_describe(n):
        notes.append(f"No accuracy: {n} participants are analysed, and fewer than {MIN_SHOWN} are only counted.")
    return notes


def other_groups(table: pd.DataFrame, rows: pd.DataFrame, reference: NDArray[np.bool_]) -> list[str]:
    """Return notes on participants outside the reference group, given which rows of `table` are in it."""
    others, notes = table[~reference], []
    if n_others := int(rows["participant_id"].isin(others["participant_id"]).sum()):
        notes.append(
            f"{n_others:,} of the {len(rows):,} analysed participants are not in the reference group: accuracy and "
            "associations are those of all of them. The table of groups has each group's accuracy."
        )
    if n_fitted := int(others["split"].isin(("train", "val")).sum()):
        notes.append(
            f"{n_fitted:,} training and validation participants are not in the reference group, so the model was "
            "trained on other groups too. Train with groups.column and groups.reference to prevent it."
        )
    return notes


def implausible(predicted: pd.Series) -> list[str]:
    """Return a note on impossible predicted ages."""
    n_odd = int(((predicted < 0) | (predicted > _MAX_AGE)).sum())
    if not n_odd:
        return []
    return [
        f"{n_odd:,} of {len(predicted):,} predicted ages are below 0 or above {_MAX_AGE} years: the network does not "
        "fit these series. Check their processing, and whether the training converged."
    ]


def saturated(found: Associations, rows: pd.DataFrame) -> list[str]:
    """Return a note on variables without a partial correlation for want of degrees of freedom."""
    if not found.n_saturated:
        return []
    n_sites = rows["site"].nunique() if "site" in rows else 0
    sites = f" (`site` has {n_sites} values)" if n_sites > 1 else ""
    return [
        f"No partial r, p or interval for {found.n_saturated} of {len(found.table)} variables: there are nearly as "
        f"many covariates as participants{sites}. Merge small sites, or remove the column `site`."
    ]


def missing(rows: pd.DataFrame, variables: Sequence[str], phenotypes: pd.DataFrame, motion: Motion | None) -> list[str]:
    """Return why there are no associations of `rows` with `variables`, or no results on head motion."""
    n, notes = len(rows), []
    if not variables:
        notes.append("No associations: the cohort's table has no phenotypes.")
    elif n < MIN_ROWS:
        notes.append(f"No associations: {n} participants are analysed, and {MIN_ROWS} are needed.")
    if "head_motion" not in phenotypes:
        notes.append("Head motion is unknown, so its effect on these predictions cannot be measured.")
    elif motion is None:
        notes.append(f"Head motion is not analysed: it must be known for {MIN_ROWS} participants and vary.")
    return notes
