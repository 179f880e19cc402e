"""Resume a run: ``resume=FOLDER`` continues in that folder, with that run's config."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from brainage.config.hydra import parse
from brainage.config.machine import of_this_machine, without_strangers
from brainage.config.saved import read_config
from brainage.errors import ConfigError, ResumeError
from brainage.runs.folder import read_summary
from brainage.system.console import log
from brainage.system.invocation import command_text

# The one override that `resume` allows.
_CHANGEABLE = "trainer.max_epochs"


def given_words(overrides: Any) -> list[str]:
    """Return the command line's overrides of the job and of Hydra, from ``hydra.overrides``."""
    # Not resolved: `split.seed=${seed}` refers to a value of the job's config.
    plain: Any = OmegaConf.to_container(overrides, resolve=False)
    return [*plain["task"], *plain["hydra"]]


def check_resume(folder: Path, overrides: Sequence[str], *, multirun: bool) -> None:
    """Raise a `ResumeError` unless the folder contains a run and the overrides leave its config as it is."""
    if multirun:
        raise ResumeError(
            f"`resume={folder}` resumes one run, but got --multirun. Leave that out; to resume several runs, start the "
            "command once for each."
        )
    if not (folder / "config.yaml").is_file():
        what = "has none" if folder.is_dir() else "does not exist"
        raise ResumeError(
            f"`resume={folder}` must be the folder of a run, with its `config.yaml`, but it {what}. "
            "An interrupted run's last line names its folder."
        )
    allowed = ("resume=", "code=", f"{_CHANGEABLE}=", "hydra.mode=RUN")
    others = [word for word in overrides if not (word.startswith(allowed) or of_this_machine(word))]
    if others:
        raise ResumeError(
            f"`resume={folder}` resumes a run with its own config; only "
            f"{_CHANGEABLE} may be changed, but got {', '.join(f'`{word}`' for word in others)}. Leave that out, or "
            "start a new run."
        )


def resumed_config(composed: DictConfig, overrides: Sequence[str], max_epochs: int | None) -> DictConfig:
    """Return the config of the run that ``resume`` names, with this machine's loggers, callbacks and store's place.

    Raises a `ConfigError` if it is not a config of this version, or decides what a folder may not decide.
    """
    folder = Path(composed.resume)
    path = folder / "config.yaml"
    config = without_strangers(read_config(path), composed, overrides, str(path))
    parse(config)
    config.resume = str(folder)
    if max_epochs is not None and max_epochs != config.trainer.max_epochs:
        config.trainer.max_epochs = max_epochs
        t_max = (config.scheduler or {}).get("T_max")
        if t_max is not None and t_max != max_epochs:
            log.warning("scheduler.T_max stays %s, the value at the start of the run.", t_max)
    return config


def resume_command(folder: Path) -> str:
    """Return the command that resumes this process's run, with what it was given and the folder does not decide."""
    return command_text("train", f"resume={folder}", *(word for word in sys.argv[1:] if of_this_machine(word)))


def finished_summary(folder: Path, max_epochs: int | None) -> dict[str, Any] | None:
    """Return the summary of a finished run; None if it is not finished, or has fewer epochs than `max_epochs`."""
    summary = read_summary(folder)
    if summary is None:
        if (folder / "summary.json").exists():
            log.warning("`%s` cannot be read; it will be rewritten.", folder / "summary.json")
        return None
    done = summary["status"] == "finished" and (max_epochs is None or max_epochs <= (summary.get("epochs") or 0))
    return summary if done else None


def asked_max_epochs(composed: DictConfig, overrides: Sequence[str]) -> int | None:
    """Return ``trainer.max_epochs`` if the command line sets it; raise a `ConfigError` if that is null."""
    if not any(word.startswith(f"{_CHANGEABLE}=") for word in overrides):
        return None
    value = composed.trainer.max_epochs
    if value is None:
        raise ConfigError(f"`{_CHANGEABLE}` must be a number for a resumed run, but got None. Leave it out.")
    return int(value)
