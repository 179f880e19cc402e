"""The choices of each group and their values, as Hydra composes them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from brainage.config.hydra import register
from brainage.system.files import CONFIGS, OWN_CONFIGS
from docs.sphinx_ext.keys import yaml_text

# Longer lists are counted.
_N_LISTED = 6


@cache
def composed(command: str, *overrides: str) -> dict[str, Any]:
    """Return a command's config as plain values, with references as they are."""
    register()
    GlobalHydra.instance().clear()
    # Not the settings of this machine.
    has_local = command == "train" and any((folder / "local").is_dir() for folder in (CONFIGS, OWN_CONFIGS))
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose(command, [*(["~local@_global_"] * has_local), *overrides], return_hydra_config=True)
    values = OmegaConf.to_container(config, resolve=False)
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


def choices(group: str) -> dict[str, str]:
    """Return the choices of a group, the default first, with the line that describes each."""
    folder = CONFIGS / group
    paths = folder.glob("*.yaml") if group.startswith("hydra") else folder.rglob("*.yaml")
    found = {path.relative_to(folder).with_suffix("").as_posix(): _about(path) for path in sorted(paths)}
    first = default_choice(group) if found else None
    return dict(sorted(found.items(), key=lambda item: item[0] != first))


def _about(path: Path) -> str:
    lines = [line[2:] for line in path.read_text("utf-8").splitlines() if line.startswith("# ")]
    return next((line for line in lines if "@package" not in line), "")


def default_choice(group: str) -> str | None:
    """Return the choice of a group that a command without words makes."""
    found = composed("train", "sweep=own")["hydra"]["runtime"]["choices"].get(group)
    return None if group == "sweep" else found


def node(group: str, choice: str) -> Any:
    """Return the values of a group with one of its choices."""
    values: Any = composed("train", *(["sweep=own"] if group.startswith("hydra") else []), f"{group}={choice}")
    for part in group.split("/"):
        values = values[part]
    if group == "hydra/sweeper":  # whose sampler and pruner are groups
        values = {**values, "sampler": default_choice(f"{group}/sampler"), "pruner": default_choice(f"{group}/pruner")}
    return values


def default_text(values: Mapping[str, Any]) -> str:
    """Return the default of a key by choice, as Markdown; one if all choices have the same."""
    if len(values) > 1 and all(choice == value for choice, value in values.items()):
        return "that of the choice"
    texts: dict[str, list[str]] = {}
    for choice, value in values.items():
        texts.setdefault(_text(value), []).append(choice)
    if len(texts) == 1:
        return next(iter(texts))
    return ", ".join(f"{text} ({', '.join(names)})" for text, names in texts.items())


def _text(value: Any) -> str:
    if value == "???":
        return "required"
    if isinstance(value, list) and len(value) > _N_LISTED:
        return f"a list of {len(value)}"
    if isinstance(value, str) and value.startswith("${brainage."):
        return "derived"
    if isinstance(value, list | dict):
        value = yaml.safe_dump(value, default_flow_style=True, width=1000).strip()
    return f"`{yaml_text(value)}`"
