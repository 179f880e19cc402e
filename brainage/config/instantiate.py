"""Making what a config names by ``_target_``: optimizers, schedulers, loggers, callbacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate

from brainage.errors import ConfigError
from brainage.system.console import log
from brainage.system.files import refuse_links

if TYPE_CHECKING:
    from pytorch_lightning.loggers import Logger


def instance(key: str, value: Any) -> Any:
    """Instantiate a config's ``_target_``; return a value without one as it is.

    Raises
    ------
    ConfigError
        It cannot be instantiated; the message names `key`, and a missing extra.
    """
    if not isinstance(value, dict) or "_target_" not in value:
        return value
    try:
        return instantiate(value, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__ or error
        if isinstance(cause, ModuleNotFoundError) and "tensorboard" in str(cause).lower():
            raise ConfigError(
                f'`{key}` needs TensorBoard, which is not installed: pip install "brainage[tensorboard]".'
            ) from error
        raise ConfigError(
            f"`{key}` names {value['_target_']!r}, which cannot be made: {' '.join(str(cause).split())}. Check its "
            "name, its arguments, and whether its package is installed."
        ) from error


@contextmanager
def open_loggers(entries: dict[str, Any], values: dict[str, Any]) -> Iterator[list[Logger]]:
    """Make the loggers, tell them the config, and close what the next job of a multirun would find open.

    Parameters
    ----------
    entries : dict
        A logger's config a name.
    values : dict
        The whole config, logged as hyperparameters.

    Raises
    ------
    ConfigError
        One cannot be opened.
    """
    loggers: list[Logger] = []
    try:
        for name, entry in entries.items():
            loggers.append(_opened_logger(name, entry, values))
        yield loggers
    finally:
        for logger in loggers:
            if callable(finish := getattr(getattr(logger, "experiment", None), "finish", None)):
                finish()


def _opened_logger(name: str, entry: dict[str, Any], values: dict[str, Any]) -> Logger:
    if entry.get("log_model"):
        raise ConfigError(
            f"`logger.{name}.log_model` must be false, but got {entry['log_model']!r}: checkpoints stay in the run's "
            "folder. Upload them from there."
        )
    if entry.get("save_dir"):
        parts = [Path(str(value)).parts[:1] for value in (entry.get("name"), "wandb") if value]
        refuse_links(*(Path(entry["save_dir"], *part) for part in parts))
    logger: Logger = instance(f"logger.{name}", entry)
    try:
        logger.log_hyperparams(values)
        experiment = getattr(logger, "experiment", None)
        if not getattr(experiment, "offline", True) and (address := getattr(experiment, "url", None)):
            log.info("%s", address)
    except Exception as error:  # each logger has errors of its own
        raise ConfigError(
            f"`logger.{name}` cannot be opened: {type(error).__name__}: {str(error).strip().splitlines()[0]} Log in to "
            f"its service, use it offline (logger.wandb.mode=offline), or leave it out."
        ) from error
    return logger
