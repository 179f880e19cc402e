"""From the store to batches: a batch is one gather."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from brainage.data.augmentation import Augmentation, Mix
from brainage.data.splits import PARTS
from brainage.data.store.layout import Store, verify

# `store.residency=auto` holds the series in memory when they take less than this share of what is free.
_SHARE_OF_FREE_MEMORY = 0.25

Batch = tuple[Tensor, Tensor]
DrawMix = Callable[[np.random.Generator, int], Mix | None]


@dataclass(frozen=True)
class People:
    """The participants of one part, in a fixed order.

    Parameters
    ----------
    rows : array of shape (n_participants,)
        Their rows in the store.
    ages : array of shape (n_participants,)
        Their ages, in years.
    """

    rows: NDArray[np.intp]
    ages: NDArray[np.float64]


def fingerprint_of(store: Store, people: Mapping[str, People]) -> str:
    """Return 16 hexadecimal characters that change whenever a network would be trained or tested on other data.

    Parameters
    ----------
    store : Store
        Everybody's series.
    people : mapping of str to People
        The participants of each part.
    """
    content = hashlib.sha256()
    for part in sorted(people):
        content.update(f"{part} {len(people[part].rows)} ".encode())
        content.update(store.checksums[people[part].rows].tobytes())
        content.update(people[part].ages.astype(np.float64).tobytes())
    return content.hexdigest()[:16]


@dataclass(frozen=True)
class Draw:
    """Who is in a batch.

    Parameters
    ----------
    index : array of shape (batch,)
        Positions within a part.
    mix : Mix or None
        How their series are changed.
    """

    index: NDArray[np.intp]
    mix: Mix | None = None


class SeriesDataset(Dataset[Batch]):
    """Participants' series and ages; an item is a whole batch.

    Parameters
    ----------
    series : array of shape (n_rows, n_components, n_times)
        float32, in memory or mapped.
    rows : array of shape (n_participants,)
        Which rows belong to the participants.
    channels : array of shape (n_channels,) or None
        Which components to gather; None where `series` holds just those.
    ages : array of shape (n_participants,)
        In years.
    release : callable or None
        Called after a batch was gathered, to let go of what was mapped for it.
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
        """Gather participants.

        Parameters
        ----------
        draw : Draw
            Whom, and how their series are changed.

        Returns
        -------
        Tensor of shape (batch, n_channels, n_times), Tensor of shape (batch,)
            Series and ages.
        """
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

    Order and changes depend on (`seed`, epoch) only, so a run that is taken up again sees what it would have seen.

    Parameters
    ----------
    n_participants : int
        How many there are.
    batch_size : int
        Participants a batch. One left over alone joins the batch before it: batch normalisation cannot train on one.
    seed : int or None
        Shuffles; None keeps the order.
    draw_mix : callable or None
        Takes a generator and the number of a batch's participants; returns how they are changed.
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
        """Yield the batches of the epoch that it is when the first one is asked for."""
        # Lightning begins to iterate before it says which epoch comes, where a run is taken up again.
        rng = np.random.default_rng([self._seed or 0, self._epoch])
        order = np.arange(self._n_participants) if self._seed is None else rng.permutation(self._n_participants)
        for index in np.split(order, self._starts[1:]):
            yield Draw(index, None if self._draw_mix is None else self._draw_mix(rng, len(index)))

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes; Lightning calls it before each."""
        self._epoch = epoch


class AgeDataModule(LightningDataModule):
    """Batches of training, validation and test participants.

    Parameters
    ----------
    store : Store
        Everybody's series.
    people : mapping of str to People
        The participants of the parts ``train``, ``val`` and ``test``.
    channels : sequence of int
        Indices of the components that the network sees.
    batch_size : int
        Participants a batch.
    seed : int
        Governs the order of training participants.
    residency : {"auto", "memory", "memmap"}
        Hold the series in memory, or map the store's file.
    augmentation : Augmentation
        How the batches of `train_dataloader` are changed.
    """

    def __init__(
        self,
        store: Store,
        people: Mapping[str, People],
        *,
        channels: Sequence[int],
        batch_size: int,
        seed: int,
        residency: str = "auto",
        augmentation: Augmentation = Augmentation(),  # noqa: B008 - frozen
    ) -> None:
        super().__init__()
        self._batch_size, self._seed, self._augmentation = batch_size, seed, augmentation
        self.fingerprint = fingerprint_of(store, people)
        self._datasets = _datasets(store, people, np.asarray(channels), residency)

    def loader(self, part: str) -> DataLoader[Any]:
        """Return the batches of one part, in the participants' order.

        Parameters
        ----------
        part : {"train", "val", "test"}
            Whose.
        """
        dataset = self._datasets[part]
        return self._loader(dataset, BatchOrder(len(dataset), self._batch_size))

    def _loader(self, dataset: SeriesDataset, order: BatchOrder) -> DataLoader[Any]:
        # The sampler deals out whole batches and the data set gathers them: no collation. A generator of its own, for
        # a loader draws a number whenever it begins, which would shift the numbers that dropout gets.
        return DataLoader(
            dataset,
            sampler=order,
            batch_size=None,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),
        )

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the training batches, augmented, in an order of its own each epoch."""
        dataset = self._datasets["train"]

        def draw_mix(rng: np.random.Generator, n_participants: int) -> Mix | None:
            return self._augmentation.draw(rng, n_participants, dataset.n_times)

        return self._loader(dataset, BatchOrder(len(dataset), self._batch_size, self._seed, draw_mix))

    def val_dataloader(self) -> DataLoader[Any]:
        """Return the validation batches."""
        return self.loader("val")


def _datasets(
    store: Store, people: Mapping[str, People], channels: NDArray[np.intp], residency: str
) -> dict[str, SeriesDataset]:
    """Return one data set a part; those held in memory share nothing with the file."""
    n_rows = sum(len(people[part].rows) for part in PARTS)
    size = n_rows * len(channels) * store.series.shape[2] * store.series.itemsize
    large = size > _SHARE_OF_FREE_MEMORY * psutil.virtual_memory().available
    if residency == "memmap" or (residency == "auto" and large):
        return {
            part: SeriesDataset(store.series, people[part].rows, channels, people[part].ages, store.release)
            for part in PARTS
        }
    return {part: _held_dataset(store, people[part], channels) for part in PARTS}


def _held_dataset(store: Store, people: People, channels: NDArray[np.intp]) -> SeriesDataset:
    """Copy what a part needs. All of it is read, so its checksums are compared too."""
    verify(store, people.rows)
    held = np.empty((len(people.rows), len(channels), store.series.shape[2]), dtype=np.float32)
    for position, row in enumerate(people.rows):
        held[position] = store.series[row, channels]
    return SeriesDataset(held, np.arange(len(people.rows)), None, people.ages)
