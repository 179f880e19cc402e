"""The mean age of the training participants."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from brainage.data.participants import Participants


class MeanAge:
    """Predict the training participants' mean age for every participant."""

    def features(self, participants: Participants) -> NDArray[np.float64]:
        """Return no features, of shape (n_participants, 0)."""
        return np.empty((len(participants), 0))

    def fit(self, features: NDArray[np.float64], age: NDArray[np.float64]) -> None:
        """Compute the mean."""
        self._mean = float(age.mean())

    def predict(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean for each participant, in years."""
        return np.full(len(features), self._mean)

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return the mean, in years."""
        return {"intercept": np.array(self._mean)}
