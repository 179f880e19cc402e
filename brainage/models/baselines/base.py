"""What a baseline offers: it is fitted at once, without epochs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.data.store.layout import Store


@dataclass(frozen=True)
class Inputs:
    """What an estimator may look at.

    Parameters
    ----------
    people : DataFrame
        A row a participant: ``row`` in the store, and the columns of the cohort's table.
    store : Store
        Everybody's series.
    channels : tuple of int
        Indices of the components.
    """

    people: pd.DataFrame
    store: Store
    channels: tuple[int, ...]


class Estimator(Protocol):
    """A baseline; a module of this folder that `ESTIMATORS` names holds one class that offers this."""

    def features(self, inputs: Inputs) -> NDArray[np.float64]:
        """Return what it predicts from, of shape (n_participants, n_features)."""
        ...

    def fit(self, features: NDArray[np.float64], age: NDArray[np.float64]) -> None:
        """Learn from training participants."""
        ...

    def predict(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return predicted ages, in years, of shape (n_participants,)."""
        ...

    def arrays(self) -> Mapping[str, NDArray[np.float64]]:
        """Return what was learned, as ``model.npz`` holds it."""
        ...
