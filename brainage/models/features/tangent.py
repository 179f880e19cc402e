"""Functional connectivity in the tangent space at the training participants' mean covariance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainage.data.connectivity import connectivity
from brainage.data.participants import Participants
from brainage.models.features.connectivity import check_pairs

_Array = NDArray[np.float64]

# Participants whose matrices are in memory at a time.
_TOGETHER = 256

# The mean is found when no entry of its gradient is larger, or after so many steps.
_TOLERANCE, _MAX_STEPS = 1e-6, 20


class Tangent:
    """Logarithms of covariances that are whitened by the mean covariance of the training participants.

    The mean is geometric: it minimises the sum of squared affine-invariant distances. Covariances are shrunk as by
    Ledoit and Wolf, as in nilearn's ConnectivityMeasure of ``kind="tangent"``, which has the same features.

    References
    ----------
    Varoquaux et al. 2010, doi 10.1007/978-3-642-15705-9_25. Dadi et al. 2019, doi 10.1016/j.neuroimage.2019.02.062.
    """

    name = "tangent"

    def raw(self, participants: Participants) -> NDArray[np.float32]:
        """Return lower triangles of covariances, of shape (n_participants, n_pairs + n_components)."""
        check_pairs(participants, self.name)
        return connectivity(participants.store, participants.rows, participants.channels, "covariance")

    def fit(self, raw: NDArray[np.float32]) -> None:
        """Find the mean covariance of the training participants."""
        self._whitening = _power(geometric_mean(raw), -0.5)

    def transform(self, raw: NDArray[np.float32]) -> _Array:
        """Return tangent vectors, of shape (n_participants, n_pairs + n_components).

        They are lower triangles, row by row, with diagonals divided by the square root of 2, so that an entry for two
        components, which is in the matrix twice, has the weight that it has there.
        """
        rows, columns = np.tril_indices(len(self._whitening))
        scale = np.where(rows == columns, 1 / np.sqrt(2), 1.0)
        found = [_logs(together, self._whitening)[:, rows, columns] * scale for together in _blocks(raw)]
        return np.concatenate(found)

    def arrays(self) -> dict[str, _Array]:
        """Return the inverse square root of the mean covariance."""
        return {"whitening": self._whitening}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take what `arrays` returned."""
        self._whitening = arrays["whitening"]


def geometric_mean(triangles: NDArray[np.float32]) -> _Array:
    """Return the geometric mean of covariances, given by their lower triangles: Fletcher and Joshi 2007, algorithm 3.

    References
    ----------
    doi 10.1016/j.sigpro.2005.12.018
    """
    mean: _Array = _full(triangles.mean(axis=0, dtype=np.float64)[None])[0]
    step, last = 1.0, np.inf
    for _ in range(_MAX_STEPS):
        root, whitening = _power(mean, 0.5), _power(mean, -0.5)
        gradient = np.sum([_logs(one, whitening).sum(axis=0) for one in _blocks(triangles)], axis=0) / len(triangles)
        mean = np.asarray(root @ _mapped(np.exp, step * gradient) @ root)
        norm = float(np.abs(gradient).max())
        if norm < _TOLERANCE:
            break
        step, last = (step, norm) if norm < last else (step / 2, last)
    return mean


def _blocks(triangles: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return [triangles[begin : begin + _TOGETHER] for begin in range(0, len(triangles), _TOGETHER)]


def _logs(triangles: NDArray[np.float32], whitening: _Array) -> _Array:
    """Return logarithms of whitened covariances, of shape (n, n_components, n_components)."""
    return _mapped(np.log, whitening @ _full(triangles.astype(np.float64)) @ whitening)


def _full(triangles: _Array) -> _Array:
    """Return symmetric matrices of lower triangles."""
    size = int(np.sqrt(2 * triangles.shape[1]))
    rows, columns = np.tril_indices(size)
    matrices = np.empty((len(triangles), size, size))
    matrices[:, rows, columns] = matrices[:, columns, rows] = triangles
    return matrices


def _power(matrix: _Array, exponent: float) -> _Array:
    return _mapped(lambda values: np.asarray(values**exponent), matrix)


def _mapped(function: Callable[[_Array], _Array], matrices: _Array) -> _Array:
    """Apply a function to the eigenvalues of symmetric matrices."""
    values, vectors = np.linalg.eigh(matrices)
    return np.asarray((vectors * function(values)[..., None, :]) @ vectors.swapaxes(-1, -2))
