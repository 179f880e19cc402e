"""Train a network by epochs and keep the best epoch's weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Callback, LightningDataModule, Trainer
from pytorch_lightning.callbacks import EarlyStopping
from torch import nn

from brainage.errors import BrainageError, CheckpointError, ConfigError, DeviceError, DivergedError
from brainage.system.console import log
from brainage.training.averaging import averaging
from brainage.training.callbacks import EpochProgress, EpochTable, PruningCallback, TimeLimit
from brainage.training.checkpoint import Checkpoints, Progress
from brainage.training.devices import OwnSignals, StopTogether, SumErrors, together
from brainage.training.loggers import Loggers
from brainage.training.module import AgeRegressor, MakeOptimizer, MakeScheduler
from brainage.training.pruning import ShouldPrune
from brainage.training.trainer import known_warnings, make_trainer
from brainage.training.weights import read_checkpoint

# What Lightning's own callbacks would do; Lightning's timer ends a training within an epoch, which cannot be resumed.
# Batch normalisation over all devices of a run; of one, nothing changes.
_OWN_ARGUMENTS: dict[str, Any] = {"enable_progress_bar": False, "max_time": None, "sync_batchnorm": True}


@dataclass(frozen=True)
class FitSettings:
    """How a network is trained.

    `output_bias` is the initial bias of the last layer, in years; None starts it at 0. `weight_averaging` is the decay
    of averaged weights, see `brainage.training.averaging`; 0 disables it. `callbacks` run after the project's own.
    `compile` is that of `AgeRegressor`.
    """

    optimizer: MakeOptimizer
    scheduler: MakeScheduler | None
    trainer_arguments: dict[str, Any]
    callbacks: Sequence[Callback] = ()
    seed: int = 43
    patience: int = 15
    output_bias: float | None = None
    weight_averaging: float = 0.0
    compile: bool = False


@dataclass(frozen=True)
class Fit:
    """A network with the best epoch's weights, in evaluation mode; epochs count from 0, seconds are over all starts.

    `stopped_by` is ``max_time`` if that ended the training, otherwise None.
    """

    network: nn.Module
    epochs: int
    best_epoch: int
    seconds: float
    pruned: bool = False
    stopped_by: str | None = None


def fit(
    build: Callable[[], nn.Module],
    data: LightningDataModule,
    settings: FitSettings,
    folder: Path,
    *,
    loggers: Loggers | None = None,
    fingerprints: Sequence[str] = ("",),
    on_epoch: Callable[[], object] = lambda: None,
    should_prune: ShouldPrune | None = None,
) -> Fit:
    """Train a network and keep the epoch with the lowest validation loss.

    `build` is called after torch's generator is seeded, `on_epoch` after each epoch's ``last.ckpt``. Training
    continues from ``checkpoints/last.ckpt`` in the folder, if there is one, to the same bits as if uninterrupted.
    `fingerprints` are that of the data, and others that this checkpoint may have, of before participants withdrew.

    Raises
    ------
    ConfigError, DeviceError
        Optimizer, scheduler or Trainer refuse their arguments.
    CheckpointError
        The checkpoint cannot be resumed, or was trained on data with another fingerprint.
    DivergedError
        The validation loss was never finite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoints = Checkpoints(folder / "checkpoints", fingerprints, on_epoch)
    pruning = None if should_prune is None else PruningCallback(should_prune)
    limit = TimeLimit(settings.trainer_arguments.get("max_time"))
    with _seeded(settings.seed), known_warnings():
        network = build()
        _start_output(network, settings.output_bias)
        module = AgeRegressor(
            network,
            optimizer=settings.optimizer,
            scheduler=settings.scheduler,
            seed=settings.seed,
            compile=settings.compile,
        )
        resumed, progress = checkpoints.restore(module), checkpoints.progress
        _check_epochs(settings.trainer_arguments.get("max_epochs"), progress)
        if resumed:
            log.info("Resuming after epoch %d", progress.epochs - 1)
        shown = bool(settings.trainer_arguments.get("enable_progress_bar", True))
        first = [
            OwnSignals(),
            EpochTable(folder / "metrics.csv", progress.epochs, loggers),
            EpochProgress(progress, shown=shown),
            *([] if pruning is None else [pruning]),
        ]
        trainer = _trainer(settings, folder, _callbacks(settings, checkpoints, first, limit), loggers=loggers)
        with together(trainer, _other_process, module, data, settings, folder, progress, resumed):
            _train(trainer, module, data, checkpoints, resumed=resumed)
    _check_validated(progress)
    best_epoch = _load_best(module, checkpoints)
    pruned = pruning is not None and pruning.pruned
    stopped_by = "max_time" if limit.reached else None
    return Fit(network.eval(), progress.epochs, best_epoch, progress.seconds, pruned, stopped_by)


