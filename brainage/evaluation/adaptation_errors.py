"""Errors of a network that is adapted to a new site: of each method by cross-validation, and on other participants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainage.evaluation.disclosure import may_describe
from brainage.evaluation.intervals import Estimate, bootstrap
from brainage.evaluation.paired import Difference, paired_difference

_Array = NDArray[np.float64]

# Predictions as they were, and methods, by what pages call them.
UNCHANGED = "unchanged"
LABELS = {UNCHANGED: "as it was", "offset": "offset", "line": "line", "last_layer": "last layer"}


@dataclass(frozen=True)
class MethodError:
    """MAE and mean gap, in years, with 95 % bootstrap intervals."""

    mae: Estimate
    mean_gap: Estimate


@dataclass(frozen=True)
class Adapted:
    """What is reported of an adaptation.

    Parameters
    ----------
    method : str
        The chosen one.
    n : int
        Number of controls.
    errors : dict of str to MethodError
        By method, and `UNCHANGED`: errors on controls, of fits to the other controls.
    change : str
        What was fitted, in words.
    """

    method: str
    n: int
    errors: Mapping[str, MethodError]
    change: str


@dataclass(frozen=True)
class Others:
    """Errors on participants of known age who are no controls: before, after, and the difference in MAE."""

    before: MethodError
    after: MethodError
    difference: Difference


def measure_errors(predicted: _Array, age: _Array, *, n_resamples: int, seed: int) -> MethodError:
    """Return the errors of predictions, of shape (n_participants,), in years."""
    columns = np.stack([np.abs(predicted - age), predicted - age], axis=1)

    def means(counts: _Array) -> dict[str, _Array]:
        mae, mean_gap = (counts @ columns / counts.sum(axis=1, keepdims=True)).T
        return {"mae": mae, "mean_gap": mean_gap}

    found = bootstrap(means, len(age), n_resamples=n_resamples, seed=seed)
    return MethodError(found["mae"], found["mean_gap"])


def measure_others(age: _Array, before: _Array, after: _Array, *, n_resamples: int, seed: int) -> Others | None:
    """Compare predictions before and after an adaptation; None for fewer than ten participants."""
    if not may_describe(len(age)):
        return None
    was, new = (measure_errors(one, age, n_resamples=n_resamples, seed=seed) for one in (before, after))
    return Others(was, new, paired_difference(age, after, before, n_resamples=n_resamples, seed=seed))
