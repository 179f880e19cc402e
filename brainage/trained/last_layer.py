"""Changes of predictions that are fitted to some participants of a new site, and predictions of the others by them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainage.evaluation.adaptation_errors import UNCHANGED
from brainage.models.baselines.ridge import fit_ridge

_Array = NDArray[np.float64]

METHODS = ("offset", "line", "last_layer")

_N_FOLDS = 10


@dataclass(frozen=True)
class Change:
    """A change of predictions: intercept + slope x prediction + features x weights.

    Parameters
    ----------
    intercept : float
        In years.
    slope : float
        In years per year.
    weights : array of shape (n_features,) or None
        What is added to the weights of the last layer; None adds nothing.
    """

    intercept: float = 0.0
    slope: float = 1.0
    weights: _Array | None = None

    def apply(self, predicted: _Array, features: _Array | None = None) -> _Array:
        """Return the changed predictions, in years, of shape (n_participants,)."""
        changed = self.intercept + self.slope * predicted
        return changed if self.weights is None or features is None else changed + features @ self.weights

    def __str__(self) -> str:
        """Return it in words."""
        if self.weights is not None:
            return f"{self.intercept:+.2f} years, and other weights of the last layer"
        if self.slope == 1:
            return f"{self.intercept:+.2f} years"
        return f"{self.intercept:.2f} years + {self.slope:.3f} x prediction"


@dataclass(frozen=True)
class Controls:
    """Participants of a new site with known ages.

    Parameters
    ----------
    age, predicted : array of shape (n_participants,)
        In years.
    features : array of shape (n_participants, n_features) or None
        The input of the network's last layer; None where there is none that could be changed.
    """

    age: _Array
    predicted: _Array
    features: _Array | None = None

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that can be fitted."""
        return METHODS if self.features is not None else METHODS[:-1]

    def where(self, chosen: NDArray[np.bool_]) -> Controls:
        """Return some of them."""
        features = None if self.features is None else self.features[chosen]
        return Controls(self.age[chosen], self.predicted[chosen], features)


def fit_change(method: str, controls: Controls) -> Change:
    """Fit a change of predictions.

    Parameters
    ----------
    method : {"offset", "line", "last_layer"}
        The mean difference of age and prediction; the regression of age on prediction; or a ridge that draws the last
        layer's weights toward the old ones, next to an offset, with the penalty of least leave-one-out error.
    controls : Controls
        Two or more.
    """
    left = controls.age - controls.predicted
    if method == "line":
        centred = controls.predicted - controls.predicted.mean()
        slope = float(centred @ controls.age / (centred @ centred)) if centred.any() else 1.0
        return Change(float(controls.age.mean() - slope * controls.predicted.mean()), slope)
    if method == "last_layer" and controls.features is not None:
        spread = float(np.sqrt(controls.features.var(axis=0).mean())) or 1.0  # penalties are for SDs near 1
        weights, intercept, _ = fit_ridge(controls.features / spread, left)
        return Change(intercept, weights=weights / spread)
    return Change(float(left.mean()))


def cross_validated(controls: Controls, *, seed: int) -> dict[str, _Array]:
    """Predict each participant by changes that were fitted on the others, in up to ten folds; by method, in years."""
    n = len(controls.age)
    fold = np.random.default_rng(seed).permutation(n) % min(_N_FOLDS, n)
    found = {UNCHANGED: controls.predicted} | {method: np.empty(n) for method in controls.methods}
    for tested in (fold == number for number in range(min(_N_FOLDS, n))):
        others, these = controls.where(~tested), controls.where(tested)
        for method in controls.methods:
            found[method][tested] = fit_change(method, others).apply(these.predicted, these.features)
    return found
