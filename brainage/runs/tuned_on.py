"""A warning of an experiment that a sweep tuned on another split: its test participants may have chosen it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from yaml import YAMLError

from brainage.system.console import log
from brainage.system.reading import read_yaml

_SAME_COHORT = ("name", "root", "seed")


def warn_of_other_split(config: DictConfig) -> None:
    """Warn if the chosen experiment is a sweep's, of the same cohort and another split; `config` has ``hydra``."""
    name = config.hydra.runtime.choices.get("experiment")
    for source in config.hydra.runtime.config_sources:
        folder = Path(source.path)
        if source.schema != "file" or not (folder / "experiment" / f"{name}.yaml").is_file():
            continue
        swept: dict[str, Any] = {}
        with suppress(OSError, ValueError, YAMLError):
            swept = read_yaml(folder / "multirun.yaml") or {}
        if "sweeper" in swept.get("hydra", {}) and _tests_tuned(swept, config):
            _warn(name, swept["split"])


def _tests_tuned(swept: dict[str, Any], config: DictConfig) -> bool:
    cohort, split = (_known(config[group]) for group in ("cohort", "split"))
    tuned = {key: value for key, value in swept["split"].items() if value is not None}
    several = str(swept["hydra"]["sweeper"].get("over") or "").startswith("split.")
    return all(swept["cohort"].get(key) == cohort.get(key) for key in _SAME_COHORT) and (several or tuned != split)


def _known(group: DictConfig) -> dict[str, Any]:
    values: Any = OmegaConf.to_container(group, resolve=False)
    return {key: value for key, value in values.items() if value is not None}


def _warn(name: str, split: dict[str, Any]) -> None:
    words = " ".join(f"split.{key}={value}" for key, value in split.items() if key in ("seed", "fold", "site"))
    log.warning(
        "`experiment=%s` was tuned by a sweep on another split (split=%s %s): it is tested on participants who had a "
        "part in choosing it, and its error is too low. Search each fold by itself: train --multirun sweep=NAME "
        "split=kfold split.fold=0,1,2,3,4",
        *(name, split.get("name"), words),
    )
