"""A trial as an experiment: the choices and values that differ from the default config."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

# Groups and keys that belong to the sweep, or to the user who trains the best trial.
_OWN = frozenset({"sweep", "experiment", "logger"})
_OWN_KEYS = ("evaluate", "logger", "resume", "store", "sweep")

Compose = Callable[[list[str]], DictConfig]


def experiment_text(compose: Compose, words: list[str], title: str) -> str:
    """Return an experiment's YAML: what a trial's overrides (`words`) change; `title` is its first comment."""
    trial, default = compose(words), compose([])
    choices, usual = (config.hydra.runtime.choices for config in (trial, default))
    chosen = {
        group: choice
        for group, choice in choices.items()
        if "/" not in group and "@" not in group and group not in _OWN and choice != usual.get(group)
    }
    plain = compose([f"{group}={choice}" for group, choice in chosen.items()])
    content: dict[str, Any] = {}
    if chosen:
        content["defaults"] = [{f"override /{group}": choice} for group, choice in chosen.items()]
    content.update(_difference(_values(trial), _values(plain)))
    return f"# @package _global_\n# {title}\n{yaml.safe_dump(content, sort_keys=False)}"


def _values(config: DictConfig) -> dict[str, Any]:
    values: Any = OmegaConf.to_container(config, resolve=False)
    values["trainer"].pop("enable_progress_bar", None)  # trials are silent
    return {key: value for key, value in values.items() if key not in ("hydra", *_OWN_KEYS)}


def _difference(values: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """Return the values that differ, nested like the config."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        other = others.get(key)
        if isinstance(value, dict) and isinstance(other, dict):
            if inner := _difference(value, other):
                found[key] = inner
        elif value != other or type(value) is not type(other):
            found[key] = value
    return found
