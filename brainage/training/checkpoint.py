"""Checkpoints of the best and the last epoch, written atomically, from which a run is resumed."""

from __future__ import annotations

import io
import math
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from torch import nn

from brainage.errors import CheckpointError
from brainage.system.console import log
from brainage.system.files import partial_of, remove_partials
from brainage.system.signals import uninterrupted
from brainage.training.module import AgeRegressor
from brainage.training.weights import read_checkpoint

# What this project adds to Lightning's checkpoint.
_KEY = "brainage"

# Lightning's callbacks that every fit uses; their states are a few numbers. Others may say what to delete.
_OWN_CALLBACKS = ("EarlyStopping", "WeightAveraging")


@dataclass
class Progress:
    """Progress of a fit, stored in every checkpoint: finished and validated epochs, the best epoch (from 0), time."""

    epochs: int = 0
    n_validated: int = 0
    best_epoch: int | None = None
    best_loss: float = math.inf
    stopped: bool = False
    seconds: float = 0.0


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write a checkpoint under a temporary name in the same folder, and rename it when it is on the disk."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write a checkpoint atomically.

        Signals are delayed until then: an exception inside torch's writer ends the process.
        """
        target, content = Path(path), io.BytesIO()
        target.parent.mkdir(parents=True, exist_ok=True)
        with uninterrupted():
            torch.save(checkpoint, content)  # into a file on a full disk, it would hide the system's error
            partial = partial_of(target)
            try:
                with partial.open("wb") as file:
                    file.write(content.getbuffer())
                    file.flush()
                    os.fsync(file.fileno())
                partial.replace(target)
            finally:
                partial.unlink(missing_ok=True)

    def load_checkpoint(
        self, path: Any, map_location: Any | None = None, weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Read a checkpoint, without the states of callbacks other than this project's own."""
        checkpoint = read_checkpoint(Path(path))
        states: Any = checkpoint.get("callbacks")
        own = {key: state for key, state in states.items() if str(key).startswith(_OWN_CALLBACKS)} if states else {}
        if others := sorted({str(key).partition("{")[0] for key in states or {}} - {*_OWN_CALLBACKS}):
            log.warning("The states of %s in %s are not restored: they start again.", ", ".join(others), path)
        return {**checkpoint, "callbacks": own}


class Checkpoints(Checkpoint):
    """Keep ``best.ckpt`` and ``last.ckpt``, and store the progress and the fingerprint of the data in them.

    ``last.ckpt`` is written first: if the process is killed before ``best.ckpt`` follows, `restore` writes that.
    """

    def __init__(
        self, folder: Path, fingerprints: Sequence[str] = ("",), on_epoch: Callable[[], object] = lambda: None
    ) -> None:
        self.best, self.last = folder / "best.ckpt", folder / "last.ckpt"
        self.progress = Progress()
        self.began = False
        self._on_epoch, self._fingerprints, self._clock = on_epoch, fingerprints, 0.0

    def restore(self, network: nn.Module | None = None) -> bool:
        """Read the progress of an earlier process; return whether it finished an epoch. Raises a `CheckpointError`.

        The checkpoints must be of this network.
        """
        remove_partials(self.last.parent)
        if not self.last.exists():
            return False
        self.progress, data = read_progress(self.last, network)
        if data not in self._fingerprints:
            raise other_data(self.last)
        if self.progress.best_epoch == self.progress.epochs - 1:
            if not _is_of_epoch(self.best, self.progress.best_epoch, network):
                self._keep_best()
        elif self.progress.best_epoch is not None:
            read_checkpoint(self.best, network)
        return True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check that the optimizer's state was restored, and start the clock."""
        for optimizer in trainer.optimizers:
            if not all(set(optimizer.defaults) <= set(group) for group in optimizer.param_groups):
                raise ValueError("the checkpoint is of another optimizer")
        self.began = True
        self._clock = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Update the progress and write; Lightning calls this after the callbacks that may stop the training."""
        assert isinstance(pl_module, AgeRegressor)
        now, progress = time.perf_counter(), self.progress
        progress.seconds += now - self._clock
        self._clock = now
        progress.epochs = trainer.current_epoch + 1
        progress.stopped = trainer.should_stop
        loss = pl_module.val_error.mse
        progress.n_validated += loss is not None
        improved = loss is not None and loss < progress.best_loss  # never where it is not a number
        if improved:
            progress.best_epoch, progress.best_loss = trainer.current_epoch, float(loss or 0.0)
        trainer.save_checkpoint(self.last, weights_only=False)
        self._on_epoch()
        if improved and trainer.is_global_zero:
            self._keep_best()

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add the progress."""
        checkpoint[_KEY] = {**asdict(self.progress), "data": self._fingerprints[0]}

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Keep a training stopped that had been stopped."""
        trainer.should_stop = self.progress.stopped

    def _keep_best(self) -> None:
        """Hard-link best.ckpt to last.ckpt (copy where links are unsupported)."""
        partial = partial_of(self.best)
        try:
            partial.unlink()
            partial.hardlink_to(self.last)
        except OSError:
            shutil.copyfile(self.last, partial)
        partial.replace(self.best)
        partial.unlink(missing_ok=True)  # renaming one name of a file to its other one does nothing


def read_progress(path: Path, network: nn.Module | None = None) -> tuple[Progress, str]:
    """Return the progress of a checkpoint, and the fingerprint of the data that it was trained on.

    Raises a `CheckpointError` if it cannot be read, or is of another network.
    """
    noted = read_checkpoint(path, network, tensors=False).get(_KEY)
    names = [field.name for field in fields(Progress)]
    if not isinstance(noted, dict) or not {*names, "data"} <= set(noted) or not _is_progress(noted):
        raise CheckpointError(
            f"`{path}` must be a checkpoint of this version of brainage, but is another one. Start a new run."
        )
    return Progress(**{name: noted[name] for name in names}), str(noted["data"])


def other_data(path: Path, what: str = "") -> CheckpointError:
    """Return the error that a checkpoint was trained on other data; `what` differs, if that is known."""
    what = what or "participants, their ages or their series have changed since"
    return CheckpointError(
        f"`{path}` must be resumed with the data that it was trained on, but {what}. Name the place of the same data "
        "with cohort.root=DIR and cohort.phenotypes=FILE, list participants who withdrew in a file for "
        "cohort.exclude_ids=FILE, or start a new run."
    )


def _is_of_epoch(path: Path, epoch: int, network: nn.Module | None) -> bool:
    try:
        return bool(read_checkpoint(path, network)["epoch"] == epoch)
    except CheckpointError:
        return False


def _is_progress(noted: dict[str, Any]) -> bool:
    counts = [noted["epochs"], noted["n_validated"], *([] if noted["best_epoch"] is None else [noted["best_epoch"]])]
    numbers = [*counts, noted["best_loss"], noted["seconds"]]
    return all(type(value) is int for value in counts) and all(isinstance(value, int | float) for value in numbers)
