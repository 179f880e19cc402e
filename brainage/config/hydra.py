"""Between Hydra and the schemas: registration, and composed configs as checked objects."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from brainage.config.channels import count_channels
from brainage.config.commands import COMMAND_SCHEMAS
from brainage.config.schema import SCHEMAS, Config
from brainage.errors import ConfigError
from brainage.system.files import OWN_CONFIGS

T = TypeVar("T")


@cache
def register(command: str | None = None) -> None:
    """Register schemas, of all commands or of one, and resolvers with Hydra; call before it composes."""
    store = ConfigStore.instance()
    known = {"schema": Config, **{f"schema_{name}": node for name, node in COMMAND_SCHEMAS.items()}}
    for name, node in known.items():
        if command is None or name == ("schema" if command == "train" else f"schema_{command}"):
            store.store(name=name, node=node)
    for path, node in SCHEMAS.items():
        group, _, name = f"schema/{path}".rpartition("/")
        store.store(group=group, name=name, node=node)
    resolvers: dict[str, Callable[..., Any]] = {
        "brainage.n_channels": count_channels,
        "brainage.unique": lambda: secrets.token_hex(3),
        "brainage.first": lambda *values: next((value for value in values if value is not None), None),
        "brainage.unless": lambda given, value: value if given is None else None,
        "brainage.if_equal": lambda one, other, value, otherwise: value if one == other else otherwise,
        "brainage.own_configs": lambda: [f"file://{OWN_CONFIGS}"] if OWN_CONFIGS.is_dir() else [],
        "brainage.hash": lambda text: hashlib.sha256(str(text).encode()).hexdigest()[:12],
    }
    for name, resolver in resolvers.items():
        # Cached, so that every job of a multirun has the same folder.
        OmegaConf.register_new_resolver(name, resolver, replace=True, use_cache=name == "brainage.unique")


def parse(composed: DictConfig) -> Config:
    """Return a composed config of ``train`` as checked objects; see `parse_as`."""
    return parse_as(composed, Config)


def parse_as(composed: DictConfig, kind: type[T]) -> T:
    """Return a composed config as checked objects: dataclasses, dicts and lists.

    Parameters
    ----------
    composed : DictConfig
        As Hydra composed it.
    kind : type
        The schema that it was composed with.

    Raises
    ------
    ConfigError
        A required value is missing, refers to nothing, or breaks a rule.
    """
    with resolved():
        missing = sorted(OmegaConf.missing_keys(composed))
        if missing:
            keys, words = ", ".join(f"`{key}`" for key in missing), " ".join(f"{key}=..." for key in missing)
            raise ConfigError(f"{keys} must be given, but got nothing. Add {words}.")
        parsed = to_object(composed)
    assert isinstance(parsed, kind)
    return parsed


def to_object(config: Any) -> Any:
    """Return a config with schemas as plain objects, whose rules are checked."""
    return OmegaConf.to_object(config)


@contextmanager
def resolved() -> Iterator[None]:
    """Raise an interpolation that cannot be resolved as one message.

    Raises
    ------
    ConfigError
        A value refers to another one, or to a variable of the environment, that does not exist.
    """
    try:
        yield
    except OmegaConfBaseException as error:
        key = error.full_key or "a value"
        raise ConfigError(
            f"`{key}` must have a value, but cannot be resolved: {str(error).splitlines()[0]}. Set what it refers to, "
            f"or change it with {key}=..."
        ) from None
