"""Sensitivity of predictions to the order of time points: their error on series in other orders."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from brainage.evaluation.disclosure import may_describe
from brainage.evaluation.paired import paired_difference

# Columns of the table, with their types.
COLUMNS = {"order": str, "n": int, **dict.fromkeys(("mae", "mae_difference", "low", "high", "p", "change"), float)}


def measure_time_order(
    age: ArrayLike, predicted_age: ArrayLike, reordered: Mapping[str, ArrayLike], *, n_resamples: int, seed: int
) -> pd.DataFrame | None:
    """Compare predictions from series in other orders of time with those from the series themselves.

    Parameters
    ----------
    age, predicted_age : array of shape (n_participants,)
        True and predicted ages, in years.
    reordered : dict of str to array of shape (n_participants,)
        Predicted ages by order.
    n_resamples, seed : int
        See `brainage.evaluation.intervals.resampled_counts`.

    Returns
    -------
    DataFrame or None
        One row an order: ``order``; ``n``; ``mae``; ``mae_difference``, MAE minus that of the series themselves, with
        its 95 % interval ``low`` to ``high`` and ``p``, see `brainage.evaluation.paired.paired_difference`; and
        ``change``, the mean absolute change of the predictions. In years. None for fewer than ten participants.
    """
    truth, own = np.asarray(age, dtype=np.float64), np.asarray(predicted_age, dtype=np.float64)
    if not may_describe(len(truth)):
        return None
    rows = []
    for order, values in reordered.items():
        predicted = np.asarray(values, dtype=np.float64)
        found = paired_difference(truth, predicted, own, n_resamples=n_resamples, seed=seed)
        mae, change = float(np.abs(predicted - truth).mean()), float(np.abs(predicted - own).mean())
        difference = {"mae_difference": found.mae.value, "low": found.mae.low, "high": found.mae.high, "p": found.p}
        rows.append({"order": order, "n": found.n, "mae": mae, **difference, "change": change})
    return pd.DataFrame(rows, columns=list(COLUMNS))
