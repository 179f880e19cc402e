"""A callback that trains a copy of the network in a bare loop, one epoch before each epoch of ``train.py``.

Epochs alternate, so that machine load affects both equally.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from brainage.data.batches import BatchOrder

Batches = Callable[[int], Iterable[tuple[Tensor, Tensor]]]


class ReferenceLoop(Callback):
    """Times both loops; ``ours`` and ``theirs`` are the seconds per epoch of the last training.

    Parameters
    ----------
    files : str or None, default=None
        A BIDS-like tree: the reference parses a participant's text file whenever it is needed. None: tensors in memory.
    """

    ours: list[float] = []  # noqa: RUF012 - read by the benchmark, which has no access to the instance
    theirs: list[float] = []  # noqa: RUF012

    def __init__(self, files: str | None = None) -> None:
        self._files, self._started = files, 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Copy the network and its optimizer, and prepare the reference's batches."""
        ReferenceLoop.ours, ReferenceLoop.theirs = [], []
        # Copied together, so that the optimizer refers to the parameters of the copy.
        both: tuple[Any, Any] = copy.deepcopy((pl_module.network, trainer.optimizers[0]))
        self._network, self._optimizer = both
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        device = trainer.strategy.root_device
        self._train, self._val = _preloaded(data, device) if self._files is None else _parsed(data, Path(self._files))

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock of our epoch, run and time one of the reference, start the clock again."""
        now = _now(trainer)
        if self._started:
            ReferenceLoop.ours.append(now - self._started)
        self._epoch(trainer.current_epoch)
        self._started = _now(trainer)
        ReferenceLoop.theirs.append(self._started - now)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock of our last epoch."""
        ReferenceLoop.ours.append(_now(trainer) - self._started)

    def _epoch(self, epoch: int) -> None:
        """Train and validate in a bare loop."""
        self._network.train()
        with torch.enable_grad():
            for series, ages in self._train(epoch):
                self._optimizer.zero_grad()
                loss = nn.functional.mse_loss(self._network(series).squeeze(1), ages)
                loss.backward()  # type: ignore[no-untyped-call]
                self._optimizer.step()
        self._network.eval()
        with torch.inference_mode():
            errors = [((self._network(series).squeeze(1) - ages) ** 2).sum() for series, ages in self._val(epoch)]
        float(sum(errors))


def _now(trainer: Trainer) -> float:
    """Return the time at which the device has finished."""
    if trainer.strategy.root_device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def _preloaded(data: Any, device: torch.device) -> tuple[Batches, Batches]:
    """Return our batches in our order from tensors in the device's memory, without augmentation."""

    def gathered(part: str, order: BatchOrder) -> Batches:
        batches = list(data.loader(part))
        series, ages = (torch.cat([batch[number] for batch in batches]).to(device) for number in (0, 1))

        def of_epoch(epoch: int) -> Iterable[tuple[Tensor, Tensor]]:
            order.set_epoch(epoch)
            indices = (torch.from_numpy(draw.index).to(device) for draw in order)
            return ((series[index], ages[index]) for index in indices)

        return of_epoch

    return gathered("train", data.train_dataloader().sampler), gathered("val", data.val_dataloader().sampler)


class _TextDataset(Dataset[tuple[Tensor, Tensor]]):
    def __init__(self, files: list[Path], channels: list[int]) -> None:
        self._files, self._channels = files, channels

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        series = np.loadtxt(self._files[index])[:490, self._channels].T
        series = (series - series.mean(axis=1, keepdims=True)) / series.std(axis=1, keepdims=True)
        return torch.tensor(series, dtype=torch.float32), torch.tensor(63.0)


def _parsed(data: Any, tree: Path) -> tuple[Batches, Batches]:
    """Return the same number of participants and batches, parsed from text; which participants does not matter."""
    sizes = [sum(len(ages) for _, ages in data.loader(part)) for part in ("train", "val")]
    files = sorted(tree.rglob("*ica-25.txt"))[: sum(sizes)]
    good = [c - 1 for c in range(1, 26) if c not in (4, 23, 24, 25)]
    train = DataLoader(_TextDataset(files[: sizes[0]], good), batch_size=128, shuffle=True)
    val = DataLoader(_TextDataset(files[sizes[0] :], good), batch_size=128)
    return lambda epoch: train, lambda epoch: val
