"""Head motion: its correlation with age, prediction and gap, and how well it predicts age alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from brainage.evaluation.associations import MIN_ROWS, pearson
from brainage.evaluation.disclosure import may_describe
from brainage.evaluation.intervals import Estimate, correlation_estimate, correlation_p


@dataclass(frozen=True)
class Motion:
    """Head motion in the analysed rows.

    Parameters
    ----------
    n : int
        Participants with known motion.
    correlations : dict of str to (Estimate, float or None)
        Of motion with ``age``, ``predicted_age`` and ``bag``: r with its interval, and p.
    alone_mae : float or None
        MAE of a linear regression of age on motion, fitted on training rows, in years; None without training rows.
    n_still : int
        Participants in the half with the least motion.
    still_mae, moving_mae : float or None
        MAE of the predictions in that half and in the other half, in years; None where motion is unknown for fewer than
        ten of the analysed participants, whose error would be the difference from the MAE of all.
    """

    n: int
    correlations: dict[str, tuple[Estimate, float | None]]
    alone_mae: float | None
    n_still: int
    still_mae: float | None
    moving_mae: float | None


def measure_motion(rows: pd.DataFrame, training: pd.DataFrame) -> Motion | None:
    """Relate head motion to predictions.

    Parameters
    ----------
    rows : DataFrame
        ``age``, ``predicted_age``, ``bag``, ``head_motion`` of the analysed participants.
    training : DataFrame
        ``age`` and ``head_motion`` of the training rows; may be empty.

    Returns
    -------
    Motion or None
        None where fewer than 20 participants have known motion, or motion does not vary.
    """
    if "head_motion" not in rows:
        return None
    participants = rows[rows["head_motion"].notna()]
    motion = participants["head_motion"].to_numpy(float)
    if len(participants) < MIN_ROWS or np.ptp(motion) == 0:
        return None
    correlations = {}
    for name in ("age", "predicted_age", "bag"):
        r = pearson(motion, participants[name].to_numpy(float))
        correlations[name] = (correlation_estimate(r, len(participants)), correlation_p(r, len(participants)))
    error = participants["bag"].abs().to_numpy()
    still = np.zeros(len(participants), dtype=bool)
    still[np.argsort(motion, kind="stable")[: (len(participants) + 1) // 2]] = True
    halves = (error[still], error[~still]) if may_describe(len(participants), len(rows)) else ()
    still_mae, moving_mae = (float(half.mean()) for half in halves) if halves else (None, None)
    return Motion(
        len(participants), correlations, _alone(participants, training), int(still.sum()), still_mae, moving_mae
    )


def _alone(participants: pd.DataFrame, training: pd.DataFrame) -> float | None:
    known = training[training["head_motion"].notna()] if "head_motion" in training else training.iloc[:0]
    if len(known) < MIN_ROWS or known["head_motion"].nunique() < 2:
        return None
    slope, intercept = np.polyfit(known["head_motion"].to_numpy(float), known["age"].to_numpy(float), 1)
    predicted = intercept + slope * participants["head_motion"].to_numpy(float)
    return float(np.abs(predicted - participants["age"].to_numpy(float)).mean())
