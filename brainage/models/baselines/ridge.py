"""Ridge regression on feature sets, with a penalty chosen by leave-one-out in training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainage.data.participants import Participants
from brainage.models.features.base import FeatureSet
from brainage.models.features.joined import Joined

_Array = NDArray[np.float64]

# Penalties to choose from, for standardised features.
ALPHAS = np.logspace(-1, 6, 29)


class Ridge:
    """Standardise the features of one or more sets and fit a ridge; a baseline chooses the sets.

    Parameters
    ----------
    *sets : FeatureSet
        What age is predicted from.
    within : bool, default=False
        Whether features are then also standardised within each participant.
    """

    def __init__(self, *sets: FeatureSet, within: bool = False) -> None:
        self._joined = Joined(sets, within=within)

    def harmonize(self, method: str) -> None:
        """Harmonise features between sites.

        Parameters
        ----------
        method : {"center", "combat", "none"}
            How, in ``brainage/models/features/harmonize.py``.
        """
        self._joined.harmonize(method)

    def features(self, participants: Participants) -> Any:
        """Compute what needs no fit, of shape (n_participants, n_raw).

        Parameters
        ----------
        participants : Participants
            Of all parts of the split.
        """
        return self._joined.raw(participants)

    def fit(self, features: Any, age: NDArray[np.float64]) -> None:
        """Fit feature sets, weights and penalty on training participants.

        Parameters
        ----------
        features : array of shape (n_participants, n_raw)
            What `features` returns, of training participants.
        age : array of shape (n_participants,)
            Their ages, in years.
        """
        self._weights, self._intercept, self._alpha = fit_ridge(self._joined.fit_transform(features, age), age)

    def predict(self, features: Any) -> NDArray[np.float64]:
        """Predict ages, in years, of shape (n_participants,).

        Parameters
        ----------
        features : array of shape (n_participants, n_raw)
            What `features` returns, of any participants.
        """
        return np.asarray(self._joined.transform(features) @ self._weights + self._intercept)

    def predict_refitted(self, features: Any, ages: _Array, others: Any) -> _Array:
        """Predict ages, in years, of shape (n_others, n_fits), after fits to other ages of the training participants.

        Parameters
        ----------
        features : array of shape (n_participants, n_raw)
            What `features` returns, of training participants.
        ages : array of shape (n_participants, n_fits)
            The ages of each fit, in years.
        others : array of shape (n_others, n_raw)
            What `features` returns, of other participants.
        """
        if self._joined.depends_on_age:
            return np.stack([self._refitted(features, age, others) for age in ages.T], axis=1)
        weights, intercepts = fit_ridges(self._joined.fit_transform(features, ages[:, 0]), ages)
        return np.asarray(self._joined.transform(others) @ weights + intercepts)

    def _refitted(self, features: Any, age: _Array, others: Any) -> _Array:
        self.fit(features, age)
        return self.predict(others)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what the sets have fitted, standardisation, weights and penalty."""
        return {
            **self._joined.arrays(),
            "weights": self._weights,
            "intercept": np.array(self._intercept),
            "alpha": np.array(self._alpha),
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take what `arrays` returned, in place of `fit`.

        Parameters
        ----------
        arrays : mapping of str to array
            From an untrusted file: any shapes.
        """
        self._joined.restore(arrays)
        self._weights, self._intercept = arrays["weights"], float(arrays["intercept"])
        self._alpha = float(arrays["alpha"])


def fit_ridge(features: NDArray[np.float64], age: NDArray[np.float64]) -> tuple[NDArray[np.float64], float, float]:
    """Return weights, intercept and the penalty of `ALPHAS` with the least squared leave-one-out error.

    It is scikit-learn's RidgeCV, but all penalties share one decomposition: with as many participants as features that
    takes a tenth of the time.
    """
    center, mean = features.mean(axis=0), age.mean()
    centred, target = features - center, age - mean
    is_tall = len(centred) > centred.shape[1]
    values, vectors = np.linalg.eigh(centred.T @ centred if is_tall else centred @ centred.T)
    values = values.clip(0)
    # Coordinates of the participants on the principal axes.
    scores = centred @ vectors if is_tall else vectors * np.sqrt(values)
    shrunk = 1 / (values[:, None] + ALPHAS)
    fitted = scores @ ((scores.T @ target)[:, None] * shrunk)
    leverage = scores**2 @ shrunk + 1 / len(age)
    errors = (((target[:, None] - fitted) / (1 - leverage)) ** 2).mean(axis=0)
    best = int(errors.argmin())
    if is_tall:
        weights = vectors @ ((scores.T @ target) * shrunk[:, best])
    else:
        weights = centred.T @ (vectors @ ((vectors.T @ target) * shrunk[:, best]))
    return weights, float(mean - center @ weights), float(ALPHAS[best])


def fit_ridges(features: _Array, ages: _Array) -> tuple[_Array, _Array]:
    """Return weights of shape (n_features, n_fits) and intercepts of `fit_ridge` for each column of ages."""
    center, means = features.mean(axis=0), ages.mean(axis=0)
    vectors, values, axes = np.linalg.svd(features - center, full_matrices=False)
    scores, targets = vectors * values, ages - means
    projected = scores.T @ targets
    errors = np.stack([_left_out_errors(scores, projected, targets, 1 / (values**2 + alpha)) for alpha in ALPHAS])
    shrunk = 1 / (values[:, None] ** 2 + ALPHAS[errors.argmin(axis=0)])
    weights = axes.T @ (projected * shrunk)
    return weights, means - center @ weights


def _left_out_errors(scores: _Array, projected: _Array, targets: _Array, shrunk: _Array) -> _Array:
    """Return the mean squared leave-one-out error of each fit with one penalty."""
    left = 1 - scores**2 @ shrunk - 1 / len(targets)
    residuals = (targets - scores @ (projected * shrunk[:, None])) / left[:, None]
    return np.asarray((residuals**2).mean(axis=0))
