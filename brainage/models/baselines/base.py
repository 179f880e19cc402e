"""The interface of a baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from brainage.data.participants import Participants


class Baseline(Protocol):
    """A model without epochs; each module of this folder (but ``base`` and ``ridge``) defines one."""

    def features(self, participants: Participants) -> NDArray[np.float64]:
        """Compute features, without fitting anything.

        Parameters
        ----------
        participants : Participants
            Of all parts of the split; the table has the cohort's columns.

        Returns
        -------
        array of shape (n_participants, n_features)
            The features.
        """
        ...

    def fit(self, features: NDArray[np.float64], age: NDArray[np.float64]) -> None:
        """Fit.

        Parameters
        ----------
        features : array of shape (n_participants, n_features)
            Features of the training participants.
        age : array of shape (n_participants,)
            Their ages, in years.
        """
        ...

    def predict(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Predict ages, in years, of shape (n_participants,).

        Parameters
        ----------
        features : array of shape (n_participants, n_features)
            Features of any participants.
        """
        ...

    def arrays(self) -> Mapping[str, NDArray[np.float64]]:
        """Return the fitted values that ``model.npz`` stores; ``weights`` and ``intercept`` count as parameters."""
        ...
