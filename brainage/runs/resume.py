"""Taking up a run: ``resume=FOLDER`` goes on in that folder, with that run's config."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from brainage.config.hydra import parse
from brainage.config.instantiate import check_targets
from brainage.config.saved import read_config
from brainage.errors import ConfigError, ResumeError
from brainage.system.console import log

# What may be given beside `resume`.
_CHANGEABLE = "trainer.max_epochs"


def given_words(overrides: Any) -> list[str]:
    """Return the command line's overrides, as they were given.

    Parameters
    ----------
    overrides : OverridesConf
        Hydra's own, a part of its config: of the job, ``task``, and of Hydra, ``hydra``.
    """
    # Not resolved: `split.seed=${seed}` refers to a value of the config, which is none of this list.
    plain: Any = OmegaConf.to_container(overrides, resolve=False)
    return [*plain["task"], *plain["hydra"]]


def check_resume(folder: Path, overrides: Sequence[str], *, multirun: bool) -> None:
    """Refuse a folder that holds no run, and overrides that would change it.

    Parameters
    ----------
    folder : Path
        The run's folder.
    overrides : sequence of str
        The command line's overrides, of the job and of Hydra.
    multirun : bool
        Whether the command is a multirun.

    Raises
    ------
    ResumeError
        The run cannot be taken up like that.
    """
    if multirun:
        raise ResumeError(
            f"`resume={folder}` takes up one run, but got --multirun. Leave that out; to take up several runs, start "
            "the command once for each."
        )
    if not (folder / "config.yaml").is_file():
        what = "holds none" if folder.is_dir() else "does not exist"
        raise ResumeError(
            f"`resume={folder}` must be the folder of a run that began, which holds its `config.yaml`, but it {what}. "
            "An interrupted run's last line names its folder."
        )
    others = [
        word for word in overrides if not word.startswith(("resume=", "code=", f"{_CHANGEABLE}=", "hydra.mode=RUN"))
    ]
    if others:
        raise ResumeError(
            f"`resume={folder}` takes up a run with its own config, so that its numbers can be trusted; only "
            f"{_CHANGEABLE} may be changed, but got {', '.join(f'`{word}`' for word in others)}. Leave that out, or "
            "start a new run."
        )


def resumed_config(folder: Path, max_epochs: int | None) -> DictConfig:
    """Return the config of a run.

    Parameters
    ----------
    folder : Path
        The run's folder.
    max_epochs : int or None
        Replaces the run's own ``trainer.max_epochs``; None keeps it.

    Returns
    -------
    DictConfig
        As Hydra would have composed it, with loggers that write into the folder, wherever that has been moved.

    Raises
    ------
    ConfigError
        It is not a config of this version, or it names what a run is not made of.
    """
    path = folder / "config.yaml"
    config = read_config(path)
    check_targets(OmegaConf.to_container(config, resolve=False), path)
    parse(config)
    _move_loggers(config, folder)
    config.resume = str(folder)
    if max_epochs is not None and max_epochs != config.trainer.max_epochs:
        config.trainer.max_epochs = max_epochs
        t_max = (config.scheduler or {}).get("T_max")
        if t_max is not None and t_max != max_epochs:
            log.warning("scheduler.T_max stays %s, as it was when the run began.", t_max)
    return config


def _move_loggers(config: DictConfig, folder: Path) -> None:
    """Let loggers that wrote into the run's folder write there again."""
    noted = folder / ".hydra" / "hydra.yaml"
    try:
        former = OmegaConf.load(noted).hydra.runtime.output_dir
    except Exception:  # without it, nothing is known to have been moved
        return
    for entry in (config.logger or {}).values():
        if entry.get("save_dir") == former:
            entry.save_dir = str(folder.resolve())


def finished_summary(folder: Path, max_epochs: int | None) -> dict[str, Any] | None:
    """Return the summary of a run that has nothing left to do.

    Parameters
    ----------
    folder : Path
        The run's folder.
    max_epochs : int or None
        What it is to have from now on; None for no change.

    Returns
    -------
    dict or None
        None where the run can go on.
    """
    try:
        summary: dict[str, Any] = json.loads((folder / "summary.json").read_text())
        done = summary["status"] == "finished" and (max_epochs is None or max_epochs <= summary["epochs"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        log.warning("`%s` cannot be read; it is written again.", folder / "summary.json")
        return None
    return summary if done else None


def asked_max_epochs(composed: DictConfig, overrides: Sequence[str]) -> int | None:
    """Return ``trainer.max_epochs`` where the command line names it.

    Raises
    ------
    ConfigError
        It was set to nothing.
    """
    if not any(word.startswith(f"{_CHANGEABLE}=") for word in overrides):
        return None
    value = composed.trainer.max_epochs
    if value is None:
        raise ConfigError(f"`{_CHANGEABLE}` must be a number where a run is taken up, but got None. Leave it out.")
    return int(value)
