"""Functional connectivity of all participants of a store, cached in its folder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from brainage.data.row_cache import cached_rows
from brainage.data.store.layout import Store

KINDS = ("correlation", "partial correlation", "covariance")

# Correlations are clipped, because Fisher's z of 1 is infinite.
_HIGHEST = 0.999999


def connectivity(store: Store, rows: NDArray[np.intp], channels: Sequence[int], kind: str) -> NDArray[np.float32]:
    """Return connectivity of these rows, float32 of shape (len(rows), n_pairs); correlations are Fisher-z transformed.

    `channels` are the indices of the components, and `kind` is that of nilearn's ConnectivityMeasure. Covariances,
    shrunk as by Ledoit and Wolf, have n_components pairs more, each component with itself.
    """
    is_covariance = kind == "covariance"
    lower = np.tril_indices(len(channels), 0 if is_covariance else -1)

    def compute(_: range, series: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        # Imports scikit-learn.
        from nilearn.connectome import ConnectivityMeasure

        measure = ConnectivityMeasure(kind=kind, standardize=False)
        found = measure.fit_transform([np.ascontiguousarray(one.T) for one in series])[:, *lower]
        values = found if is_covariance else np.arctanh(np.clip(found, -_HIGHEST, _HIGHEST))
        return np.asarray(values, dtype=np.float32)

    return cached_rows(store, channels, ("connectivity", kind), len(lower[0]), compute)[rows]
