"""Series of several lengths in one flat array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Ragged:
    """Series of participants, one after another; ``ragged[row]`` has the shape (n_channels, n_times of that row).

    Parameters
    ----------
    flat : array of shape (n_values,)
        All values; it may be memory-mapped.
    n_channels : int
        Channels of every series.
    lengths : sequence of int
        Time points of each series.
    """

    def __init__(self, flat: NDArray[np.float32], n_channels: int, lengths: Sequence[int]) -> None:
        self.base = flat.base
        self.lengths = np.array(lengths, dtype=np.intp)
        self._flat, self.n_channels = flat, n_channels
        self._ends = np.cumsum(self.lengths * n_channels)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, row: int) -> NDArray[np.float32]:
        size = int(self.lengths[row]) * self.n_channels
        end = int(self._ends[row])
        return self._flat[end - size : end].reshape(self.n_channels, -1)
