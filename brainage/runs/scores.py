"""Accuracy of a run's predictions, and the value that a sweep minimises."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from brainage.errors import DivergedError
from brainage.evaluation.metrics import accuracy, standard_error


@dataclass(frozen=True)
class Scores:
    """Metrics by part, MAE of predicting the training participants' mean age by part, and the objective's value.

    `objective_se` is its standard error over participants.
    """

    metrics: dict[str, dict[str, float | None]]
    mean_mae: dict[str, float | None]
    objective: float
    objective_se: float | None = None


def score(predictions: pd.DataFrame, objective: str) -> Scores:
    """Compute the accuracy in each part; raise a `DivergedError` if the objective is undefined."""
    parts = {str(part): group for part, group in predictions.groupby("split")}
    metrics = {part: accuracy(group["age"], group["predicted_age"]) for part, group in parts.items()}
    mean_age = parts["train"]["age"].mean()
    mean_mae = {
        part: accuracy(group["age"], 0 * group["age"] + mean_age)["mae"]
        for part, group in parts.items()
        if part != "train"
    }
    part, name = objective.split("/")
    value = metrics[part][name]
    if value is None:
        raise DivergedError(f"`objective={objective}` is undefined for these predictions; use objective=val/mse.")
    error = standard_error(name, parts[part]["age"], parts[part]["predicted_age"])
    return Scores(metrics, mean_mae, value, error)
