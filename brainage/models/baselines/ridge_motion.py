"""A ridge on head motion alone: how much of age a predictor could read from how still people lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from brainage.errors import CohortError
from brainage.models.baselines.base import Inputs
from brainage.models.baselines.ridge import Ridge


class RidgeMotion:
    """Predicts age from head motion and its square; see `brainage.models.baselines.base.Estimator`.

    People whose motion is not known count as the median of the training participants.
    """

    def __init__(self) -> None:
        self._ridge = Ridge()

    def features(self, inputs: Inputs) -> NDArray[np.float64]:
        """Return motion and its square, of shape (n_participants, 2)."""
        motion = inputs.people.get("head_motion")
        if motion is None or motion.notna().sum() == 0:
            raise CohortError(
                "`model=ridge_motion` needs `head_motion` in the cohort's table (field 25741 of UK Biobank), but "
                "nobody has it. Add the column, or choose another model."
            )
        split = inputs.people.get("split")
        training = motion if split is None else motion[split == "train"]
        values = motion.fillna(training.median()).to_numpy(float)
        return np.stack([values, values**2], axis=1)

    def fit(self, features: NDArray[np.float64], age: NDArray[np.float64]) -> None:
        """Fit the ridge."""
        self._ridge.fit(features, age)

    def predict(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return predicted ages, in years."""
        return self._ridge.predict(features)

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return the ridge's."""
        return self._ridge.arrays()