def _trainer(
    settings: FitSettings, folder: Path, callbacks: list[Callback], *, rank: int = 0, loggers: Loggers | None = None
) -> Trainer:
    return make_trainer(
        {"default_root_dir": str(folder), **settings.trainer_arguments, **_OWN_ARGUMENTS},
        rank=rank,
        logger=(loggers.for_lightning() if loggers else []) or False,
        callbacks=callbacks,
    )


def _other_process(
    rank: int,
    module: AgeRegressor,
    data: LightningDataModule,
    settings: FitSettings,
    folder: Path,
    progress: Progress,
    resumed: bool,
) -> tuple[Trainer, Callable[[], None]]:
    """Return what another process of the same training trains with; it writes nothing."""
    checkpoints = Checkpoints(folder / "checkpoints")
    checkpoints.progress = progress
    trainer = _trainer(settings, folder, _callbacks(settings, checkpoints), rank=rank)
    return trainer, partial(_train, trainer, module, data, checkpoints, resumed=resumed)


def _train(
    trainer: Trainer, module: AgeRegressor, data: LightningDataModule, checkpoints: Checkpoints, *, resumed: bool
) -> None:
    """Train; report what Lightning refuses as a `ConfigError`."""
    try:
        trainer.fit(module, data, ckpt_path=checkpoints.last if resumed else None, weights_only=True)
    except Exception as error:
        misconfigured = isinstance(error, ValueError) and not (checkpoints.began or resumed)
        if misconfigured or isinstance(error, MisconfigurationException):
            raise ConfigError(f"`trainer`: Lightning refuses to train: {' '.join(str(error).split())}") from error
        if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise DeviceError(
                f"`trainer.compile=true` needs a machine where torch compiles, but {type(error).__name__} was raised. "
                "Install a C++ compiler, or use trainer.compile=false."
            ) from error
        if checkpoints.began or not resumed or isinstance(error, BrainageError):
            raise
        # Lightning and torch raise many kinds of errors for a checkpoint that lacks something.
        raise CheckpointError(
            f"`{checkpoints.last}` must be a checkpoint of a run with this config, but cannot be restored "
            f"({type(error).__name__}). Restore `config.yaml` and the checkpoint that belongs to it, or start a "
            "new run."
        ) from error


def _load_best(module: AgeRegressor, checkpoints: Checkpoints) -> int:
    """Load the best epoch's weights into the network; return that epoch."""
    best = read_checkpoint(checkpoints.best, module)
    module.load_state_dict(best["state_dict"])
    return int(best["epoch"])


def _callbacks(
    settings: FitSettings, checkpoints: Checkpoints, first: Sequence[Callback] = (), *last: Callback
) -> list[Callback]:
    """Return all callbacks: `first` and `last` are those that one process alone has."""
    # Patience counts epochs if each is validated, even several times; otherwise it counts validations.
    arguments = settings.trainer_arguments
    each_epoch = arguments.get("check_val_every_n_epoch", 1) == 1
    stopping = EarlyStopping(
        "val/loss", patience=settings.patience, mode="min", strict=False, check_on_train_epoch_end=each_epoch
    )
    averages = [averaging(settings.weight_averaging)] if settings.weight_averaging else []
    return [SumErrors(), stopping, *first, *averages, checkpoints, *settings.callbacks, *last, StopTogether()]


def _check_epochs(max_epochs: int | None, progress: Progress) -> None:
    if max_epochs is not None and -1 < max_epochs < progress.epochs:
        raise ConfigError(
            f"`trainer.max_epochs` must be {progress.epochs} or more, the epochs that are finished, but got "
            f"{max_epochs}. Leave it out, or give more."
        )


def _check_validated(progress: Progress) -> None:
    """Check that there is a best epoch."""
    if progress.best_epoch is not None:
        return
    if progress.n_validated:
        raise DivergedError(
            "Training diverged: the validation loss was never a finite number. Lower optimizer.lr, or set "
            "trainer.gradient_clip_val=1."
        )
    raise ConfigError(
        f"`trainer` must let at least one epoch be trained and validated, but none of {progress.epochs} was. Raise "
        "trainer.max_epochs, trainer.max_steps or trainer.max_time, or lower trainer.check_val_every_n_epoch."
    )


def _start_output(network: nn.Module, bias: float | None) -> None:
    """Set the last layer's bias to an age in years, or to 0."""
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
    """Seed torch's global generator, which its layers draw from, and restore its state afterwards."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
