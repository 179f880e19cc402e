"""The LightningModule: a network that predicts age, trained on squared error."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from brainage.data.datasets import Batch
from brainage.training.predict import mean_over_windows

MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]
MakeScheduler = Callable[[Optimizer], LRScheduler]

# Seeds between the processes that share a batch: each has its own dropout.
_RANKS = 2**32


class RunningError:
    """Squared and absolute error over the participants seen so far, kept on the device until it is read."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self.n_participants = 0
        self._squared: Tensor | float = 0.0
        self._absolute: Tensor | float = 0.0

    def update(self, mean_squared: Tensor, predicted: Tensor, ages: Tensor) -> None:
        """Add a batch, whose mean squared error is known from the loss."""
        self.n_participants += len(ages)
        self._squared = self._squared + mean_squared.detach() * len(ages)
        self._absolute = self._absolute + (predicted.detach() - ages).abs().sum()

    def sum_over(self, trainer: Trainer) -> None:
        """Sum over the processes that share the batches of a Trainer."""
        if trainer.world_size > 1:
            own = [float(self.n_participants), float(self._squared), float(self._absolute)]
            total = torch.tensor(own, dtype=torch.float64, device=trainer.strategy.root_device)
            n_participants, self._squared, self._absolute = trainer.strategy.reduce(total, reduce_op="sum").tolist()
            self.n_participants = int(n_participants)

    @property
    def mse(self) -> float | None:
        """Mean squared error, in squared years; None before the first batch."""
        return float(self._squared) / self.n_participants if self.n_participants else None

    @property
    def mae(self) -> float | None:
        """Mean absolute error, in years; None before the first batch."""
        return float(self._absolute) / self.n_participants if self.n_participants else None


class AgeRegressor(LightningModule):
    """Trains a network to predict age.

    Logs ``train/loss``, ``train/mae``, ``val/loss`` and ``val/mae`` once an epoch, over participants.

    Parameters
    ----------
    network : nn.Module
        From series of shape (batch, n_channels, n_times) to ages of shape (batch, 1), in years.
    optimizer : callable
        Makes the optimizer of the parameters.
    scheduler : callable or None
        Makes the learning-rate scheduler of the optimizer; stepped once an epoch.
    seed : int
        Seed of dropout: every epoch seeds torch from (`seed`, epoch), so a repeated epoch draws the same numbers.
    compile : bool
        Compile the network in training steps, on a GPU to CUDA graphs: many small kernels cost less to start. Batches
        of another length are compiled for themselves.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        optimizer: MakeOptimizer,
        scheduler: MakeScheduler | None = None,
        seed: int = 0,
        compile: bool = False,
    ) -> None:
        super().__init__()
        self.network = network
        # Not the module that torch.compile returns of a module: its parameters would have other names in checkpoints.
        self._compiled = torch.compile(self.forward, mode="reduce-overhead", dynamic=False) if compile else None
        self._make_optimizer, self._make_scheduler, self._seed = optimizer, scheduler, seed
        self.train_error, self.val_error = RunningError(), RunningError()

    def forward(self, series: Tensor) -> Tensor:
        """Predict ages, in years, of shape (batch,), from z-scored series of shape (batch, n_channels, n_times)."""
        predicted: Tensor = self.network(series)
        return predicted.squeeze(1)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the batch's mean squared error, or of a share of it what the processes' mean is that of the batch."""
        loss, n_processes = self._step(batch, self.train_error, self._compiled), self.trainer.world_size
        if n_processes == 1:
            return loss
        loader: Any = self.trainer.train_dataloader
        weight: float = len(batch[1]) * n_processes / loader.sampler.sizes[batch_idx]
        return loss * weight

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add the batch to the validation error, in the precision of the weights, as predictions are."""
        with torch.autocast(self.device.type, enabled=False):
            self._step(batch, self.val_error)

    def on_train_epoch_start(self) -> None:
        """Start the epoch's errors and random numbers."""
        self.train_error.reset()
        self.val_error.reset()
        # torch's layers draw from its global generator only; `fit` restores it afterwards.
        torch.manual_seed(derived_seed(self._seed, self.current_epoch) + self.global_rank * _RANKS)

    def on_validation_epoch_start(self) -> None:
        """Start the validation error; an epoch may validate several times."""
        self.val_error.reset()

    def on_validation_epoch_end(self) -> None:
        """Log the validation error."""
        self.val_error.sum_over(self.trainer)
        self._log_errors("val", self.val_error)

    def on_train_epoch_end(self) -> None:
        """Log the training error, and step a scheduler that monitors the validation loss."""
        self._log_errors("train", self.train_error)
        for config in self.trainer.lr_scheduler_configs:
            if isinstance(config.scheduler, ReduceLROnPlateau) and self.val_error.mse is not None:
                config.scheduler.step(self.val_error.mse)

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Step a scheduler at an epoch's end.

        Lightning would step one that monitors the validation loss after writing the epoch's checkpoint, so a resumed
        run would miss that step; `on_train_epoch_end` steps it before.
        """
        if not isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step()

    def configure_optimizers(self) -> Any:
        """Return the optimizer, and the scheduler if there is one."""
        optimizer = self._make_optimizer(self.network.parameters())
        if self._make_scheduler is None:
            return optimizer
        scheduler = self._make_scheduler(optimizer)
        # Lightning reads the validation loss only in validated epochs.
        every = (self.trainer.check_val_every_n_epoch or 1) if isinstance(scheduler, ReduceLROnPlateau) else 1
        settings = {"scheduler": scheduler, "interval": "epoch", "monitor": "val/loss", "frequency": every}
        return {"optimizer": optimizer, "lr_scheduler": settings}

    def _step(self, batch: Batch, error: RunningError, compiled: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        series, ages, *counts = batch
        predicted = mean_over_windows((compiled or self)(series), *counts)
        # A share may be empty; the mean of none is not a number.
        loss = mse_loss(predicted, ages) if len(ages) else predicted.sum()
        error.update(loss, predicted, ages)
        return loss

    def _log_errors(self, part: str, error: RunningError) -> None:
        if error.mse is not None and error.mae is not None:
            values = {f"{part}/loss": error.mse, f"{part}/mae": error.mae}
            # Callbacks read them; loggers get the rows of metrics.csv.
            self.log_dict(values, batch_size=error.n_participants, logger=False, sync_dist=self.trainer.world_size > 1)


def derived_seed(seed: int, epoch: int) -> int:
    """Return the seed of an epoch."""
    generator = torch.Generator().manual_seed(seed)
    # Mixed by drawing rather than added: seed 1 epoch 2 must not be seed 2 epoch 1.
    base = int(torch.randint(2**62, (), generator=generator))
    return (base + epoch) % 2**62
