"""Caveats about the analysed rows, as sentences."""

from __future__ import annotations

import pandas as pd

from brainage.evaluation.gap import has_labels
from brainage.evaluation.intervals import MIN_RESAMPLED

# Predictions whose SD is less than this share of the SD of age carry almost no information.
_MIN_SPREAD = 0.1


def caveats(rows: pd.DataFrame, table: pd.DataFrame, training: pd.DataFrame, choice: str) -> list[str]:
    """Return caveats about the analysed `rows` of `table`, chosen by ``associations.rows`` = `choice`."""
    return [*_extrapolated(rows, training), *_parts(rows, table, choice), *_spread(rows)]


def _extrapolated(rows: pd.DataFrame, training: pd.DataFrame) -> list[str]:
    if training.empty:
        return []
    low, high = training["age"].min(), training["age"].max()
    n_outside = int(((rows["age"] < low) | (rows["age"] > high)).sum())
    text = (
        f"{n_outside} of {len(rows)} participants are younger or older than all training participants "
        f"({low:.1f} to {high:.1f} years): their predictions are extrapolations."
    )
    return [text] if n_outside else []


def _parts(rows: pd.DataFrame, table: pd.DataFrame, choice: str) -> list[str]:
    if not has_labels(table):
        return []
    n_training = int((rows["split"] == "train").sum())
    n_unlabelled = int(table["split"].isna().sum()) if choice != "all" else 0
    notes = []
    if n_training:
        notes.append(
            f"{n_training} of the {len(rows)} rows are training participants: accuracy on them does not generalise."
        )
    if n_unlabelled:
        notes.append(f"{n_unlabelled} of {len(table)} rows belong to no part of the split and are excluded.")
    return notes


def _spread(rows: pd.DataFrame) -> list[str]:
    notes = []
    predicted, age = float(rows["predicted_age"].std(ddof=0)), float(rows["age"].std(ddof=0))
    if predicted < _MIN_SPREAD * age:
        notes.append(
            f"Predictions hardly vary (SD {predicted:.2f} years; SD of age {age:.2f} years): the gap is almost exactly "
            "minus age, so the corrected gap is noise."
        )
    if len(rows) < MIN_RESAMPLED:
        notes.append(
            f"No intervals of accuracy: {len(rows)} participants are analysed, and {MIN_RESAMPLED} are needed."
        )
    return notes
