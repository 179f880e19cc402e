"""Compose a command's config inside this process; Hydra composes each choice of groups once."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, open_dict

CONFIGS = Path(__file__).resolve().parents[1] / "configs"


def compose_job(verb: str, overrides: Sequence[str], folder: Path) -> DictConfig:
    """Return the config of a command with overrides, as of a job that writes into a folder, without ``hydra``.

    Hydra remains initialized, as in a command, until `forget_job`.
    """
    GlobalHydra.instance().clear()
    initialize_config_dir(str(CONFIGS), version_base="1.3")
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    values = [override for override in parsed if _is_value(override)]
    job = copy.deepcopy(_choices(verb, *(override.input_line for override in parsed if override not in values)))
    ConfigLoaderImpl._apply_overrides_to_config(values, job)
    with open_dict(job):
        job.hydra.overrides.task = [word.input_line for word in parsed if not word.is_hydra_override()]
        job.hydra.runtime.cwd = str(Path.cwd())
        job.hydra.runtime.output_dir = str(folder)
        job.hydra.mode = "RUN"
        HydraConfig.instance().set_config(job)
        del job["hydra"]
    return job


def forget_job() -> None:
    """Leave this process as `compose_job` found it."""
    GlobalHydra.instance().clear()
    HydraConfig.instance().cfg = None


def _is_value(override: Override) -> bool:
    """Return whether an override changes a value, and no choice of a group."""
    key = override.key_or_group
    return not (override.is_sweep_override() or "@" in key or key.startswith("hydra") or (CONFIGS / key).is_dir())


@cache
def _choices(verb: str, *words: str) -> DictConfig:
    return compose(verb, list(words), return_hydra_config=True)
