"""The batches of an epoch: which participants, in which order, and how their series are changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from brainage.data.augmentation import Mix

# Steps of an epoch that suffice where participants are few, and participants a batch at most.
N_STEPS, _MOST = 8, 128


def batch_size_for(n_participants: int) -> int:
    """Return the largest power of two, from 2 to 128, of which an epoch has 8 whole batches or more, if one has."""
    size = 2
    while size < _MOST and n_participants >= 2 * size * N_STEPS:
        size *= 2
    return size


@dataclass(frozen=True)
class Draw:
    """The participants of a batch, as positions within a part, and how their series are changed.

    `begins` is the share, in [0, 1), of the places where a window can begin; without it, a batch has all windows.
    """

    index: NDArray[np.intp]
    mix: Mix | None = None
    begins: NDArray[np.float64] | None = None

    def share(self, rank: int, n_shares: int) -> Draw:
        """Return one of `n_shares` parts of the batch, as even as they can be; it is changed as in the batch."""
        if n_shares == 1:
            return self
        needed, mix = np.array_split(np.arange(len(self.index)), n_shares)[rank], self.mix
        if mix is not None:
            mix, needed = mix.part(needed)
        return Draw(self.index[needed], mix, None if self.begins is None else self.begins[needed])


MakeDraw = Callable[[np.random.Generator, NDArray[np.intp]], Draw]


class BatchOrder(Sampler[Draw]):
    """The batches of an epoch.

    Order and changes depend on (`seed`, epoch) only, so a resumed run sees the same batches. Without a seed, the order
    is kept. A last participant alone joins the batch before, because batch normalisation cannot train on one. `share`
    is the rank of a process and the number of those that share each batch.
    """

    def __init__(
        self,
        n_participants: int,
        batch_size: int,
        seed: int | None = None,
        make_draw: MakeDraw = lambda _, index: Draw(index),
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self._n_participants, self._seed, self._epoch, self._make_draw = n_participants, seed, 0, make_draw
        starts = list(range(0, n_participants, batch_size))
        if len(starts) > 1 and n_participants - starts[-1] == 1:
            starts.pop()
        self._starts, self._share = starts, share

    def __len__(self) -> int:
        return len(self._starts)

    @property
    def sizes(self) -> list[int]:
        """Participants of each batch, those of all shares together."""
        sizes: list[int] = np.diff([*self._starts, self._n_participants]).tolist()
        return sizes

    def __iter__(self) -> Iterator[Draw]:
        """Yield the batches of the epoch that is current when the first one is requested."""
        # Resuming, Lightning begins to iterate before it sets the epoch.
        rng = np.random.default_rng([self._seed or 0, self._epoch])
        order = np.arange(self._n_participants) if self._seed is None else rng.permutation(self._n_participants)
        for index in np.split(order, self._starts[1:]):
            yield self._make_draw(rng, index).share(*self._share)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch; Lightning calls it before each."""
        self._epoch = epoch
