"""Between Hydra and the schemas: making them known to it, turning what it composes, or a file, into checked objects."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from brainage.config.schema import SCHEMAS, Config, ModalityConfig
from brainage.errors import ConfigError
from brainage.system.files import OWN_CONFIGS

_GROUPS = (
    *("modality", "cohort", "split", "model", "optimizer", "scheduler", "trainer", "logger", "recipe"),
    *("sweep", "experiment"),
)


# What may hold characters that Hydra's grammar knows as its own.
_TEXTS = ("cohort.include", "cohort.pattern", "cohort.member")


def quote_query(words: list[str]) -> list[str]:
    """Return the command line with the quotes that Hydra's grammar wants.

    A shell takes the quotes of ``cohort.include="age < 70"`` away, and Hydra then cannot read the rest, nor a pattern
    with ``{participant_id}``. And a choice
    like ``model=null`` must be text, or Hydra answers with a traceback instead of the choices.

    Parameters
    ----------
    words : list of str
        The command line.
    """
    return [_quoted(word) for word in words]


def _quoted(word: str) -> str:
    key, _, value = word.partition("=")
    if key not in _TEXTS and key not in _GROUPS:
        return word
    try:
        parsed = OverridesParser.create().parse_override(word).value()
        choice = parsed is None or isinstance(parsed, int | float)
        return f"{key}='{value}'" if choice and key in _GROUPS else word
    except HydraException:
        escaped = re.sub(r"(\\*)'", r"\1\1\'", value)
        return f"{key}='{escaped}'" if key in _TEXTS else word


def register() -> None:
    """Make the schemas and resolvers known to Hydra; call before it composes."""
    store = ConfigStore.instance()
    store.store(name="schema", node=Config)
    for path, node in SCHEMAS.items():
        group, _, name = f"schema/{path}".rpartition("/")
        store.store(group=group, name=name, node=node)
    resolvers: dict[str, Callable[..., Any]] = {
        "brainage.n_channels": lambda components, good, dimension: len(good) if components == "good" else dimension,
        "brainage.unique": lambda: secrets.token_hex(3),
        "brainage.first": lambda *values: next((value for value in values if value is not None), None),
        "brainage.unless": lambda given, value: value if given is None else None,
        "brainage.if_equal": lambda one, other, value, otherwise: value if one == other else otherwise,
        "brainage.own_configs": lambda: [f"file://{OWN_CONFIGS}"] if OWN_CONFIGS.is_dir() else [],
        "brainage.hash": lambda text: hashlib.sha256(str(text).encode()).hexdigest()[:12],
    }
    for name, resolver in resolvers.items():
        # Cached, so that every job of a multirun finds the same folder.
        OmegaConf.register_new_resolver(name, resolver, replace=True, use_cache=name == "brainage.unique")


def parse(composed: DictConfig) -> Config:
    """Turn a composed config of ``train.py`` into checked objects; see `parse_any`."""
    config = parse_any(composed)
    assert isinstance(config, Config)
    return config


def parse_any(composed: DictConfig) -> Any:
    """Turn a composed config into checked objects.

    Parameters
    ----------
    composed : DictConfig
        As Hydra composed it.

    Returns
    -------
    object
        Plain dataclasses, dicts and lists.

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
        return OmegaConf.to_object(composed)


@contextmanager
def resolved() -> Iterator[None]:
    """Turn what an interpolation that leads nowhere raises into one message.

    Raises
    ------
    ConfigError
        A value refers to another one, or to a variable of the environment, that is not there.
    """
    try:
        yield
    except OmegaConfBaseException as error:
        key = error.full_key or "a value"
        raise ConfigError(
            f"`{key}` must have a value, but cannot be resolved: {str(error).splitlines()[0]}. Set what it refers to, "
            f"or change it with {key}=..."
        ) from None


def read(path: Path) -> DictConfig:
    """Read a run's ``config.yaml`` back, with the types of its schemas.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    DictConfig
        As Hydra composed it then.

    Raises
    ------
    ConfigError
        It is not a config of this version.
    """
    try:
        loaded = OmegaConf.load(path)
        if not isinstance(loaded, DictConfig):
            raise ValueError("it has no keys")
        typed = OmegaConf.structured(Config)
        for place, node in SCHEMAS.items():
            group, _, name = place.partition("/")
            if not name or loaded[group].get("name") == name:
                typed[group] = OmegaConf.structured(node)
        return OmegaConf.merge(typed, loaded)  # type: ignore[return-value]
    except (OmegaConfBaseException, YAMLError, OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(
            f"`{path}` must be the config of a run of this version, but cannot be read as one: {reason} Restore it, or "
            "start a new run."
        ) from None


def typed_parts(modality: Any, model: Any, source: Path) -> tuple[ModalityConfig, Any]:
    """Turn the modality and the model of somebody's file into checked objects.

    Parameters
    ----------
    modality, model : Any
        Plain values.
    source : Path
        The file, for messages.

    Returns
    -------
    ModalityConfig, ModelConfig or dict
        A model without a schema stays a dict.

    Raises
    ------
    ConfigError
        They are not of this version, or refer to other values.
    """
    try:
        if refers_elsewhere([modality, model]):
            raise ValueError("a value refers to another one")
        typed = OmegaConf.merge(OmegaConf.structured(ModalityConfig), modality)
        node = SCHEMAS.get(f"model/{model.get('name')}")
        given = OmegaConf.create(model)
        described = OmegaConf.merge(OmegaConf.structured(node), given) if node is not None else given
        seen = OmegaConf.to_object(typed)
        assert isinstance(seen, ModalityConfig)
        return seen, OmegaConf.to_object(described)
    except (OmegaConfBaseException, AttributeError, TypeError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(
            f"`{source}` must describe a modality and a model of this version, but cannot be read so: {reason} Restore "
            "it, or export it again."
        ) from None


def refers_elsewhere(value: Any) -> bool:
    """Tell whether something in plain values would be looked up elsewhere; nothing does in what a run leaves."""
    if isinstance(value, dict):
        return any(refers_elsewhere(item) for pair in value.items() for item in pair)
    if isinstance(value, list):
        return any(map(refers_elsewhere, value))
    return isinstance(value, str) and "${" in value


def training_words(config: Mapping[str, Any]) -> str:
    """Return how a network was trained, in one line, from its run's ``config.yaml``.

    Parameters
    ----------
    config : mapping
        Plain values.
    """
    recipe, optimizer, scheduler = (dict(config.get(group) or {}) for group in ("recipe", "optimizer", "scheduler"))
    parts = [
        _with_values(f"recipe {recipe.pop('name', 'none')}", recipe),
        _with_values(_class_name(optimizer), optimizer),
        _with_values(_class_name(scheduler), scheduler) if scheduler else "no scheduler",
        f"batches of {config.get('batch_size')}",
        f"last bias from {str((config.get('model') or {}).get('output_bias')).replace('_', ' ')}",
    ]
    return ", ".join(parts)


def _class_name(values: Mapping[str, Any]) -> str:
    return str(values.get("_target_")).rpartition(".")[2]


def _with_values(name: str, values: Mapping[str, Any]) -> str:
    said = [f"{key}={value}" for key, value in values.items() if not key.startswith("_")]
    return f"{name} ({', '.join(said)})" if said else name
