"""Functional connectivity: correlations of components, or partial correlations, Fisher-z transformed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainage.data.connectivity import connectivity
from brainage.data.participants import Participants
from brainage.errors import ConfigError

# nilearn's names of the kinds.
_MEASURES = {"correlation": "correlation", "partial": "partial correlation"}


class Connectivity:
    """Fisher-z transformed correlations of each two components, from covariances shrunk as by Ledoit and Wolf.

    Parameters
    ----------
    kind : {"correlation", "partial"}
        Partial correlations are adjusted for all other components.
    """

    def __init__(self, kind: str) -> None:
        self.name, self._measure = kind, _MEASURES[kind]

    def raw(self, participants: Participants) -> NDArray[np.float32]:
        """Return connectivity, of shape (n_participants, n_pairs); raise a `ConfigError` for one component."""
        check_pairs(participants, self.name)
        return connectivity(participants.store, participants.rows, participants.channels, self._measure)

    def fit(self, raw: NDArray[np.float32]) -> None:
        """Fit nothing."""

    def transform(self, raw: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return connectivity, of shape (n_participants, n_pairs)."""
        return raw.astype(np.float64)

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return nothing."""
        return {}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take nothing: nothing is fitted."""


def check_pairs(participants: Participants, name: str) -> None:
    """Raise a `ConfigError` unless the components form pairs."""
    if len(participants.channels) < 2:
        raise ConfigError(
            f"Features `{name}` need two or more components, which form pairs, but the modality has "
            f"{len(participants.channels)}. Use another model or modality."
        )
