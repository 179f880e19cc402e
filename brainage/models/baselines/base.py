"""The interface of a baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from brainage.data.participants import Participants


class Baseline(Protocol):
    """A model without epochs; each module of this folder (but ``base`` and ``ridge``) defines one."""

    def features(self, participants: Participants) -> NDArray[Any]:
        """Compute what needs no fit.

        Parameters
        ----------
        participants : Participants
            Of all parts of the split; the table has the cohort's columns.

        Returns
        -------
        array of shape (n_participants, ...)
            Each row depends on that participant only.
        """
        ...

    def fit(self, features: NDArray[Any], age: NDArray[np.float64]) -> None:
        """Fit.

        Parameters
        ----------
        features : array of shape (n_participants, ...)
            What `features` returned, of the training participants.
        age : array of shape (n_participants,)
            Their ages, in years.
        """
        ...

    def predict(self, features: NDArray[Any]) -> NDArray[np.float64]:
        """Predict ages, in years, of shape (n_participants,).

        Parameters
        ----------
        features : array of shape (n_participants, ...)
            What `features` returned, of any participants.
        """
        ...

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return what ``model.npz`` stores: all that predictions need; ``weights`` and ``intercept`` are counted."""
        ...


class SharedBaseline(Baseline, Protocol):
    """A baseline that can be exported, and predicts without its run."""

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take what `arrays` returned, in place of `fit`.

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
