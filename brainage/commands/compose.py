"""Compose a command's config with Hydra, and run the command."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from brainage.config.again import with_pluses
from brainage.config.channels import refuse_both
from brainage.config.code import check_code_files, load_code
from brainage.config.folders import check_job, checked_composing, foreign_folders
from brainage.config.hydra import register
from brainage.config.overrides import quote_words
from brainage.errors import BrainageError, ConfigError
from brainage.system.files import CONFIGS
from brainage.system.session import say
from brainage.system.signals import exit_on_signals


def run(name: str, words: Sequence[str]) -> int:
    """Compose the config of a command from its words, and run it."""
    words = with_pluses(name, quote_words(words))
    try:
        check_code_files(words)
        refuse_both(words)
        if any(word.startswith("--exp") for word in words):
            raise ConfigError("`--experimental-rerun` must not be given, because Hydra would unpickle the file.")
    except BrainageError as error:
        say(error)
        return error.exit_code
    register(name)

    def task(composed: DictConfig) -> Any:
        try:
            load_code(composed.code, words)
            if folders := foreign_folders(HydraConfig.get().runtime):
                check_job(composed, folders)
        except BrainageError as error:
            say(error)
            sys.exit(error.exit_code)
        # Here, so that composing alone (--cfg job) does not wait for it.
        return getattr(importlib.import_module(task.__module__), name)(composed)

    task.__module__ = f"brainage.commands.{name}"  # Hydra names the job after it
    sys.argv = [sys.argv[0], *words]  # Hydra reads no others
    with exit_on_signals(), checked_composing():
        hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name=name)(task)()
    return 0
