"""Folders of configs that the command line names (``--config-dir``): their values are used, and they load no code."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra._internal.hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra._internal.sources_registry import SourcesRegistry
from hydra._internal.utils import create_config_search_path
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobRuntime
from hydra.errors import ConfigCompositionException, HydraException
from hydra.plugins.config_source import ConfigResult
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from brainage.config.again import key_of
from brainage.config.allowed import is_allowed
from brainage.config.channels import with_listed_channels
from brainage.config.code import load_code
from brainage.config.machine import is_label
from brainage.config.misspelt import nearest_key, refuse_unknown
from brainage.config.overrides import leaves
from brainage.errors import BrainageError, ConfigError
from brainage.system.console import printable
from brainage.system.files import CONFIGS, OWN_CONFIGS
from brainage.system.reading import read_yaml
from brainage.system.session import say

# Settings of Hydra that load code, or decide where it writes, otherwise than by `_target_`.
_GUARDED = tuple(
    f"hydra.{key}" for key in ("job_logging", "hydra_logging", "output_subdir", "job.name", "job.chdir", "job.env_")
)
# Settings of Hydra that it instantiates.
_MADE = ("callbacks", "launcher", "sweeper")
# Where a logger writes or sends: by a folder, or by names that become folders.
_PLACES = ("save_dir", "dir", "root_dir", "log_dir", "sub_dir", "tracking_uri", "artifact_location")
_NAMES, _RUN_FOLDER = ("name", "version"), "${hydra:runtime.output_dir}"
# Levels of a config; more are a config that refers to itself.
_DEPTH = 50


class CheckedSource(FileConfigSource):
    """Hydra's reading of a file with a config, which is bounded for files of strangers."""

    def load_config(self, config_path: str) -> ConfigResult:
        """Read a config; raise a `ConfigError` if it is too large, or nested too deeply."""
        path = Path(self.path) / self._normalize_file_name(config_path)
        if not _is_trusted(self.path) and path.exists():
            try:
                read_yaml(path, follow=True)
            except (OSError, ValueError, YAMLError) as error:
                raise ConfigError(
                    f"`{path}` cannot be read: {' '.join(str(error).split())[:500]}. Correct it."
                ) from None
        return super().load_config(config_path)


class CheckedLoader(ConfigLoaderImpl):
    """Hydra's composing of configs, with a check before Hydra acts on what was composed."""

    # What Hydra composed to know whether it is to run once or several times, and of which words.
    _first: tuple[list[str], DictConfig] | None = None
    # What failed then, and of which words.
    _failed: tuple[list[str], HydraException] | None = None

    def load_configuration(
        self, config_name: str | None, overrides: list[str], run_mode: RunMode, *args: Any, **kwargs: Any
    ) -> DictConfig:
        """Compose a config; end the process with a message if a folder may not decide what it does."""
        try:
            self._check_primary(config_name)
            config = self._again(overrides, run_mode)
            if config is None:
                config = self._composed(config_name, overrides, run_mode, *args, **kwargs)
                with_listed_channels(config)
                self._first = None if kwargs.get("validate_sweep_overrides", True) else (list(overrides), config)
            if folders := foreign_folders(config.hydra.runtime):
                load_code(config.get("code"), sys.argv[1:])
                _check_hydra(config, _usual(overrides, run_mode), folders)
                check_job(config, folders)
        except YAMLError as error:  # of a config of this project, or of the user's own
            say(ConfigError(f"A config cannot be read: {' '.join(str(error).split())[:500]}. Correct it."))
            sys.exit(ConfigError.exit_code)
        except BrainageError as error:
            say(error)
            sys.exit(error.exit_code)
        return config

    def _composed(self, config_name: str | None, overrides: list[str], *args: Any, **kwargs: Any) -> DictConfig:
        """Compose a config; of a key or a choice that does not exist, the message also has the nearest that does."""
        if self._failed is not None and self._failed[0] == overrides[:-1]:  # Hydra has added the mode
            raise self._failed[1]
        try:
            config = super().load_configuration(config_name, overrides, *args, **kwargs)
        except ConfigCompositionException as error:
            self._failed = (list(overrides), error)
            if (near := self._nearest(str(error), config_name, overrides, *args, **kwargs)) is None:
                raise
            message = re.sub(r"\nTo append to your config use .*", "", str(error))
            self._failed = (list(overrides), type(error)(f"{message}\nDid you mean `{near}`?"))
            raise self._failed[1] from error.__cause__
        refuse_unknown(config, overrides)
        return config

    def _nearest(
        self, message: str, config_name: str | None, overrides: list[str], *args: Any, **kwargs: Any
    ) -> str | None:
        """Return the choice or the key nearest to one of which Hydra's message says that it does not exist."""
        if found := re.search(r"Could not find '([^']+)'", message):
            group, _, name = found[1].rpartition("/")
            near = difflib.get_close_matches(name, self.get_group_options(group), n=1)
            return f"{group}={near[0]}" if near else None
        if not (found := re.match(r"Could not (?:override|delete from config\.) '([^']+)'", message)):
            return None
        for words in ([word for word in overrides if key_of(word) != found[1]], []):
            try:
                rest = super().load_configuration(config_name, words, *args, **kwargs)
            except (HydraException, OmegaConfBaseException):
                continue  # more words that are wrong
            return nearest_key(rest, found[1], self.list_groups(""))
        return None

    def _again(self, overrides: list[str], run_mode: RunMode) -> DictConfig | None:
        """Return the config that Hydra composed a moment ago, if these words make the same one but for the mode."""
        mode = f"hydra.mode={run_mode.name}"
        if (
            self._first is None
            or overrides != [*self._first[0], mode]
            or "???" in str(self._first[1].hydra.runtime.choices)
        ):
            return None
        config, self._first = self._first[1], None
        self.validate_sweep_overrides_legal(
            OverridesParser.create().parse_overrides(overrides), run_mode, from_shell=True
        )
        config.hydra.mode = run_mode
        config.hydra.overrides.hydra.append(mode)
        return config

    def _check_primary(self, config_name: str | None) -> None:
        """Raise a `ConfigError` if a primary config of a folder imports packages, which is what ``pkg://`` does."""
        if not _foreign(self.get_sources()):
            return
        primary = self.repository.load_config(config_name) if config_name else None
        if primary and not _is_trusted(primary.path) and OmegaConf.select(primary.config, "hydra.searchpath"):
            raise ConfigError(
                f"`hydra.searchpath` must be given on the command line, but `{primary.path}` sets it. Remove it there."
            )


