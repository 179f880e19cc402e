"""Baselines on the same test participants as a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from brainage.evaluation.disclosure import may_describe
from brainage.evaluation.gap import has_labels
from brainage.evaluation.paired import Difference, paired_difference

# The baseline that a report's cards and methods compare with, by the name of its model.
RIDGE = "ridge_features"


@dataclass(frozen=True)
class BaselinePredictions:
    """Predictions of a baseline that was trained on the same participants as a model.

    Parameters
    ----------
    name : str
        Of the baseline's model.
    label : str
        In words.
    table : DataFrame
        ``participant_id`` and ``predicted_age``, in years.
    """

    name: str
    label: str
    table: pd.DataFrame = field(repr=False)


@dataclass(frozen=True)
class Against:
    """A baseline's MAE, in years, on test participants that it and a model predicted, and the difference in MAE.

    Parameters
    ----------
    name, label : str
        See `BaselinePredictions`.
    mae : float or None
        Of the baseline; None where, with the difference, it would describe fewer than ten participants.
    difference : Difference
        Model - baseline.
    """

    name: str
    label: str
    mae: float | None
    difference: Difference


def measure_against(
    rows: pd.DataFrame, baselines: Sequence[BaselinePredictions], *, n_resamples: int, seed: int
) -> list[Against]:
    """Compare predictions of test participants, or of all rows without a split, with those of baselines."""
    tested = rows[rows["split"] == "test"] if has_labels(rows) else rows
    found = []
    for baseline in baselines:
        both = tested.merge(baseline.table, on="participant_id", suffixes=("", "_baseline"))
        if not may_describe(len(both)):
            continue
        age, model, other = (both[name] for name in ("age", "predicted_age", "predicted_age_baseline"))
        difference = paired_difference(age, model, other, n_resamples=n_resamples, seed=seed)
        mae = float(np.abs(other - age).mean()) if may_describe(len(both), len(rows)) else None
        found.append(Against(baseline.name, baseline.label, mae, difference))
    return found
