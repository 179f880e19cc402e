"""Callbacks at the end of every epoch: a row in ``metrics.csv``, pruning, progress."""

from __future__ import annotations

import csv
import math
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from logging import DEBUG, INFO
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint, Timer
from rich.progress import Progress as Bar
from rich.progress import TaskID

from brainage.system.console import bar, log
from brainage.system.files import open_file, write_whole
from brainage.system.reading import open_table
from brainage.training.checkpoint import Progress
from brainage.training.loggers import Loggers
from brainage.training.module import AgeRegressor
from brainage.training.pruning import ShouldPrune

# Lines of epochs on the screen: about so many of a training whose length is known, otherwise one in so many epochs.
_LINES, _EPOCHS_A_LINE = 10, 10
# Seconds after which the next epoch is shown in any case.
_SECONDS_A_LINE = 60.0

_COLUMNS = ("epoch", "train/loss", "train/mae", "val/loss", "val/mae", "lr", "seconds")


class EpochTable(Callback):
    """Write one row per epoch to ``metrics.csv`` and to loggers; keep the first `n_epochs` of an existing file."""

    def __init__(self, path: Path, n_epochs: int = 0, loggers: Loggers | None = None) -> None:
        self._path, self._loggers = path, loggers
        self._started = 0.0
        self._kept: list[list[str]] | None = [row for row in _rows(path) if int(row[0]) < n_epochs]

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the epochs of before the run was resumed."""
        if self._loggers is not None:
            for row in self._kept or []:
                self._loggers.log_again(_values(row))

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the time, and the learning rate before a scheduler changes it."""
        self._started = time.perf_counter()
        self._lr = trainer.optimizers[0].param_groups[0]["lr"]

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the row; validation has run by now."""
        assert isinstance(pl_module, AgeRegressor)
        train, val = pl_module.train_error, pl_module.val_error
        seconds = time.perf_counter() - self._started
        values = (train.mse, train.mae, val.mse, val.mae, self._lr)
        row = [
            str(trainer.current_epoch),
            *("" if v is None else repr(float(v)) for v in values),
            f"{seconds:.4f}",
        ]
        if self._loggers is not None:
            self._loggers.log_epoch(_values(row))
        if self._kept is not None:  # nothing changes before the first epoch is finished
            write_epochs(self._path, [*self._kept, row])
            self._kept = None
            return
        with open_file(self._path, "a", newline="") as file:
            csv.writer(file).writerow(row)


def write_epochs(target: Path, rows: Sequence[Sequence[object]]) -> None:
    """Write ``metrics.csv`` with these rows."""

    def write(path: Path) -> None:
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([_COLUMNS, *rows])

    write_whole(target, write)


def _values(row: Sequence[str]) -> dict[str, float]:
    return {name: float(value) for name, value in zip(_COLUMNS, row, strict=True) if value}


def _rows(path: Path) -> list[list[str]]:
    """Return the complete rows of ``metrics.csv``, one per epoch; a killed process may have left half a row."""
    if not path.exists():
        return []
    with open_table(path, newline="") as file:
        whole = (line for line in file if line.endswith("\n"))
        rows = [row for row in csv.reader(whole) if len(row) == len(_COLUMNS) and row[0].isdigit()]
    return sorted({int(row[0]): row for row in rows}.values(), key=lambda row: int(row[0]))


class PruningCallback(Callback):
    """End the training when a sweep's pruner says so."""

    def __init__(self, should_prune: ShouldPrune) -> None:
        self._should_prune = should_prune
        self.pruned = False

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ask the pruner; a training that ends here anyway is not pruned."""
        assert isinstance(pl_module, AgeRegressor)
        loss = pl_module.val_error.mse
        if loss is None or not math.isfinite(loss):
            return
        prune = self._should_prune(trainer.current_epoch, loss)
        last = trainer.max_epochs is not None and trainer.current_epoch + 1 == trainer.max_epochs
        if prune and not (last or trainer.should_stop):
            self.pruned = trainer.should_stop = True


class TimeLimit(Checkpoint):
    """End the training after the epoch in which `max_time` since this start is over; resuming can continue it.

    A `Checkpoint`, so that it is called after ``last.ckpt`` was written, which therefore does not count as stopped.
    """

    def __init__(self, max_time: Any) -> None:
        self._seconds = Timer(max_time).time_remaining()
        self._started = time.monotonic()
        self.reached = False

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compare the time; a training that ends here anyway is not ended by it."""
        last = trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs
        self.reached = not last and self._seconds is not None and time.monotonic() - self._started >= self._seconds
        trainer.should_stop = trainer.should_stop or self.reached


class EpochProgress(Callback):
    """Write a line of each epoch to the run's log; show some of them, with a progress bar on a terminal."""

    def __init__(self, progress: Progress, *, shown: bool = True) -> None:
        self._is_shown = shown
        self._best = (progress.best_loss, progress.best_epoch)
        self._n_done = progress.epochs
        self._open = ExitStack()
        self._progress: Bar | None = None
        self._task = TaskID(0)
        self._last_line = time.monotonic()

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the bar."""
        if self._is_shown and sys.stdout.isatty():
            self._progress = self._open.enter_context(bar())
            self._task = self._progress.add_task("epochs", total=_n_epochs(trainer), completed=self._n_done)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the learning rate before a scheduler changes it."""
        self._lr = trainer.optimizers[0].param_groups[0]["lr"]

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the epoch's errors, for the screen if it is due."""
        assert isinstance(pl_module, AgeRegressor)
        train, val, epoch = pl_module.train_error, pl_module.val_error, trainer.current_epoch
        if val.mse is not None and val.mse < self._best[0]:
            self._best = (val.mse, epoch)
        best = "" if self._best[1] is None else f", best epoch {self._best[1]}"
        text = f"epoch {epoch}: MAE train {_years(train.mae)}, validation {_years(val.mae)}{best}"
        log.log(INFO if self._is_shown and self._is_due(trainer) else DEBUG, "%s, lr %.4g", text, self._lr)
        if self._progress is not None:
            self._progress.advance(self._task)

    def _is_due(self, trainer: Trainer) -> bool:
        """Return whether an epoch is shown: some of all, the first and the last, and one a minute."""
        epoch, total = trainer.current_epoch, _n_epochs(trainer)
        every = _EPOCHS_A_LINE if total is None else -(-total // _LINES)
        ends = trainer.should_stop or epoch + 1 == total
        due = epoch % every == 0 or ends or time.monotonic() - self._last_line >= _SECONDS_A_LINE
        if due:
            self._last_line = time.monotonic()
        return due

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remove the bar."""
        self._open.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Remove the bar."""
        self._open.close()


def _n_epochs(trainer: Trainer) -> int | None:
    """Return the most epochs of a training; None without a limit."""
    return trainer.max_epochs if trainer.max_epochs and trainer.max_epochs > 0 else None


def _years(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
