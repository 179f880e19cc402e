"""A ridge on functional connectivity, the standard that a network is compared with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from brainage.data.connectivity import KINDS, connectivity
from brainage.data.participants import Participants
from brainage.errors import ConfigError, nearest
from brainage.models.baselines.ridge import Ridge


class RidgeConnectivity(Ridge):
    """Predict age from Fisher-z transformed functional connectivity.

    Parameters
    ----------
    kind : {"correlation", "partial correlation"}
        Kind of nilearn's ConnectivityMeasure.
    """

    def __init__(self, *, kind: str = "correlation") -> None:
        if kind not in KINDS:
            raise ConfigError(f"`model.kind` got {kind!r}. {nearest(str(kind), KINDS)}")
        self._kind = kind

    def features(self, participants: Participants) -> NDArray[np.float64]:
        """Return connectivity, of shape (n_participants, n_pairs); raise a `ConfigError` for one component."""
        if len(participants.channels) < 2:
            raise ConfigError(
                "`model=ridge_connectivity` needs two or more components, which form pairs, but the modality has "
                f"{len(participants.channels)}. Use another model or modality."
            )
        return connectivity(participants.store, participants.rows, participants.channels, self._kind).astype(np.float64)
