"""Accuracy of folds, or left-out sites: each one's, their mean and SD, and that of all test participants together."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from brainage.evaluation.disclosure import MIN_SHOWN
from brainage.evaluation.intervals import Estimate
from brainage.evaluation.resampled import corrected_resampled_t_test

if TYPE_CHECKING:
    import pandas as pd

    from brainage.evaluation.accuracy import Accuracy


@dataclass(frozen=True)
class Fold:
    """One fold: its name, test participants, and their metrics and mean gap; None where they are fewer than ten."""

    name: str
    n: int | None
    metrics: Mapping[str, float | None]
    mean_gap: float | None = None


@dataclass(frozen=True)
class FoldResults:
    """Folds of one network.

    Parameters
    ----------
    label : str
        ``fold`` or ``site``.
    folds : sequence of Fold
        Finished folds.
    sentence : str
        How many participants were predicted, with which error; or why the folds are not pooled.
    name : str
        Overrides that distinguish these folds from others of the same multirun.
    accuracy : Accuracy or None
        Of all test participants, each predicted once.
    predictions : DataFrame or None
        ``age`` and ``predicted_age`` of these, in years.
    chosen : bool
        Whether test errors are shown: of several models, only those of the one with the lowest validation MSE.
    validation : dict of str to (float, float)
        Mean and SD over folds of the validation errors ``mse`` and ``mae``; absent where a fold's is not shown.
    """

    label: str
    folds: Sequence[Fold]
    sentence: str = ""
    name: str = ""
    accuracy: Accuracy | None = None
    predictions: pd.DataFrame | None = None
    chosen: bool = True
    validation: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def hides_few(self) -> bool:
        """Whether results of all test participants, and of the folds that are shown, would describe fewer than ten."""
        hidden = [fold.n or 0 for fold in self.folds if fold.metrics.get("mae") is None]
        return len(hidden) == 1 or 0 < sum(hidden) < MIN_SHOWN

    def mean_sd(self, metric: str) -> tuple[float, float] | None:
        """Return mean and SD over folds; None where a fold's value is not shown, which they would tell."""
        return mean_sd_of([fold.metrics.get(metric) for fold in self.folds])

    def within(self) -> dict[str, Estimate]:
        """Return MAE, R² and r within folds, with 95 % intervals of MAE and r; nothing where a fold's are not shown.

        The MAE is the mean of folds, with a standard error for cross-validation: the training sets overlap, so that
        pooled participants are not independent. R² is of each fold's ages around their own mean, and r is averaged as
        Fisher's z.

        References
        ----------
        Nadeau & Bengio (2003), doi 10.1023/A:1024068626366; Bates, Hastie & Tibshirani (2024), doi
        10.1080/01621459.2023.2197686.
        """
        if any(self.mean_sd(name) is None for name in ("mae", "mse", "r2", "pearson_r")):
            return {}
        mae, mse, r2, r = (
            np.array([fold.metrics[name] for fold in self.folds], dtype=float)
            for name in ("mae", "mse", "r2", "pearson_r")
        )
        n = np.array([fold.n for fold in self.folds], dtype=float)
        tested = corrected_resampled_t_test(mae.tolist(), n_train=n.sum() - n.mean(), n_test=n.mean())
        if (r2 >= 1).any() or (np.abs(r) >= 1).any():
            return {"mae": tested.mean}
        z, half = float(np.average(np.arctanh(r), weights=n - 3)), 1.959963984540054 / math.sqrt((n - 3).sum())
        return {
            "mae": tested.mean,
            "r2": Estimate(float(1 - (n * mse).sum() / (n * mse / (1 - r2)).sum())),
            "pearson_r": Estimate(math.tanh(z), math.tanh(z - half), math.tanh(z + half)),
        }


def mean_sd_of(values: Sequence[float | None]) -> tuple[float, float] | None:
    """Return mean and SD of two or more values; None where one is unknown."""
    known = [value for value in values if value is not None]
    return (statistics.fmean(known), statistics.stdev(known)) if len(known) == len(values) > 1 else None


def fold_of(name: str, tested: pd.DataFrame, metrics: Mapping[str, float | None]) -> Fold:
    """Return a fold, of its test participants with ``age`` and ``predicted_age``, and their metrics."""
    gap = float((tested["predicted_age"].astype(float) - tested["age"].astype(float)).mean())
    return Fold(name, len(tested), metrics, None if metrics.get("mae") is None else gap)
