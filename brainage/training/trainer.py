"""Making a Trainer and an optimizer, and saying what Lightning or torch refuse of them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Trainer
from torch import nn

from brainage.errors import ConfigError, DeviceError
from brainage.training.checkpoint import WholeCheckpoints
from brainage.training.module import MakeOptimizer, MakeScheduler


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
    make_trainer({**arguments, "enable_progress_bar": False}, logger=False)


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


def make_trainer(arguments: dict[str, Any], **own: Any) -> Trainer:
    """Make a Trainer that writes checkpoints whole.

    Parameters
    ----------
    arguments : dict
        Keyword arguments of the Trainer, as configured.
    **own
        Others, which the project sets.

    Raises
    ------
    DeviceError
        The hardware is not here.
    ConfigError
        Lightning refuses the arguments.
    """
    plugins = arguments.get("plugins") or []
    plugins = [*(plugins if isinstance(plugins, list) else [plugins]), WholeCheckpoints()]
    logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(_is_news)
    try:
        return Trainer(**{**arguments, "plugins": plugins}, **own)
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


def _is_news(record: logging.LogRecord) -> bool:
    """Tell what Lightning has to say from what it says every time."""
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
    """Silence what does not concern this project, one by one."""
    with warnings.catch_warnings():
        # A batch is one gather from memory: worker processes would only copy it.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        # Lightning's own use of torch.
        warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*", category=FutureWarning)
        # Nothing is logged by step.
        warnings.filterwarnings("ignore", message=".*is smaller than the logging interval.*")
        yield
