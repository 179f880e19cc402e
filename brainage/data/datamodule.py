"""The LightningDataModule: batches of training, validation and test participants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil
import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from brainage.data.augmentation import Augmentation, Mix
from brainage.data.batches import BatchOrder, SeriesDataset, held_dataset, mapped_dataset
from brainage.data.participants import Participants
from brainage.data.splits import PARTS

# `store.residency=auto` holds the series in memory if they take less than this share of the free memory.
_SHARE_OF_FREE_MEMORY = 0.25


class AgeDataModule(LightningDataModule):
    """Batches of training, validation and test participants.

    `seed` is that of the order of training participants, whose batches are augmented. `residency` is memory, memmap
    (the store's mapped file) or auto.
    """

    def __init__(
        self,
        participants: Participants,
        *,
        batch_size: int,
        seed: int,
        residency: str = "auto",
        augmentation: Augmentation = Augmentation(),  # noqa: B008 - frozen
    ) -> None:
        super().__init__()
        self._batch_size, self._seed, self._augmentation = batch_size, seed, augmentation
        self.fingerprint = participants.data_fingerprint()
        dataset = mapped_dataset if _is_mapped(participants, residency) else held_dataset
        self._datasets = {part: dataset(participants.part(part)) for part in PARTS}

    def loader(self, part: str) -> DataLoader[Any]:
        """Return the batches of the ``train``, ``val`` or ``test`` participants, in their order."""
        dataset = self._datasets[part]
        return self._loader(dataset, BatchOrder(len(dataset), self._batch_size))

    def series(self, part: str) -> Iterator[Tensor]:
        """Yield the series of one part, each of shape (batch, n_channels, n_times)."""
        return (series for series, _ in self.loader(part))

    def _loader(self, dataset: SeriesDataset, order: BatchOrder) -> DataLoader[Any]:
        # The sampler yields whole batches, so nothing is collated. A loader draws a number whenever it starts; from the
        # global generator, this would shift the numbers that dropout draws.
        return DataLoader(
            dataset,
            sampler=order,
            batch_size=None,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),
        )

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the training batches, augmented, in a new order each epoch."""
        dataset = self._datasets["train"]

        def draw_mix(rng: np.random.Generator, n_participants: int) -> Mix | None:
            return self._augmentation.draw(rng, n_participants, dataset.n_times)

        return self._loader(dataset, BatchOrder(len(dataset), self._batch_size, self._seed, draw_mix))

    def val_dataloader(self) -> DataLoader[Any]:
        """Return the validation batches."""
        return self.loader("val")


def _is_mapped(participants: Participants, residency: str) -> bool:
    series = participants.store.series
    size = len(participants) * len(participants.channels) * series.shape[2] * series.itemsize
    large = size > _SHARE_OF_FREE_MEMORY * psutil.virtual_memory().available
    return residency == "memmap" or (residency == "auto" and large)
