"""Several feature sets side by side, standardised in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainage.data.participants import Participants
from brainage.models.features.base import FeatureSet


class Joined:
    """Features of several sets, each with mean 0 and SD 1 in the training participants.

    Parameters
    ----------
    sets : sequence of FeatureSet
        One or more.
    within : bool, default=False
        Whether they are then also standardised within each participant.
    """

    def __init__(self, sets: Sequence[FeatureSet], *, within: bool = False) -> None:
        self._sets, self._within = sets, within
        self._ends: NDArray[np.intp] | list[int] = []

    def raw(self, participants: Participants) -> NDArray[Any]:
        """Return what the sets compute without a fit, of shape (n_participants, n_raw)."""
        found = [one.raw(participants) for one in self._sets]
        self._ends = np.cumsum([values.shape[1] for values in found])[:-1]
        return np.concatenate(found, axis=1)

    def fit_transform(self, raw: NDArray[Any]) -> NDArray[np.float64]:
        """Fit the sets, means and SDs to training participants, and return their features."""
        for one, values in zip(self._sets, self._split(raw), strict=True):
            one.fit(values)
        features = self._unscaled(raw)
        self._center, spread = features.mean(axis=0), features.std(axis=0)
        self._scale = np.where(spread > 0, spread, 1.0)
        return self._scaled(features)

    def transform(self, raw: NDArray[Any]) -> NDArray[np.float64]:
        """Return standardised features, of shape (n_participants, n_features)."""
        return self._scaled(self._unscaled(raw))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of the sets, each behind its name, then means and SDs."""
        of_sets = {f"{one.name}_{key}": value for one in self._sets for key, value in one.arrays().items()}
        return {**of_sets, "center": self._center, "scale": self._scale}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take what `arrays` returned."""
        for one in self._sets:
            prefix = f"{one.name}_"
            own = {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}
            one.restore(own)
        self._center, self._scale = arrays["center"], arrays["scale"]

    def _split(self, raw: NDArray[Any]) -> list[NDArray[Any]]:
        return np.split(raw, self._ends, axis=1)

    def _unscaled(self, raw: NDArray[Any]) -> NDArray[np.float64]:
        parts = [one.transform(values) for one, values in zip(self._sets, self._split(raw), strict=True)]
        return np.concatenate(parts, axis=1)

    def _scaled(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        scaled = (features - self._center) / self._scale
        if self._within:
            scaled -= scaled.mean(axis=1, keepdims=True)
            scaled /= np.maximum(scaled.std(axis=1, keepdims=True), 1e-12)
        return np.asarray(scaled)
