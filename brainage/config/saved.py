"""Reading back the configs of runs and bundles: only values, with the types of this version's schemas."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from brainage.config.groups.modality import ModalityConfig
from brainage.config.hydra import to_object
from brainage.config.schema import SCHEMAS, Config
from brainage.errors import ConfigError
from brainage.system.reading import read_yaml, reason_of

# Paths and account names are private.
_PRIVATE = {
    "cohort": ("root", "phenotypes", "exclude_ids", "url"),
    "split": ("file",),
    "modality": ("atlas",),
    "trainer": ("default_root_dir", "callbacks", "plugins"),
}
_DROPPED = ("store", "outputs", "logger", "resume", "sweep", "experiment")


def read_config(path: Path) -> DictConfig:
    """Read a run's ``config.yaml``, with the types of its schemas.

    Raises
    ------
    ConfigError
        It is not a config of this version.
    """
    try:
        loaded = OmegaConf.create(read_yaml(path))
        if not isinstance(loaded, DictConfig):
            raise ValueError("it has no keys")
        typed = OmegaConf.structured(Config)
        for place, node in SCHEMAS.items():
            group, _, name = place.partition("/")
            if not name or loaded[group].get("name") == name:
                typed[group] = OmegaConf.structured(node)
        config = cast("DictConfig", OmegaConf.merge(typed, loaded))
        if config.cohort.get("download"):  # only a command line opens the network
            config.cohort.download = False
        return config
    except (OmegaConfBaseException, YAMLError, OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise ConfigError(
            f"`{path}` must be the config of a run of this version, but cannot be read as one: {reason_of(error)}. "
            "Restore it, or start a new run."
        ) from None


def typed_parts(modality: Any, model: Any, source: Path) -> tuple[ModalityConfig, Any]:
    """Return the modality and the model of a bundle as checked objects; a model without a schema stays a dict.

    Raises
    ------
    ConfigError
        They are not of this version, or refer to other values.
    """
    try:
        if has_interpolation([modality, model]):
            raise ValueError("a value refers to another one")
        typed = OmegaConf.merge(OmegaConf.structured(ModalityConfig), modality)
        node, given = SCHEMAS.get(f"model/{model.get('name')}"), OmegaConf.create(model)
        described = OmegaConf.merge(OmegaConf.structured(node), given) if node is not None else given
        return cast("ModalityConfig", to_object(typed)), to_object(described)
    except ConfigError:
        raise
    except (OmegaConfBaseException, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"`{source}` must describe a modality and a model of this version, but cannot be read so: "
            f"{reason_of(error)}. Restore it, or export it again."
        ) from None


def has_interpolation(value: Any) -> bool:
    """Return whether plain values contain an interpolation (``${...}``); a run writes none."""
    if isinstance(value, dict):
        return any(has_interpolation(item) for pair in value.items() for item in pair)
    if isinstance(value, list):
        return any(map(has_interpolation, value))
    return isinstance(value, str) and "${" in value


def refuse_interpolation(config: Any, source: object) -> None:
    """Raise a ConfigError if plain values, read from `source`, contain an interpolation."""
    if has_interpolation(config):
        raise ConfigError(
            f"`{source}` must contain values, as a run writes them, but one refers to something else (`${{...}}`). "
            "Restore it, or start a new run."
        )


def with_batch_size(config: Mapping[str, Any], summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain config of a run with the number of participants that ``batch_size=auto`` was."""
    return {**config, **({"batch_size": summary["batch_size"]} if "batch_size" in summary else {})}


def without_private(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain values of a config without paths and the settings of a machine, for bundles and loggers."""
    return {
        group: {key: item for key, item in value.items() if key not in _PRIVATE.get(group, ())}
        if isinstance(value, dict)
        else value
        for group, value in config.items()
        if group not in _DROPPED
    }


def is_shuffled(config: Mapping[str, Any]) -> bool:
    """Return whether a network was trained on shuffled time points, from the plain values of its run's config."""
    return bool((config.get("recipe") or {}).get("shuffle_time"))


def training_summary(config: Mapping[str, Any]) -> str:
    """Return in one line how a network was trained, from the plain values of its run's ``config.yaml``."""
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
    shown = [f"{key}={value}" for key, value in values.items() if not key.startswith("_")]
    return f"{name} ({', '.join(shown)})" if shown else name
