"""Whether corrected gaps of new participants are shifted, or depend on age, unlike those of the correction's fit."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from brainage.evaluation.associations import MIN_ROWS
from brainage.evaluation.gap import Correction
from brainage.evaluation.regression import covariate_basis, hc3_slope


def shift_notes(rows: pd.DataFrame, fits: Sequence[Correction]) -> list[str]:
    """Return notes on a mean corrected gap that is not 0, and on one that changes with age.

    Parameters
    ----------
    rows : DataFrame
        ``age`` and ``bag_corrected`` of new participants, in years.
    fits : sequence of Correction
        The corrections, one a network, that were fitted on other participants.
    """
    if "bag_corrected" not in rows or len(rows) < MIN_ROWS or rows["bag_corrected"].isna().any() or not fits:
        return []
    age, gap = rows["age"].to_numpy(float), rows["bag_corrected"].to_numpy(float)
    n, n_fitted, mean, notes = len(gap), min(fit.n for fit in fits), float(gap.mean()), []
    half = float(stats.t.ppf(0.975, n - 1) * gap.std(ddof=1)) * math.sqrt(1 / n + 1 / n_fitted)
    if abs(mean) > half:
        notes.append(
            f"The mean corrected gap of these {n:,} participants is {mean:+.2f} years (95 % interval "
            f"{mean - half:+.2f} to {mean + half:+.2f}), and 0 in those whom the correction was fitted on: their "
            "predictions are shifted, by scanner, processing or who they are. Compare gaps with those of controls of "
            "the same cohort, or adapt the network with brainage adapt."
        )
    slope = hc3_slope(gap, age, covariate_basis(np.empty((n, 0))))
    of_fits = [(fit.slope_se or 0.0) / (fit.slope if fit.method == "cole" else 1) for fit in fits]
    half = float(stats.t.ppf(0.975, n - 2)) * math.hypot(slope.se, max(of_fits))
    if abs(slope.value) > half:  # False for NaN
        notes.append(
            f"The corrected gap changes by {slope.value:+.3f} years per year of age (95 % interval "
            f"{slope.value - half:+.3f} to {slope.value + half:+.3f}), and not at all in those whom the correction was "
            "fitted on: predictions are calibrated otherwise here. Use gap_correction=in_sample, or adjust for age."
        )
    return notes