@contextmanager
def checked_composing() -> Iterator[None]:
    """Check what Hydra reads, and what it composed before it acts on that; Hydra offers no other place to do so."""
    Plugins.instance()  # registers Hydra's own sources
    sources, names = SourcesRegistry.instance().types, vars(hydra._internal.hydra)
    former = sources["file"], names["ConfigLoaderImpl"]
    sources["file"], names["ConfigLoaderImpl"] = CheckedSource, CheckedLoader
    try:
        yield
    finally:
        sources["file"], names["ConfigLoaderImpl"] = former


def foreign_folders(runtime: Any) -> list[str]:
    """Return the folders of the search path (``hydra.runtime``) that the command line names."""
    return _foreign(runtime.config_sources)


def _foreign(sources: Iterable[Any]) -> list[str]:
    return [
        source.path
        for source in sources
        if source.provider.startswith(("main", "command-line", "hydra.searchpath")) and not _is_trusted(source.path)
    ]


def _is_trusted(path: str) -> bool:
    """Return whether configs are this project's, or the user's own in ``~/.config/brainage``."""
    found = os.path.realpath(path.removeprefix("file://"))
    return found in (os.path.realpath(CONFIGS), os.path.realpath(OWN_CONFIGS))


def _usual(overrides: Sequence[str], run_mode: RunMode) -> DictConfig:
    """Return the command's config without folders, with what the command line says of Hydra's settings."""
    loader = ConfigLoaderImpl(create_config_search_path(str(CONFIGS)))
    given = [word for word in overrides if word in sys.argv and re.match(r"[+~]*hydra\b(?!\.searchpath)", word)]
    name = JobRuntime().get("name")
    try:
        return loader.load_configuration(name, given, run_mode, validate_sweep_overrides=False)
    except HydraException:  # a choice of the folder's
        return loader.load_configuration(name, [], run_mode)


def _check_hydra(config: DictConfig, usual: DictConfig, folders: Sequence[str]) -> None:
    plain, expected = (leaves(OmegaConf.to_container(one.hydra, resolve=False), "hydra.") for one in (config, usual))
    for key, value in plain.items():
        if key.startswith(_GUARDED) and (key not in expected or expected[key] != value):
            raise ConfigError(
                f"`{printable(key)[:100]}` must not be set by {_shown(folders)}, because it may load code or write "
                f"elsewhere, but is {printable(repr(value))[:200]}. Give it on the command line if it is yours."
            )
    made, usually = (
        [pair for key in _MADE for pair in _named(one.hydra[key], f"hydra.{key}", strict=True)]
        for one in (config, usual)
    )
    _refuse((pair for pair in made if pair not in usually), folders)


