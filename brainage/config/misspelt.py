"""Misspelt keys of the command line: the nearest key, and added keys that nothing would read."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import fields, is_dataclass

from omegaconf import DictConfig, OmegaConf

from brainage.config.again import AGAIN, key_of
from brainage.errors import ConfigError


def nearest_key(config: DictConfig, key: str, groups: Sequence[str] = ()) -> str | None:
    """Return the key of a config, or the group, that a dotted key is most like; None if a part of it is like no other.

    Parameters
    ----------
    config : DictConfig
        A composed config.
    key : str
        A key that does not exist.
    groups : sequence of str
        Config groups, which are keys too.
    """
    node, found = config, list[str]()
    for part in key.split("."):
        names = [str(name) for name in node] if isinstance(node, DictConfig) else []
        near = [part] if part in names else difflib.get_close_matches(part, [*names, *(() if found else groups)], n=1)
        if not near:
            return None
        found.append(near[0])
        node = OmegaConf.select(config, ".".join(found))
    return ".".join(found)


def refuse_unknown(config: DictConfig, words: Sequence[str]) -> None:
    """Raise a ConfigError for a key that ``+`` adds where a schema lists all keys: nothing would read it.

    A key that another override refers to (``${key}``) is read.
    """
    for word in words:
        key = key_of(word)
        parent, _, name = key.rpartition(".")
        node = OmegaConf.select(config, parent, throw_on_missing=False) if parent else config
        kind = OmegaConf.get_type(node) if isinstance(node, DictConfig) else None
        is_read = key in AGAIN or key.startswith("hydra.")  # those of a run's own cohort, which is not composed
        if not word.startswith("+") or "=" not in word or is_read or not is_dataclass(kind):
            continue
        known = [field.name for field in fields(kind)]
        if name not in known and not any(f"{{{key}}}" in one for one in words):
            near = [f"{parent}.{one}".lstrip(".") for one in difflib.get_close_matches(name, known, n=1)]
            hint = f" Did you mean `{near[0]}`, without `+`?" if near else ""
            raise ConfigError(f"`{key}` must be a key that exists: nothing reads one that `+` adds here.{hint}")
