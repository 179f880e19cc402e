"""Recovery of the true brain-age gap, which is known for simulated participants."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from brainage.evaluation.associations import MIN_ROWS, pearson


@dataclass(frozen=True)
class Truth:
    """Correlation of predicted gaps with true gaps, and the best that any predictor of age could reach.

    Parameters
    ----------
    r, r_corrected : float or None
        Correlation of the gap and of the corrected gap with the true gap.
    best_r : float
        Correlation of the best predictor's gap: a linear regression of age on true brain age.
    best_mae : float
        Its MAE, in years.
    """

    r: float | None
    r_corrected: float | None
    best_r: float
    best_mae: float


def measure_truth(rows: pd.DataFrame, training: pd.DataFrame, known: pd.DataFrame) -> Truth | None:
    """Compare gaps with the true gap; None where fewer than 20 participants have one.

    Parameters
    ----------
    rows, training : DataFrame
        The analysed rows with ``bag`` and perhaps ``bag_corrected``; the training rows, on which the best predictor is
        fitted if they are enough.
    known : DataFrame
        The cohort's table, which may contain ``true_gap``.
    """
    if "true_gap" not in known:
        return None
    true = known[["participant_id"]].assign(true_gap=pd.to_numeric(known["true_gap"], errors="coerce"))
    true = true[np.isfinite(true["true_gap"])]
    rows = rows.drop(columns="true_gap", errors="ignore").merge(true, on="participant_id")
    if len(rows) < MIN_ROWS:
        return None
    fitted = training.merge(true, on="participant_id")
    fitted = fitted if len(fitted) >= MIN_ROWS else rows
    slope, intercept = np.polyfit(fitted["age"] + fitted["true_gap"], fitted["age"], 1)
    age, true_gap = rows["age"].to_numpy(float), rows["true_gap"].to_numpy(float)
    best = intercept + slope * (age + true_gap) - age
    recovered: dict[str, float | None] = {}
    for name in ("bag", "bag_corrected"):
        r = pearson(rows[name].to_numpy(float), true_gap) if name in rows else math.nan
        recovered[name] = r if math.isfinite(r) else None
    return Truth(recovered["bag"], recovered["bag_corrected"], pearson(best, true_gap), float(np.abs(best).mean()))
