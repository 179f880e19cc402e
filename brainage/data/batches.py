"""Batches of participants: a batch is one gather from the store or from memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from brainage.data.augmentation import Mix
from brainage.data.participants import Participants
from brainage.data.store.layout import verify
from brainage.system.console import track

Batch = tuple[Tensor, Tensor]
DrawMix = Callable[[np.random.Generator, int], Mix | None]


@dataclass(frozen=True)
class Draw:
    """The participants of a batch, as positions within a part, and how their series are changed."""

    index: NDArray[np.intp]
    mix: Mix | None = None


class SeriesDataset(Dataset[Batch]):
    """Participants' series and ages, in years; an item is a whole batch.

    `series` is float32 of shape (n_rows, n_components, n_times): in memory, or mapped if the `channels` to gather are
    given. `rows` has each participant's row; `release` drops mapped pages after a batch.
    """

    def __init__(
        self,
        series: NDArray[np.float32],
        rows: NDArray[np.intp],
        channels: NDArray[np.intp] | None,
        ages: NDArray[np.float64],
        release: Callable[[], None] | None = None,
    ) -> None:
        self._release = release
        self._series, self._rows, self._channels = series, rows, channels
        self._held = torch.from_numpy(series) if channels is None else None
        self._ages = torch.from_numpy(ages.astype(np.float32))

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def n_times(self) -> int:
        """Time points of a series."""
        return int(self._series.shape[2])

    def __getitem__(self, draw: Draw) -> Batch:
        """Return series, of shape (batch, n_channels, n_times), and ages, of shape (batch,)."""
        mix, rows, ages = draw.mix, self._rows[draw.index], self._ages[torch.from_numpy(draw.index)]
        if self._held is None:
            series = self._series[rows[:, None], self._channels]
            if self._release is not None:
                self._release()
            gathered = torch.from_numpy(series if mix is None else mix.gather(series, np.arange(len(rows))))
        elif mix is None:
            gathered = self._held[torch.from_numpy(rows)]
        else:
            gathered = torch.from_numpy(mix.gather(self._series, rows))
        return gathered, ages if mix is None else mix.ages(ages, self.n_times)


class BatchOrder(Sampler[Draw]):
    """The batches of an epoch.

    Order and changes depend on (`seed`, epoch) only, so a resumed run sees the same batches. Without a seed, the order
    is kept. A last participant alone joins the batch before, because batch normalisation cannot train on one.
    """

    def __init__(
        self, n_participants: int, batch_size: int, seed: int | None = None, draw_mix: DrawMix | None = None
    ) -> None:
        self._n_participants, self._seed, self._epoch, self._draw_mix = n_participants, seed, 0, draw_mix
        starts = list(range(0, n_participants, batch_size))
        if len(starts) > 1 and n_participants - starts[-1] == 1:
            starts.pop()
        self._starts = starts

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[Draw]:
        """Yield the batches of the epoch that is current when the first one is requested."""
        # Resuming, Lightning begins to iterate before it sets the epoch.
        rng = np.random.default_rng([self._seed or 0, self._epoch])
        order = np.arange(self._n_participants) if self._seed is None else rng.permutation(self._n_participants)
        for index in np.split(order, self._starts[1:]):
            yield Draw(index, None if self._draw_mix is None else self._draw_mix(rng, len(index)))

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch; Lightning calls it before each."""
        self._epoch = epoch


def mapped_dataset(participants: Participants) -> SeriesDataset:
    """Return a data set that gathers from the store's mapped file."""
    store = participants.store
    return SeriesDataset(
        store.series, participants.rows, np.array(participants.channels), participants.ages, store.release
    )


def held_dataset(participants: Participants) -> SeriesDataset:
    """Return a data set with a copy of the series in memory, compared with their checksums."""
    store, rows = participants.store, participants.rows
    verify(store, rows)
    held = np.empty((len(rows), len(participants.channels), store.series.shape[2]), dtype=np.float32)
    for position, row in enumerate(rows):
        held[position] = store.series[row, participants.channels]
    return SeriesDataset(held, np.arange(len(rows)), None, participants.ages)


def series_batches(participants: Participants, batch_size: int) -> Iterator[Tensor]:
    """Yield the participants' series from the mapped store, each of shape (batch, n_channels, n_times)."""
    dataset = mapped_dataset(participants)
    starts = range(0, len(participants), batch_size)
    for start in track(starts, len(starts), "Batches predicted"):
        yield dataset[Draw(np.arange(start, min(start + batch_size, len(participants))))][0]
