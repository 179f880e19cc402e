"""The fit: from a network and batches to the best epoch's weights and predictions."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from numpy.typing import NDArray
from pytorch_lightning import Callback, LightningDataModule, Trainer
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.loggers import Logger
from torch import nn
from torch.utils.data import DataLoader

from brainage.errors import ConfigError, DeviceError
from brainage.training.callbacks import EpochProgress, EpochTable
from brainage.training.module import AgeRegressor, MakeOptimizer, MakeScheduler


@dataclass(frozen=True)
class Fit:
    """What a fit leaves.

    Parameters
    ----------
    network : nn.Module
        With the best epoch's weights, in evaluation mode.
    epochs : int
        Epochs that were finished.
    best_epoch : int
        The epoch, from 0, with the lowest validation loss.
    seconds : float
        How long the epochs took.
    """

    network: nn.Module
    epochs: int
    best_epoch: int
    seconds: float


def check_trainer(arguments: dict[str, Any]) -> None:
    """Make a Trainer and forget it, so that one that cannot be is refused before any work.

    Parameters
    ----------
    arguments : dict
        Keyword arguments of the Trainer.

    Raises
    ------
    DeviceError
        The hardware is not here.
    ConfigError
        Lightning refuses the arguments.
    """
    _trainer({**arguments, "enable_progress_bar": False}, logger=False)


def check_optimizer(optimizer: MakeOptimizer, scheduler: MakeScheduler | None) -> None:
    """Make an optimizer and its scheduler of a stand-in, so that arguments that torch refuses are said before any work.

    Parameters
    ----------
    optimizer, scheduler : callable
        See AgeRegressor.

    Raises
    ------
    ConfigError
        torch refuses the arguments.
    """
    key = "optimizer"
    try:
        made = optimizer([nn.Parameter(torch.zeros(1))])
        key = "scheduler"
        if scheduler is not None:
            scheduler(made)
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise ConfigError(
            f"`{key}` cannot be made of its arguments: {error}. Compare them with what torch's class takes."
        ) from error


def fit(
    build: Callable[[], nn.Module],
    data: LightningDataModule,
    *,
    optimizer: MakeOptimizer,
    scheduler: MakeScheduler | None,
    trainer_arguments: dict[str, Any],
    folder: Path,
    seed: int,
    patience: int,
    output_bias: float | None = None,
    loggers: Sequence[Logger] = (),
    callbacks: Sequence[Callback] = (),
) -> Fit:
    """Train a network and keep the epoch with the lowest validation loss.

    Parameters
    ----------
    build : callable
        Makes the network; called once torch's generator is seeded.
    data : LightningDataModule
        Training and validation batches.
    optimizer, scheduler : callable
        See AgeRegressor.
    trainer_arguments : dict
        Keyword arguments of the Trainer.
    folder : Path
        Where ``metrics.csv`` and ``checkpoints/`` go.
    seed : int
        Governs initialisation and dropout.
    patience : int
        Epochs without a lower validation loss after which training stops.
    output_bias : float or None
        Where the last layer's bias starts, in years; None leaves it at 0.
    loggers, callbacks : sequences
        Added to the project's own.

    Returns
    -------
    Fit
        The result.

    Raises
    ------
    ConfigError, DeviceError
        Optimizer, scheduler or Trainer refuse their arguments.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Where every epoch is validated, patience counts epochs, however often one is; else it counts validated ones.
    each_epoch = trainer_arguments.get("check_val_every_n_epoch", 1) == 1
    stopping = EarlyStopping(
        "val/loss", patience=patience, mode="min", strict=False, check_on_train_epoch_end=each_epoch
    )
    # Two callbacks: Lightning's `save_last` writes nothing in epochs without a lower loss.
    best, last = _checkpoint(folder, "best", monitor="val/loss"), _checkpoint(folder, "last", monitor=None)
    own: list[Callback] = [stopping, best, last, EpochTable(folder / "metrics.csv")]
    if trainer_arguments.get("enable_progress_bar", True):
        own.append(EpochProgress())
    with _seeded(seed), _known_warnings():
        network = build()
        _set_output_bias(network, output_bias)
        module = AgeRegressor(network, optimizer=optimizer, scheduler=scheduler, seed=seed)
        trainer = _trainer(
            {"default_root_dir": str(folder), **trainer_arguments, "enable_progress_bar": False},
            logger=list(loggers) or False,
            callbacks=[*own, *callbacks],
        )
        started = time.perf_counter()
        try:
            trainer.fit(module, data)
        except MisconfigurationException as error:
            raise ConfigError(f"`trainer`: Lightning refuses to train: {error}") from error
        seconds = time.perf_counter() - started
    if not best.best_model_path:
        raise ConfigError(
            f"`trainer` must let at least one epoch be trained and validated, but none of {trainer.current_epoch} was. "
            "Raise trainer.max_epochs, trainer.max_steps or trainer.max_time, or lower trainer.check_val_every_n_epoch."
        )
    best_epoch = _load_best(module, Path(best.best_model_path))
    return Fit(network.eval(), trainer.current_epoch, best_epoch, seconds)


