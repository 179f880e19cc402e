"""The mean age of the training participants, for everybody."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from brainage.models.baselines.base import Inputs


class MeanAge:
    """Predicts the training set's mean age; see `brainage.models.baselines.base.Estimator`."""

    def features(self, inputs: Inputs) -> NDArray[np.float64]:
        """Return nothing about anybody."""
        return np.empty((len(inputs.people), 0))

    def fit(self, features: NDArray[np.float64], age: NDArray[np.float64]) -> None:
        """Note the mean."""
        self._mean = float(age.mean())

    def predict(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean, for each."""
        return np.full(len(features), self._mean)

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return the mean, in years."""
        return {"intercept": np.array(self._mean)}
