"""Amplitudes of components, which all other feature sets leave out: they are computed from z-scored series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainage.data.participants import Participants
from brainage.errors import ConfigError


class Amplitude:
    """Log of each component's SD over time in ``modality.scale``, and with scale "none" also its mean.

    A missing component's are set to the training participants' means.
    """

    name = "amplitude"

    def raw(self, participants: Participants) -> NDArray[np.float64]:
        """Return features, means over scans; NaN for missing components. Raise a `ConfigError` if z-scored."""
        if participants.scale == "zscore":
            raise ConfigError(
                "Features `amplitude` are of series that are not z-scored, but `modality.scale=zscore`. Use "
                "modality.scale=percent or modality.scale=none, or leave them out."
            )
        scaling, first = participants.scaling, participants.store.first_scans
        sd = np.asarray(scaling.gain, dtype=np.float64)[..., 0]
        present = sd > 0
        parts = [np.log(sd, out=np.full_like(sd, np.nan), where=present)]
        if scaling.offset is not None:
            parts.append(np.where(present, scaling.offset[..., 0], np.nan))
        of_scans = np.concatenate(parts, axis=1)
        return np.stack([of_scans[first[row] : first[row + 1]].mean(axis=0) for row in participants.rows])

    def fit(self, raw: NDArray[np.float64]) -> None:
        """Compute the training participants' means, which replace missing values."""
        known = ~np.isnan(raw)
        self._mean = np.where(known, raw, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)

    def transform(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return features, of shape (n_participants, n_components), or twice as many with scale "none"."""
        return np.where(np.isnan(raw), self._mean, raw)

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return the means."""
        return {"mean": self._mean}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take what `arrays` returned."""
        self._mean = arrays["mean"]
