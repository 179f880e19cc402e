"""The fit: from a network and batches to the best epoch's weights and predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from numpy.typing import NDArray
from pytorch_lightning import Callback, LightningDataModule, Trainer
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.loggers import Logger
from torch import nn

from brainage.errors import DIVERGED, BrainageError, CheckpointError, ConfigError, DivergedError
from brainage.system.console import log
from brainage.training.averaging import averaging
from brainage.training.callbacks import EpochProgress, EpochReport, EpochTable
from brainage.training.checkpoint import Checkpoints, Progress, check_fits, read_checkpoint
from brainage.training.module import AgeRegressor, MakeOptimizer, MakeScheduler
from brainage.training.trainer import known_warnings, make_trainer


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
        How long the epochs took, those before an interruption included.
    pruned : bool
        Whether it was ended for being hopeless.
    """

    network: nn.Module
    epochs: int
    best_epoch: int
    seconds: float
    pruned: bool = False


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
    weight_averaging: float = 0.0,
    loggers: Sequence[Logger] = (),
    callbacks: Sequence[Callback] = (),
    data_fingerprint: str = "",
    resume: bool = False,
    begin: Callable[[], object] = lambda: None,
    report: Callable[[int, float], bool] | None = None,
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
        Where the last layer's bias starts, in years; None lets it give 0 years.
    weight_averaging : float, default=0
        The decay of averaged weights; 0 averages nothing. See averaging.
    loggers, callbacks : sequences
        Added to the project's own.
    data_fingerprint : str, default=""
        Noted in checkpoints; one with another is refused.
    resume : bool, default=False
        Go on from the folder's last checkpoint, if it has one, to the same bits as if there had been no interruption.
    begin : callable
        See Checkpoints.
    report : callable or None
        Takes an epoch, from 0, and its validation loss; tells whether to end a training that is hopeless.

    Returns
    -------
    Fit
        The result.

    Raises
    ------
    ConfigError, DeviceError
        Optimizer, scheduler or Trainer refuse their arguments.
    CheckpointError
        The checkpoint cannot be taken up.
    DivergedError
        The validation loss was never finite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoints = Checkpoints(folder / "checkpoints", data_fingerprint, begin)
    going_on = resume and checkpoints.take_up()
    progress = checkpoints.progress
    _check_epochs(trainer_arguments.get("max_epochs"), progress)
    with _seeded(seed), known_warnings():
        network = build()
        _start_output(network, output_bias)
        module = AgeRegressor(network, optimizer=optimizer, scheduler=scheduler, seed=seed)
        if going_on:
            check_fits(module, read_checkpoint(checkpoints.last), checkpoints.last)
            log.info("Going on after epoch %d", progress.epochs - 1)
        more = [averaging(weight_averaging)] if weight_averaging else []
        reports = [EpochReport(report)] if report is not None else []
        trainer = make_trainer(
            {"default_root_dir": str(folder), **trainer_arguments, "enable_progress_bar": False},
            logger=list(loggers) or False,
            callbacks=[
                *_callbacks(trainer_arguments, folder, patience, progress),
                *more,
                *reports,
                checkpoints,
                *callbacks,
            ],
        )
        _train(trainer, module, data, checkpoints, going_on)
    _check_validated(progress)
    best_epoch = _take_best(module, checkpoints)
    pruned = any(callback.pruned for callback in reports)
    return Fit(network.eval(), progress.epochs, best_epoch, progress.seconds, pruned)


def _train(
    trainer: Trainer, module: AgeRegressor, data: LightningDataModule, checkpoints: Checkpoints, going_on: bool
) -> None:
    """Train, and say what Lightning refuses."""
    try:
        trainer.fit(module, data, ckpt_path=checkpoints.last if going_on else None, weights_only=True)
    except MisconfigurationException as error:
        raise ConfigError(f"`trainer`: Lightning refuses to train: {error}") from error
    except Exception as error:
        if checkpoints.began or not going_on or isinstance(error, BrainageError):
            raise
        # Whatever is missing or of another kind in a checkpoint, Lightning and torch just stumble over.
        raise CheckpointError(
            f"`{checkpoints.last}` must be a checkpoint of a run with this config, but cannot be restored "
            f"({type(error).__name__}). Restore `config.yaml` and the checkpoint that belongs to it, or start a "
            "new run."
        ) from error


def _take_best(module: AgeRegressor, checkpoints: Checkpoints) -> int:
    """Give the network the best epoch's weights; return that epoch."""
    best = read_checkpoint(checkpoints.best)
    check_fits(module, best, checkpoints.best)
    module.load_state_dict(best["state_dict"])
    return int(best["epoch"])


def _callbacks(arguments: dict[str, Any], folder: Path, patience: int, progress: Progress) -> list[Callback]:
    # Where every epoch is validated, patience counts epochs, however often one is; else it counts validated ones.
    each_epoch = arguments.get("check_val_every_n_epoch", 1) == 1
    stopping = EarlyStopping(
        "val/loss", patience=patience, mode="min", strict=False, check_on_train_epoch_end=each_epoch
    )
    callbacks: list[Callback] = [stopping, EpochTable(folder / "metrics.csv", progress.epochs)]
    if arguments.get("enable_progress_bar", True):
        callbacks.append(EpochProgress(progress))
    return callbacks


def _check_epochs(max_epochs: int | None, progress: Progress) -> None:
    if max_epochs is not None and -1 < max_epochs < progress.epochs:
        raise ConfigError(
            f"`trainer.max_epochs` must be {progress.epochs} or more, the epochs that are finished, but got "
            f"{max_epochs}. Leave it out, or give more."
        )


def _check_validated(progress: Progress) -> None:
    """See that there is a best epoch."""
    if progress.best_epoch is not None:
        return
    if progress.n_validated:
        raise DivergedError(
            f"{DIVERGED}: the validation loss was never a finite number. Lower optimizer.lr, or set "
            "trainer.gradient_clip_val=1."
        )
    raise ConfigError(
        f"`trainer` must let at least one epoch be trained and validated, but none of {progress.epochs} was. Raise "
        "trainer.max_epochs, trainer.max_steps or trainer.max_time, or lower trainer.check_val_every_n_epoch."
    )


@torch.inference_mode()
def predict(network: nn.Module, batches: Iterable[Any]) -> NDArray[np.float64]:
    """Predict the age of everybody, in order.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode, on any device.
    batches : iterable
        Series of shape (batch, n_channels, n_times), with ages that are not looked at.

    Returns
    -------
    array of shape (n_participants,)
        In years.
    """
    like = next(network.parameters())
    ages = [network(series.to(like.device, like.dtype)).squeeze(1).double().cpu() for series, _ in batches]
    return torch.cat(ages).numpy()


def _start_output(network: nn.Module, bias: float | None) -> None:
    """Start the last layer's bias at an age, or at 0 years."""
    last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1:]
    if last and last[0].out_features == 1 and last[0].bias is not None:
        nn.init.constant_(last[0].bias, bias or 0.0)
    elif bias is not None:
        raise ConfigError(
            "`model.output_bias=mean_age` needs a network whose last linear layer has one output and a bias, but "
            f"{type(network).__name__} has none. Use model.output_bias=zero."
        )


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed torch's generator, which layers cannot do without, and give it back as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
