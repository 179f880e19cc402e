"""Ridge regression on feature sets, with a penalty chosen by leave-one-out in training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainage.data.participants import Participants
from brainage.models.features.base import FeatureSet
from brainage.models.features.joined import Joined

# Penalties to choose from, for standardised features.
ALPHAS = np.logspace(-1, 6, 29)


class Ridge:
    """Standardise the features of one or more sets and fit scikit-learn's RidgeCV; a baseline chooses the sets.

    Parameters
    ----------
    *sets : FeatureSet
        What age is predicted from.
    within : bool, default=False
        Whether features are then also standardised within each participant.
    """

    def __init__(self, *sets: FeatureSet, within: bool = False) -> None:
        self._joined = Joined(sets, within=within)

    def features(self, participants: Participants) -> NDArray[Any]:
        """Compute what needs no fit, of shape (n_participants, n_raw).

        Parameters
        ----------
        participants : Participants
            Of all parts of the split.
        """
        return self._joined.raw(participants)

    def fit(self, features: NDArray[Any], age: NDArray[np.float64]) -> None:
        """Fit feature sets, weights and penalty on training participants.

        Parameters
        ----------
        features : array of shape (n_participants, n_raw)
            What `features` returns, of training participants.
        age : array of shape (n_participants,)
            Their ages, in years.
        """
        from sklearn.linear_model import RidgeCV

        fitted = RidgeCV(alphas=ALPHAS).fit(self._joined.fit_transform(features), age)
        self._weights, self._intercept, self._alpha = fitted.coef_, float(fitted.intercept_), float(fitted.alpha_)

    def predict(self, features: NDArray[Any]) -> NDArray[np.float64]:
        """Predict ages, in years, of shape (n_participants,).

        Parameters
        ----------
        features : array of shape (n_participants, n_raw)
            What `features` returns, of any participants.
        """
        return np.asarray(self._joined.transform(features) @ self._weights + self._intercept)

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
