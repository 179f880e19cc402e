"""A ridge on functional connectivity: what a network has to be better than."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from brainage.data.connectivity import KINDS, connectivity
from brainage.errors import ConfigError, nearest
from brainage.models.baselines.base import Inputs
from brainage.models.baselines.ridge import Ridge


class RidgeConnectivity:
    """Predicts age from Fisher-z transformed connectivity; see `brainage.models.baselines.base.Estimator`.

    Parameters
    ----------
    kind : {"correlation", "partial correlation"}
        Of nilearn's ConnectivityMeasure.
    """

    def __init__(self, *, kind: str = "correlation") -> None:
        if kind not in KINDS:
            raise ConfigError(f"`model.kind` got {kind!r}. {nearest(str(kind), KINDS)}")
        self._kind, self._ridge = kind, Ridge()

    def features(self, inputs: Inputs) -> NDArray[np.float64]:
        """Return connectivity, of shape (n_participants, n_pairs)."""
        rows = inputs.people["row"].to_numpy(np.intp)
        return connectivity(inputs.store, rows, inputs.channels, self._kind).astype(np.float64)

    def fit(self, features: NDArray[np.float64], age: NDArray[np.float64]) -> None:
        """Fit the ridge."""
        self._ridge.fit(features, age)

    def predict(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return predicted ages, in years."""
        return self._ridge.predict(features)

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return the ridge's."""
        return self._ridge.arrays()
