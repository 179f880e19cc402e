"""Metrics of predicted ages, over participants."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from brainage.evaluation import METRICS


def accuracy(age: ArrayLike, predicted_age: ArrayLike) -> dict[str, float | None]:
    """Measure predictions against true ages.

    Parameters
    ----------
    age, predicted_age : array of shape (n_participants,)
        In years.

    Returns
    -------
    dict of str to float or None
        ``mae`` and ``rmse`` in years, ``mse`` in squared years, ``r2`` (1 - squared error / squared deviation from
        the mean age of these participants), ``pearson_r``. None where undefined: no rows, no variance, not finite.
    """
    truth, predicted = np.asarray(age, dtype=np.float64), np.asarray(predicted_age, dtype=np.float64)
    if truth.shape != predicted.shape or truth.ndim != 1:
        raise ValueError(
            f"`age` and `predicted_age` must have the same one axis, but got {truth.shape} and {predicted.shape}."
        )
    if truth.size == 0:
        return dict.fromkeys(METRICS)
    error = predicted - truth
    mse = float(np.mean(error**2))
    spread = float(np.mean((truth - truth.mean()) ** 2))
    deviation = predicted - predicted.mean()
    norm = math.sqrt(spread) * math.sqrt(float(np.mean(deviation**2)))
    values = {
        "mae": float(np.mean(np.abs(error))),
        "mse": mse,
        "rmse": math.sqrt(mse) if mse >= 0 else math.nan,
        "r2": 1 - mse / spread if spread > 0 else math.nan,
        "pearson_r": float(np.mean(deviation * (truth - truth.mean()))) / norm if norm > 0 else math.nan,
    }
    return {name: value if math.isfinite(value) else None for name, value in values.items()}