@torch.inference_mode()
def predict(network: nn.Module, batches: DataLoader[Any]) -> NDArray[np.float64]:
    """Predict the age of everybody, in order.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode, on any device.
    batches : DataLoader
        Series of shape (batch, n_channels, n_times), with ages that are not looked at.

    Returns
    -------
    array of shape (n_participants,)
        In years.
    """
    like = next(network.parameters())
    ages = [network(series.to(like.device, like.dtype)).squeeze(1).double().cpu() for series, _ in batches]
    return torch.cat(ages).numpy()


def _trainer(arguments: dict[str, Any], **own: Any) -> Trainer:
    """Make a Trainer; say what it refuses."""
    logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(_is_news)
    try:
        return Trainer(**arguments, **own)
    except MisconfigurationException as error:
        accelerator = arguments.get("accelerator", "auto")
        if "accelerator" in str(error).lower() or "backend" in str(error).lower():
            raise DeviceError(
                f"`trainer.accelerator` must be hardware that this machine has, but got {accelerator!r}: {error} Use "
                "trainer=auto or trainer=cpu here."
            ) from error
        raise ConfigError(f"`trainer`: Lightning refuses its arguments: {error}") from error
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(f"`trainer`: Lightning refuses its arguments: {error}") from error


def _checkpoint(folder: Path, name: str, *, monitor: str | None) -> ModelCheckpoint:
    """Keep one checkpoint under this name: the lowest of `monitor`, or the last finished epoch."""
    return ModelCheckpoint(
        folder / "checkpoints",
        filename=name,
        monitor=monitor,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
        auto_insert_metric_name=False,
    )


def _is_news(record: logging.LogRecord) -> bool:
    """Tell what Lightning has to say from what it says every time."""
    usual = ("GPU available", "TPU available", "HPU available", "💡 Tip", "`Trainer.fit` stopped")
    return not record.getMessage().startswith(usual)


def _set_output_bias(network: nn.Module, value: float | None) -> None:
    """Start the last layer's bias at `value`, or at 0."""
    last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1:]
    if not last or last[0].out_features != 1 or last[0].bias is None:
        if value is None:
            return
        raise ConfigError(
            "`model.output_bias=mean_age` needs a network whose last linear layer has one output and a bias, but "
            f"{type(network).__name__} has none. Use model.output_bias=zero."
        )
    nn.init.constant_(last[0].bias, 0.0 if value is None else value)


def _load_best(module: AgeRegressor, path: Path) -> int:
    """Load the best epoch's weights and return its number."""
    checkpoint = torch.load(path, map_location=module.device, weights_only=True)
    module.load_state_dict(checkpoint["state_dict"])
    return int(checkpoint["epoch"])


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed torch's generator, which layers cannot do without, and give it back as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@contextmanager
def _known_warnings() -> Iterator[None]:
    """Silence what does not concern this project, one by one."""
    with warnings.catch_warnings():
        # A batch is one gather from memory: worker processes would only copy it.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        # Lightning's own use of torch.
        warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*", category=FutureWarning)
        # Said better by `fit` itself, where no epoch at all was validated.
        warnings.filterwarnings("ignore", message=".*could not find the monitored key in the returned.*")
        # Nothing is logged by step.
        warnings.filterwarnings("ignore", message=".*is smaller than the logging interval.*")
        yield
