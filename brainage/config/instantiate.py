"""Making what a config names by ``_target_``: optimizers, schedulers, loggers, callbacks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate

from brainage.errors import ConfigError
from brainage.system.files import refuse_links

if TYPE_CHECKING:
    from pytorch_lightning.loggers import Logger


# Loggers' packages, each an extra of its name.
_EXTRAS = {"tensorboard": "TensorBoard", "mlflow": "MLflow"}


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
        extra = next((name for name in _EXTRAS if name in str(cause).lower()), None)
        if isinstance(cause, ModuleNotFoundError) and extra is not None:
            raise ConfigError(
                f'`{key}` needs {_EXTRAS[extra]}, which is not installed: pip install "brainage[{extra}]".'
            ) from error
        raise ConfigError(
            f"`{key}` names {value['_target_']!r}, which cannot be made: {' '.join(str(cause).split())}. Check its "
            "name, its arguments, and whether its package is installed."
        ) from error


def made_logger(name: str, entry: dict[str, Any]) -> Logger:
    """Return a logger of its config, not yet opened.

    Raises a `ConfigError` if it cannot be made, or would upload checkpoints; an `OutputError` if it would write through
    a link.
    """
    if entry.get("log_model"):
        raise ConfigError(
            f"`logger.{name}.log_model` must be false, but got {entry['log_model']!r}: checkpoints stay in the run's "
            "folder. Upload them from there."
        )
    if entry.get("save_dir"):
        parts = [Path(str(value)).parts[:1] for value in (entry.get("name"), "wandb") if value]
        refuse_links(*(Path(entry["save_dir"], *part) for part in parts))
    logger: Logger = instance(f"logger.{name}", entry)
    return logger
