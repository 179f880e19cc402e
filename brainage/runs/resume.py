"""Resume a run: ``resume=FOLDER`` continues in that folder, with that run's config."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from brainage.config.again import AGAIN, give_again, key_of
from brainage.config.hydra import parse
from brainage.config.machine import of_this_machine, without_strangers
from brainage.config.saved import read_config
from brainage.errors import ConfigError, ResumeError
from brainage.runs.folder import read_summary
from brainage.system.console import log
from brainage.system.invocation import command_text

# The overrides that `resume` allows, besides those of this machine.
_CHANGEABLE = ("trainer.max_epochs", "trainer.max_time", "modality.atlas", *AGAIN)


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
    allowed = ("resume", "code", *_CHANGEABLE)
    others = [
        word
        for word in overrides
        if not ((key_of(word) in allowed and word[0] != "~") or word == "hydra.mode=RUN" or of_this_machine(word))
    ]
    if others:
        got, may_change = ", ".join(f"`{word}`" for word in others), ", ".join(_CHANGEABLE)
        raise ResumeError(
            f"`resume={folder}` resumes a run with its own config; only {may_change} may be changed, but got {got}. "
            "Leave that out, or start a new run."
        )


def resumed_config(composed: DictConfig, overrides: Sequence[str], asked: Mapping[str, Any]) -> DictConfig:
    """Return the config of the run that ``resume`` names, with this machine's loggers, callbacks and store's place.

    Raises a `ConfigError` if it is not a config of this version, or decides what a folder may not decide.
    """
    folder = Path(composed.resume)
    path = folder / "config.yaml"
    config = without_strangers(read_config(path), composed, overrides, str(path))
    parse(config)
    config.resume = str(folder)
    t_max, max_epochs = (config.scheduler or {}).get("T_max"), asked.get("trainer.max_epochs")
    if max_epochs not in (None, config.trainer.max_epochs) and t_max not in (None, max_epochs):
        said = "scheduler.T_max stays %s, the value at the start of the run: the learning rate rises again after it."
        log.warning(said, t_max)
    give_again(config, asked)
    return config


def resume_command(folder: Path) -> str:
    """Return the command that resumes this process's run, with what it was given and the folder does not decide."""
    words = sys.argv[1:]
    again = _CHANGEABLE if any(key_of(word) == "resume" for word in words) else ()
    kept = (word.lstrip("+") for word in words if of_this_machine(word) or key_of(word) in again)
    return command_text("train", f"resume={folder}", *kept)


def finished_summary(folder: Path, asked: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the summary of a finished run; None if it is not finished, or the overrides ask for more training."""
    summary = read_summary(folder)
    if summary is None:
        if (folder / "summary.json").exists():
            log.warning("`%s` cannot be read; it will be rewritten.", folder / "summary.json")
        return None
    max_epochs, done = asked.get("trainer.max_epochs"), summary.get("epochs") or 0
    more_epochs = max_epochs is not None and (max_epochs == -1 or max_epochs > done)
    more_time = "trainer.max_time" in asked and summary.get("stopped_by") == "max_time"
    return summary if summary["status"] == "finished" and not (more_epochs or more_time) else None


def asked_changes(composed: DictConfig, overrides: Sequence[str]) -> dict[str, Any]:
    """Return the values of the run that the command line changes; raise a `ConfigError` if one cannot be."""
    given = {key_of(word) for word in overrides}
    asked = {key: OmegaConf.select(composed, key) for key in _CHANGEABLE if key in given}
    if asked.get("trainer.max_epochs", 1) is None:
        raise ConfigError("`trainer.max_epochs` must be a number for a resumed run, but got None. Leave it out.")
    return asked
