"""A callback that trains a copy of the network in another way, an epoch before each epoch of ``train.py``'s own.

Epochs of both ways take turns, so that whatever else the machine does weighs on both.
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

from brainage.data.datamodule import BatchOrder

Batches = Callable[[int], Iterable[tuple[Tensor, Tensor]]]


class Beside(Callback):
    """Measures both ways; ``ours`` and ``theirs`` hold the seconds of the last training's epochs.

    Parameters
    ----------
    files : str or None, default=None
        A BIDS-like tree: the other way parses a participant's text whenever they are asked for. None gives it tensors
        in memory.
    """

    ours: list[float] = []  # noqa: RUF012 - read by the benchmark, which does not see the instance
    theirs: list[float] = []  # noqa: RUF012

    def __init__(self, files: str | None = None) -> None:
        self._files, self._begun = files, 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Copy the network and its optimizer, and make the other way's batches."""
        Beside.ours, Beside.theirs = [], []
        # Copied together, so that the one still refers to the parameters of the other.
        both: tuple[Any, Any] = copy.deepcopy((pl_module.network, trainer.optimizers[0]))
        self._network, self._optimizer = both
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        self._train, self._val = _preloaded(data) if self._files is None else _parsed(data, Path(self._files))

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End our epoch, with all that belongs to it, let the other way have its turn, and begin our next one."""
        now = time.perf_counter()
        if self._begun:
            Beside.ours.append(now - self._begun)
        self._epoch(trainer.current_epoch)
        self._begun = time.perf_counter()
        Beside.theirs.append(self._begun - now)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End our last epoch."""
        Beside.ours.append(time.perf_counter() - self._begun)

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


def _preloaded(data: Any) -> tuple[Batches, Batches]:
    """Return our batches in our order, from tensors that are in memory; nothing is augmented."""

    def gathered(part: str, order: BatchOrder) -> Batches:
        batches = list(data.loader(part))
        series, ages = torch.cat([batch[0] for batch in batches]), torch.cat([batch[1] for batch in batches])

        def of_epoch(epoch: int) -> Iterable[tuple[Tensor, Tensor]]:
            order.set_epoch(epoch)
            return ((series[index], ages[index]) for index in (torch.from_numpy(draw.index) for draw in order))

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
    """Return as many participants in batches as large, the plain way; whose they are makes no difference."""
    sizes = [sum(len(ages) for _, ages in data.loader(part)) for part in ("train", "val")]
    files = sorted(tree.rglob("*ica-25.txt"))[: sum(sizes)]
    good = [c - 1 for c in range(1, 26) if c not in (4, 23, 24, 25)]
    train = DataLoader(_TextDataset(files[: sizes[0]], good), batch_size=128, shuffle=True)
    val = DataLoader(_TextDataset(files[sizes[0] :], good), batch_size=128)
    return lambda epoch: train, lambda epoch: val
