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


def standard_error(metric: str, age: ArrayLike, predicted_age: ArrayLike) -> float | None:
    """Return the standard error of a metric of `accuracy` over participants.

    That of a mean for ``mae`` and ``mse``; by the delta method for ``rmse``, for ``r2`` (with the spread of ages as
    known) and for ``pearson_r`` (of normal values). None where undefined.
    """
    truth, predicted = np.asarray(age, dtype=np.float64), np.asarray(predicted_age, dtype=np.float64)
    n, values = len(truth), accuracy(truth, predicted)
    if n < 3 or values[metric] is None:
        return None
    absolute = np.abs(predicted - truth)
    of_mse = float(np.std(absolute**2, ddof=1)) / math.sqrt(n)
    found = {
        "mae": float(np.std(absolute, ddof=1)) / math.sqrt(n),
        "mse": of_mse,
        "rmse": of_mse / (2 * (values["rmse"] or math.inf)),
        "r2": of_mse / (float(np.var(truth)) or math.inf),
        "pearson_r": (1 - (values["pearson_r"] or 0.0) ** 2) / math.sqrt(n - 2),
    }
    return found[metric]
