"""The LightningDataModule: batches of training, validation and test participants."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from brainage.data.augmentation import Augmentation
from brainage.data.batches import BatchOrder, Draw, batch_size_for
from brainage.data.datasets import SeriesDataset, WindowDataset, dataset_of, without_ages
from brainage.data.participants import Participants
from brainage.data.resident import ResidentLoader, is_resident, resident
from brainage.data.splits import PARTS

# `store.residency=auto` holds the series in memory if they take less than this share of the free memory.
_SHARE_OF_FREE_MEMORY = 0.25


class AgeDataModule(LightningDataModule):
    """Batches of training, validation and test participants.

    `batch_size` is a number of participants, or None for `brainage.data.batches.batch_size_for` those of training.
    `seed` is that of the order of training participants, whose batches are augmented. `residency` is memory, memmap
    (the store's mapped file) or auto.
    """

    def __init__(
        self,
        participants: Participants,
        *,
        batch_size: int | None,
        seed: int,
        residency: str = "auto",
        augmentation: Augmentation = Augmentation(),  # noqa: B008 - frozen
    ) -> None:
        super().__init__()
        values: dict[str, Any] = {
            "batch_size": batch_size,
            "seed": seed,
            "residency": residency,
            "augmentation": augmentation,
        }
        self._made_of = participants, partial(AgeDataModule, **values)
        self._seed, self._augmentation = seed, augmentation
        self.fingerprint = participants.data_fingerprint()
        held = not _is_mapped(participants, residency)
        self._datasets = {part: dataset_of(participants.part(part), held=held) for part in PARTS}
        self.batch_size = batch_size or batch_size_for(len(self._datasets["train"]))

    def __reduce__(self) -> tuple[Any, ...]:
        """Let another process that trains open the store itself, rather than send it the series."""
        participants, again = self._made_of
        return again, (participants.part("train", "val"),)

    def loader(self, part: str) -> DataLoader[Any]:
        """Return the batches of the ``train``, ``val`` or ``test`` participants, in their order, on the CPU."""
        dataset = self._datasets[part]
        return self._on_cpu(dataset, BatchOrder(len(dataset), self.batch_size))

    def series(self, part: str) -> Iterator[tuple[Tensor, ...]]:
        """Yield the series of one part; see `brainage.data.datasets.without_ages`."""
        return map(without_ages, self.loader(part))

    def _loader(self, part: str, **order: Any) -> DataLoader[Any] | ResidentLoader:
        """Return the Trainer's share of the batches of a part, on its device if that holds the series."""
        dataset, trainer = self._datasets[part], self.trainer
        if trainer is None:
            return self._on_cpu(dataset, BatchOrder(len(dataset), self.batch_size, **order))
        share, device = (trainer.global_rank, trainer.world_size), trainer.strategy.root_device
        batches = BatchOrder(len(dataset), self.batch_size, share=share, **order)
        if isinstance(dataset, SeriesDataset) and is_resident(dataset, device):
            return resident(dataset, device, batches)
        return self._on_cpu(dataset, batches)

    def _on_cpu(self, dataset: SeriesDataset | WindowDataset, order: BatchOrder) -> DataLoader[Any]:
        # The sampler yields whole batches, so nothing is collated. A loader draws a number whenever it starts; from the
        # global generator, this would shift the numbers that dropout draws.
        return DataLoader(
            dataset,
            sampler=order,
            batch_size=None,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),
        )

    def train_dataloader(self) -> DataLoader[Any] | ResidentLoader:
        """Return the training batches, augmented, in a new order each epoch, of a random window a participant."""
        dataset = self._datasets["train"]

        def make_draw(rng: np.random.Generator, index: NDArray[np.intp]) -> Draw:
            begins = rng.random(len(index)) if isinstance(dataset, WindowDataset) else None
            return Draw(index, self._augmentation.draw(rng, len(index), dataset.n_times), begins)

        return self._loader("train", seed=self._seed, make_draw=make_draw)

    def val_dataloader(self) -> DataLoader[Any] | ResidentLoader:
        """Return the validation batches."""
        return self._loader("val")


def _is_mapped(participants: Participants, residency: str) -> bool:
    n_times = int(participants.store.lengths[participants.rows].sum())
    size = n_times * len(participants.channels) * np.dtype(np.float32).itemsize
    large = size > _SHARE_OF_FREE_MEMORY * psutil.virtual_memory().available
    return residency == "memmap" or (residency == "auto" and large)
