"""Construct a Trainer and an optimizer; errors of Lightning and torch become errors of this project."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException
from lightning_fabric.utilities.rank_zero import rank_zero_only
from pytorch_lightning import Trainer
from torch import nn

from brainage.errors import ConfigError, DeviceError
from brainage.training.checkpoint import AtomicCheckpointIO
from brainage.training.devices import Place
from brainage.training.module import MakeOptimizer, MakeScheduler


def check_trainer(arguments: dict[str, Any]) -> Trainer:
    """Construct a Trainer, to report invalid arguments before any work; raise as `make_trainer`."""
    return make_trainer({**arguments, "enable_progress_bar": False}, logger=False)


def check_optimizer(optimizer: MakeOptimizer, scheduler: MakeScheduler | None) -> None:
    """Construct optimizer and scheduler of a dummy parameter, to raise a `ConfigError` before any work."""
    key = "optimizer"
    try:
        made = optimizer([nn.Parameter(torch.zeros(1))])
        key = "scheduler"
        if scheduler is not None:
            scheduler(made)
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise ConfigError(
            f"`{key}` cannot be made of its arguments: {error}. Compare them with those of torch's class."
        ) from error


def make_trainer(arguments: dict[str, Any], *, rank: int = 0, **own: Any) -> Trainer:
    """Construct a Trainer that writes checkpoints atomically, from configured arguments and the project's own.

    `rank` is that of this process, among those that share a run.

    Raises a `DeviceError` if the machine lacks the hardware, a `ConfigError` if Lightning refuses the arguments.
    """
    plugins = arguments.get("plugins") or []
    plugins = [*(plugins if isinstance(plugins, list) else [plugins]), AtomicCheckpointIO()]
    if not any(isinstance(plugin, ClusterEnvironment) for plugin in plugins):
        plugins.append(Place(rank))
    # Lightning took it from SLURM_PROCID, RANK or LOCAL_RANK: loggers of another rank than 0 write nothing.
    rank_zero_only.rank = rank  # type: ignore[attr-defined]
    logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(_is_news)
    try:
        return Trainer(**{**arguments, "plugins": plugins}, **own)
    except (MisconfigurationException, TypeError, ValueError, RuntimeError) as error:
        said, accelerator = " ".join(str(error).split()), arguments.get("accelerator", "auto")
        text = said.lower()
        if "devices" in text or "your machine only has" in text:
            raise DeviceError(
                f"`trainer.devices` must be devices of this machine, as their number, a list or -1 for all, or a "
                f"number of processes on CPUs, but got {arguments.get('devices')!r}: {said.rstrip('.')}. Use fewer, or "
                "trainer.devices=1."
            ) from error
        if isinstance(error, MisconfigurationException) and ("accelerator" in text or "backend" in text):
            raise DeviceError(
                f"`trainer.accelerator` must be hardware that this machine has, but got {accelerator!r}: {said} Use "
                "trainer=auto or trainer=cpu here."
            ) from error
        raise ConfigError(f"`trainer`: Lightning refuses its arguments: {said}") from error


def _is_news(record: logging.LogRecord) -> bool:
    """Filter out Lightning's routine log messages."""
    usual = (
        "GPU available",
        "TPU available",
        "HPU available",
        "💡 Tip",
        "`Trainer.fit` stopped",
        "Restoring states",
        "Restored all states",
        "Found current_model_state",
    )
    return not record.getMessage().startswith(usual)


@contextmanager
def known_warnings() -> Iterator[None]:
    """Ignore four warnings of Lightning and torch."""
    with warnings.catch_warnings():
        # A batch is gathered from memory: worker processes would only copy it.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        # Lightning's own use of torch.
        warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*", category=FutureWarning)
        # Nothing is logged by step.
        warnings.filterwarnings("ignore", message=".*is smaller than the logging interval.*")
        # A cluster's login node, or a job that needs no ``srun``.
        warnings.filterwarnings("ignore", message=".*`srun` command is available.*")
        yield