def check_job(config: DictConfig, folders: Sequence[str]) -> None:
    """Raise a `ConfigError` if a composed config, without ``hydra``, names what is not on the allow-list.

    What the command line itself names is the user's.
    """
    named = ((key.removeprefix("."), target) for key, target in _named(config, ""))
    _refuse((pair for pair in named if not pair[0].startswith("hydra.")), folders)
    _check_loggers(config, folders)
    _check_download(config, folders)


def _own_loggers() -> dict[str, Any]:
    """Return the values of loggers, by key, in this project's configs and the user's own."""
    values: dict[str, Any] = {}
    for folder in (CONFIGS, OWN_CONFIGS):
        for path in sorted((folder / "logger").glob("*.yaml")):
            values |= leaves(read_yaml(path, follow=True) or {})
        if (local := folder / "local" / "default.yaml").is_file():
            values |= leaves((read_yaml(local, follow=True) or {}).get("logger") or {})
    return values


def _check_loggers(config: DictConfig, folders: Sequence[str]) -> None:
    """Raise a `ConfigError` if a folder decides where a logger writes, or which server gets the user's key."""
    typed = {key_of(word) for word in sys.argv[1:]}
    own = _own_loggers()
    loggers = OmegaConf.to_container(config.logger, resolve=False) if config.get("logger") else {}
    for key, value in leaves(loggers).items():
        field = key.rpartition(".")[2]
        decides = ".settings." in key or field in _PLACES or (field in _NAMES and not is_label(field, value))
        if decides and value not in (own.get(key), _RUN_FOLDER) and f"logger.{key}" not in typed:
            raise ConfigError(
                f"`logger.{printable(key)[:100]}` must not be set by {_shown(folders)}, because it may send your key "
                "to another server, or write elsewhere. Give it on the command line, or in ~/.config/brainage, if it "
                "is yours."
            )


def _check_download(config: DictConfig, folders: Sequence[str]) -> None:
    """Raise a `ConfigError` if a folder lets this machine fetch files."""
    typed = {key_of(word) for word in sys.argv[1:]}
    for key in ("download", "url"):
        if OmegaConf.select(config, f"cohort.{key}") and f"cohort.{key}" not in typed:
            raise ConfigError(
                f"`cohort.{key}` must not be set by {_shown(folders)}, because files would be fetched. Give it on the "
                "command line."
            )


def _named(node: Any, key: str, *, strict: bool = False) -> Iterator[tuple[str, str]]:
    """Yield what a config names by ``_target_``, after the key of where it does.

    What does not resolve yet could become a ``_target_`` later: it is yielded as one if `strict`.
    """
    if key.count(".") > _DEPTH:
        raise ConfigError(
            f"`{key[:100].removeprefix('.')}...` must have at most {_DEPTH} levels, but refers to itself, or is deeper."
        )
    names = range(len(node)) if OmegaConf.is_list(node) else list(node) if OmegaConf.is_dict(node) else ()
    for name in names:
        try:
            value = node[name]
        except OmegaConfBaseException:
            if strict and OmegaConf.is_interpolation(node, name):
                yield f"{key}.{name}", str(node._get_node(name)._value())
            continue
        if name == "_target_":
            yield key, str(value)
        else:
            yield from _named(value, f"{key}.{name}", strict=strict)


def _refuse(named: Iterator[tuple[str, str]], folders: Sequence[str]) -> None:
    for key, target in named:
        typed = any(re.search(rf"(?<![\w.]){re.escape(target)}(?![\w.])", word) for word in sys.argv[1:])
        if not (typed or is_allowed(target)):
            raise ConfigError(
                f"`{key}` names {printable(repr(target))[:200]}, which {_shown(folders)} may not load: it is "
                "neither this project's nor one of torch's optimizers and schedulers. If you trust it, add "
                "code=FILE.py or code=MODULE that defines it, for example "
                f"code={printable(target.partition('.')[0])[:50]}."
            )


def _shown(folders: Sequence[str]) -> str:
    return f"configs in {', '.join(f'`{printable(folder)}`' for folder in folders)}"
