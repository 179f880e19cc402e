"""The interface of a feature set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from brainage.data.participants import Participants


class FeatureSet(Protocol):
    """Numbers that describe each participant; the modules of this folder define them, and a user's own code may.

    Attributes
    ----------
    name : str
        Prefix of its arrays in ``model.npz``.
    """

    name: str

    def raw(self, participants: Participants) -> NDArray[Any]:
        """Compute what needs no fit, of shape (n_participants, n_raw).

        Parameters
        ----------
        participants : Participants
            Of all parts of the split.

        Returns
        -------
        array of shape (n_participants, n_raw)
            Each row depends on that participant only.
        """
        ...

    def fit(self, raw: NDArray[Any]) -> None:
        """Fit what the features of a participant need of others, such as a mean.

        Parameters
        ----------
        raw : array of shape (n_participants, n_raw)
            What `raw` returned, of training participants only.
        """
        ...

    def transform(self, raw: NDArray[Any]) -> NDArray[np.float64]:
        """Return features, of shape (n_participants, n_features), without missing values.

        Parameters
        ----------
        raw : array of shape (n_participants, n_raw)
            Of any participants.
        """
        ...

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return what another program needs to compute the features: fitted values and settings."""
        ...

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take what `arrays` returned, in place of `fit`: of a baseline that others predict with.

        Parameters
        ----------
        arrays : mapping of str to array
            From an untrusted file: any shapes.

        Raises
        ------
        KeyError, TypeError, ValueError
            They are not what `arrays` returns.
        """
        ...
