"""The allow-list: what a config that may come from a stranger may name by ``_target_``."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from brainage.config.code import is_own
from brainage.config.saved import refuse_interpolation
from brainage.errors import ConfigError
from brainage.system.console import printable
from brainage.system.files import CONFIGS, OWN_CONFIGS

# Optimizers and schedulers.
TORCH = "torch.optim."
_PROJECT = "brainage."
# A run may have been trained with any callback of Lightning; reading its config makes none.
_LIGHTNING = "pytorch_lightning."


def is_allowed(target: str, *packages: str) -> bool:
    """Return whether a name is on the allow-list.

    It has this project's classes and what its configs, or the user's in ``~/.config/brainage``, name; torch's
    optimizers and schedulers; what the user's code (``code=``) defines; and the classes of other `packages`.
    """
    classes = (TORCH, _PROJECT, *packages)
    return target in _named_by_configs() or is_own(target) or any(is_class_of(name, target) for name in classes)


@cache
def _named_by_configs() -> frozenset[str]:
    paths = [path for folder in (CONFIGS, OWN_CONFIGS) for path in folder.rglob("*.yaml")]
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in paths)
    return frozenset(name for text in texts for name in re.findall(r"_target_: *['\"]?([\w.]+)", text))


def is_class_of(package: str, target: str) -> bool:
    """Return whether a name is a class that is defined in a package (``torch.optim.``), not only imported there."""
    place, _, name = target.rpartition(".")
    if not target.startswith(package):
        return False
    try:
        found = getattr(importlib.import_module(place), name, None)
    except Exception:  # what a module raises while it is imported
        return False
    return isinstance(found, type) and f"{found.__module__}.".startswith(package)


def targets_in(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield what plain values name by ``_target_``, after the dotted key of where they do."""
    if isinstance(value, dict):
        if "_target_" in value:
            yield prefix.rstrip("."), str(value["_target_"])
        for name, inner in value.items():
            yield from targets_in(inner, f"{prefix}{name}.")
    elif isinstance(value, list):
        for inner in value:
            yield from targets_in(inner, prefix)


def check_targets(config: Any, source: Path) -> None:
    """Raise if a config that a command reads names what is not on the allow-list.

    Parameters
    ----------
    config : Any
        Plain dicts, lists and values.
    source : Path
        Where it was found.

    Raises
    ------
    ConfigError
        It names something else by ``_target_``; or it is not resolved.
    """
    refuse_interpolation(config, source)
    for key, target in targets_in(config):
        if not is_allowed(target, _LIGHTNING):
            raise ConfigError(
                f"`{key}` in `{source}` must name nothing but this project's own choices, torch's optimizers and "
                f"schedulers, and Lightning's classes, but it names {printable(repr(target))[:200]}. If it is yours, "
                "load it with code=FILE."
            )
