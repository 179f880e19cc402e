"""Ridge regression on feature sets, with a penalty chosen by leave-one-out in training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainage.data.participants import Participants
from brainage.models.features.base import FeatureSet
from brainage.models.features.joined import Blocks, Joined

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
        self._weights, self._intercept, self._alpha = _fit_blocks(self._joined.fit(features, age), age)

    def predict(self, features: Any) -> NDArray[np.float64]:
        """Predict ages, in years, of shape (n_participants,).

        Parameters
        ----------
        features : array of shape (n_participants, n_raw)
            What `features` returns, of any participants.
        """
        blocks = self._joined.blocks(features)
        return np.concatenate([block @ self._weights + self._intercept for block in blocks])

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
    return _fit_blocks(lambda: [features], age)


def _fit_blocks(blocks: Blocks, age: _Array) -> tuple[_Array, float, float]:
    """Fit as `fit_ridge`; with more participants than features, only a block of participants is in memory."""
    mean = float(age.mean())
    center = sum(block.sum(axis=0) for block in blocks()) / len(age)
    fit = _fit_tall if len(age) > len(center) else _fit_wide
    weights, alpha = fit(lambda: (block - center for block in blocks()), age - mean)
    return weights, float(mean - center @ weights), alpha


def _fit_tall(centred: Blocks, target: _Array) -> tuple[_Array, float]:
    n_features = next(iter(centred())).shape[1]
    gram, moments = np.zeros((n_features, n_features)), np.zeros(n_features)
    for block, ages in _with_ages(centred(), target):
        gram += block.T @ block
        moments += block.T @ ages
    values, axes = np.linalg.eigh(gram)
    shrunk, projected = 1 / (values.clip(0)[:, None] + ALPHAS), axes.T @ moments
    # Coordinates of the participants on the principal axes.
    best = _best_penalty(((block @ axes, ages) for block, ages in _with_ages(centred(), target)), projected, shrunk)
    return axes @ (projected * shrunk[:, best]), float(ALPHAS[best])


def _fit_wide(centred: Blocks, target: _Array) -> tuple[_Array, float]:
    features = np.concatenate(list(centred()))
    values, vectors = np.linalg.eigh(features @ features.T)
    values = values.clip(0)
    shrunk, scores = 1 / (values[:, None] + ALPHAS), vectors * np.sqrt(values)
    best = _best_penalty([(scores, target)], scores.T @ target, shrunk)
    return features.T @ (vectors @ ((vectors.T @ target) * shrunk[:, best])), float(ALPHAS[best])


def _best_penalty(scored: Iterable[tuple[_Array, _Array]], projected: _Array, shrunk: _Array) -> int:
    """Return the number of the penalty with the least squared leave-one-out error, from blocks of scores and ages."""
    slopes = projected[:, None] * shrunk
    found = [(ages[:, None] - scores @ slopes, scores**2 @ shrunk) for scores, ages in scored]
    residuals, leverage = (np.concatenate(values) for values in zip(*found, strict=True))
    return int(((residuals / (1 - leverage - 1 / len(residuals))) ** 2).mean(axis=0).argmin())


def _with_ages(blocks: Iterable[_Array], ages: _Array) -> Iterator[tuple[_Array, _Array]]:
    begin = 0
    for block in blocks:
        yield block, ages[begin : begin + len(block)]
        begin += len(block)


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
