"""The keys of a group of configs, by what declares them: a schema that some choices share, or one choice's own file."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from hydra.utils import get_class

from brainage.config.groups.launcher import SlurmConfig
from brainage.config.groups.model import ModelConfig
from brainage.config.groups.trainer import OptimizerRules, SchedulerRules
from brainage.config.schema import SCHEMAS, Config
from brainage.sweep.settings import SweepSettings
from brainage.system.files import CONFIGS
from docs.sphinx_ext.docstrings import described, documents
from docs.sphinx_ext.keys import Key, as_yaml, key_of, keys_of
from docs.sphinx_ext.values import choices, node

# Groups whose YAML files name classes; the schema has what all choices share.
_PARTIAL = {
    "model": ModelConfig,
    "optimizer": OptimizerRules,
    "scheduler": SchedulerRules,
    "hydra/launcher": SlurmConfig,
    "hydra/sweeper": SweepSettings,
}


@dataclass
class Section:
    """Keys that some choices of a group have.

    Parameters
    ----------
    title : str
        What has these keys, in Markdown.
    keys : dict of str to Key
        The keys, by name.
    values : dict of str to dict
        The value of each key by choice.
    """

    title: str
    keys: dict[str, Key] = field(default_factory=dict)
    values: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, key: Key, choice: str, value: Any) -> None:
        """Add a key's value with a choice."""
        self.keys[key.name] = key
        self.values.setdefault(key.name, {})[choice] = value

    @property
    def choices(self) -> set[str]:
        """The choices that have these keys."""
        return {choice for values in self.values.values() for choice in values}


def schema_of(group: str, choice: str) -> Any:
    """Return the schema of a choice; None if it has none."""
    hint = get_type_hints(Config).get(group)
    own = hint if dataclasses.is_dataclass(hint) and group != "trainer" else None
    return SCHEMAS.get(f"{group}/{choice}") or SCHEMAS.get(group) or own or _PARTIAL.get(group)


def sections_of(group: str) -> list[Section]:
    """Return the keys of a group; those that most choices have first."""
    found: dict[str, Section] = {}
    for choice in choices(group):
        values = node(group, choice) or {}
        schema = schema_of(group, choice)
        names = {one.name for one in dataclasses.fields(schema)} & set(values) if schema else set()
        for name in [one for one in values if one in names]:
            owner = _owner(schema, name)
            title = as_yaml((inspect.getdoc(owner) or "").partition("\n\n")[0]).replace("\n", " ")
            hint = get_type_hints(schema, include_extras=True)[name]
            section = found.setdefault(f"{owner.__name__}", Section(title))
            for key, value in _keys_of(schema, name, hint, f"{dotted(group)}.{name}", values[name]):
                section.add(key, choice, value)
        comments = _comments(group, choice)
        own = {name: value for name, value in values.items() if name not in names}
        for key, value in _of_target(dotted(group), own, comments):
            found.setdefault(f"{group}={choice}", Section(f"`{choice}`: other arguments")).add(key, choice, value)
    return sorted(found.values(), key=lambda section: -len(section.choices))


def _keys_of(schema: Any, name: str, hint: Any, full_name: str, value: Any) -> list[tuple[Key, Any]]:
    """Return a key with its value, or those that the schema of a key has."""
    if not dataclasses.is_dataclass(hint):
        return [(key_of(schema, name, hint, full_name), value)]
    return [(key, value[key.name.rpartition(".")[2]]) for key in keys_of(hint, f"{full_name}.")]


def dotted(group: str) -> str:
    """Return a group's place in the config."""
    return group.replace("/", ".")


def _owner(schema: type, name: str) -> type:
    """Return the class that declares or describes a key, the most specific one."""
    is_own = (one for one in schema.__mro__ if documents(one, name) or name in inspect.get_annotations(one))
    return next(is_own, schema)


def _of_target(prefix: str, values: Mapping[str, Any], comments: Mapping[str, str]) -> Iterator[tuple[Key, Any]]:
    """Return keys that a schema does not have, described by comments of the file or by the class of ``_target_``."""
    target = get_class(values["_target_"]) if "_target_" in values else object
    for name, value in values.items():
        if name.startswith("_") or name == "defaults":
            continue
        if isinstance(value, dict) and (name not in comments or "_target_" in value):
            yield from _of_target(f"{prefix}.{name}", value, comments)
            continue
        text = as_yaml(comments.get(name) or described(target, name)[1])
        yield Key(f"{prefix}.{name}", _kind(value), "", text), value


def _kind(value: Any) -> str:
    return "" if value is None or isinstance(value, str) else type(value).__name__


def _comments(group: str, choice: str) -> dict[str, str]:
    """Return the comment above each key of a choice's file."""
    text = (CONFIGS / group / f"{choice}.yaml").read_text("utf-8").partition("\n")[2]
    found = re.findall(r"((?:^ *# .*\n)+)^ *(\w+):", text, flags=re.MULTILINE)
    return {name: " ".join(line.strip().removeprefix("# ") for line in lines.splitlines()) for lines, name in found}
