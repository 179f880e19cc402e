"""Responses to random convolutions over time, after ROCKET and MiniRocket."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from brainage.data.participants import Participants
from brainage.data.row_cache import cached_rows
from brainage.errors import ConfigError

# Time points of a kernel, and its features: shares of time above these thresholds, and the SD.
_LENGTH, _THRESHOLDS = 9, (-1.0, 0.0, 1.0)


class RandomConvolutions:
    """How the series respond to random kernels over several components: shares of time above thresholds, and log SD.

    As in ROCKET, the weights of a kernel are normal with mean 0 over time, and its components are a random subset; they
    are scaled so that white noise gives a variance of 1. As in MiniRocket, dilations are powers of 2 and a kernel has
    several thresholds, which are fixed here, because series are z-scored. So nothing is fitted, and series may have
    any lengths, unlike in aeon and sktime, which also compile their kernels in each process.

    Parameters
    ----------
    n_kernels : int
        Number of kernels.
    seed : int
        Of the kernels.

    References
    ----------
    Dempster et al. 2020, doi 10.1007/s10618-020-00701-z. Dempster et al. 2021, doi 10.1145/3447548.3467231.
    """

    name = "random_convolutions"

    def __init__(self, n_kernels: int = 1000, seed: int = 0) -> None:
        for key, value, least in (("n_kernels", n_kernels, 1), ("seed", seed, 0)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigError(f"`model.{key}` must be an integer, {least} or more, but got {value!r}.")
        self._n_kernels, self._seed = n_kernels, seed

    def raw(self, participants: Participants) -> NDArray[np.float32]:
        """Return the features, of shape (n_participants, n_features)."""
        n_channels, shortest = len(participants.channels), participants.n_times
        if shortest < _LENGTH:
            raise ConfigError(
                f"Features `random_convolutions` need {_LENGTH} time points or more, but `modality.n_times` is "
                f"{shortest}. Use another model or modality."
            )
        self._weights, self._dilations = _drawn(self._n_kernels, n_channels, shortest, self._seed)

        def compute(_: range, series: list[NDArray[np.float32]]) -> NDArray[np.float32]:
            return np.stack([_responses(one, self._weights, self._dilations) for one in series])

        settings = f"{self._n_kernels} {self._seed} {shortest}"
        width = self._n_kernels * (len(_THRESHOLDS) + 1)
        return cached_rows(participants.store, participants.channels, (self.name, settings), width, compute)[
            participants.rows
        ]

    def fit(self, raw: NDArray[np.float32]) -> None:
        """Fit nothing."""

    def transform(self, raw: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the features, of shape (n_participants, n_features)."""
        return raw.astype(np.float64)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the kernels, of shape (n_kernels, n_channels, time points), their dilations, and the thresholds."""
        return {"kernels": self._weights, "dilations": self._dilations, "thresholds": np.array(_THRESHOLDS)}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Check the number of kernels, which are drawn again from the seed."""
        if len(arrays["kernels"]) != self._n_kernels:
            raise ValueError(f"{len(arrays['kernels'])} kernels, not {self._n_kernels}")


def _drawn(n_kernels: int, n_channels: int, n_times: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Draw kernels; their dilations rise, and are powers of 2 at which a kernel fits into the series."""
    rng = np.random.default_rng(seed)
    n_dilations = int(math.log2((n_times - 1) / (_LENGTH - 1))) + 1
    dilations = 2 ** (np.arange(n_kernels) * n_dilations // n_kernels)
    weights = rng.normal(size=(n_kernels, n_channels, _LENGTH))
    weights -= weights.mean(axis=2, keepdims=True)
    n_used = np.floor(2 ** rng.uniform(0, math.log2(n_channels + 1), n_kernels))
    ranks = rng.random((n_kernels, n_channels)).argsort(axis=1)
    weights[ranks >= n_used[:, None]] = 0
    weights /= np.sqrt((weights**2).sum(axis=(1, 2), keepdims=True))
    return weights.astype(np.float32), dilations


def _responses(
    series: NDArray[np.float32], weights: NDArray[np.float32], dilations: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Return all features of a participant, kernel by kernel."""
    found = []
    for dilation in np.unique(dilations):
        kernels = weights[dilations == dilation]
        windows = sliding_window_view(series, (_LENGTH - 1) * dilation + 1, axis=1)[:, :, ::dilation]
        columns = windows.transpose(0, 2, 1).reshape(kernels[0].size, -1)
        response = kernels.reshape(len(kernels), -1) @ columns
        shares = [(response > threshold).mean(axis=1) for threshold in _THRESHOLDS]
        found.append(np.stack([*shares, np.log(response.std(axis=1) + 1e-6)], axis=1))
    return np.concatenate(found).ravel().astype(np.float32)
