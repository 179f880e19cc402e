"""Ridge regression with a penalty chosen by generalised leave-one-out cross-validation."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from brainage.data.participants import Participants

# Penalties to choose from, for standardised features.
ALPHAS = np.logspace(-1, 6, 29)


class Ridge(ABC):
    """Standardise features and fit scikit-learn's RidgeCV; a subclass computes the features."""

    @abstractmethod
    def features(self, participants: Participants) -> NDArray[np.float64]:
        """Compute features, of shape (n_participants, n_features).

        Parameters
        ----------
        participants : Participants
            Of all parts of the split; no fit may use them.
        """

    def fit(self, features: NDArray[np.float64], age: NDArray[np.float64]) -> None:
        """Fit weights and penalty on training participants.

        Parameters
        ----------
        features : array of shape (n_participants, n_features)
            What `features` returns, of training participants.
        age : array of shape (n_participants,)
            Their ages, in years.
        """
        from sklearn.linear_model import RidgeCV

        self._center = features.mean(axis=0)
        spread = features.std(axis=0)
        self._scale = np.where(spread > 0, spread, 1.0)
        fitted = RidgeCV(alphas=ALPHAS).fit((features - self._center) / self._scale, age)
        self._weights, self._intercept, self._alpha = fitted.coef_, float(fitted.intercept_), float(fitted.alpha_)

    def predict(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Predict ages, in years, of shape (n_participants,).

        Parameters
        ----------
        features : array of shape (n_participants, n_features)
            Features of any participants.
        """
        return np.asarray((features - self._center) / self._scale @ self._weights + self._intercept)

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return standardisation, weights and penalty."""
        return {
            "center": self._center,
            "scale": self._scale,
            "weights": self._weights,
            "intercept": np.array(self._intercept),
            "alpha": np.array(self._alpha),
        }
