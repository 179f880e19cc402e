"""What a resumed run takes from this machine: the folder of a run may come from a stranger, and decides values only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from hydra import compose
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from brainage.config.again import key_of
from brainage.config.allowed import TORCH, is_class_of, targets_in
from brainage.config.code import is_own
from brainage.config.groups.trainer import STRATEGIES
from brainage.config.overrides import leaves, quoted
from brainage.config.saved import refuse_interpolation
from brainage.errors import ConfigError
from brainage.system.console import printable

# What may load code, write outside the run's folder, or use the network; and each one's value when it is not used.
_KEYS: dict[str, Any] = {
    "store.root": "outputs/store",
    "trainer.callbacks": [],
    "trainer.plugins": None,
    "trainer.profiler": None,
    "trainer.strategy": "auto",
    "trainer.devices": 1,
    "trainer.model_registry": None,
}
# Where a run is trained.
_QUEUE = ("hydra/launcher", "hydra.launcher")
# Fields of a logger that only name and describe.
_LABELS = (
    *("project", "name", "group", "job_type", "tags", "notes", "id", "version", "prefix"),
    *("experiment_name", "run_name"),  # of MLflow
)


def of_this_machine(word: str) -> bool:
    """Return whether an override sets what a resumed run takes from this machine."""
    key = key_of(word)
    return any(key == own or key.startswith(f"{own}.") for own in ("logger", "outputs", *_QUEUE, *_KEYS))


def without_strangers(saved: DictConfig, composed: DictConfig, words: Sequence[str], source: str) -> DictConfig:
    """Return a saved config with this machine's loggers, callbacks, plugins, profiler, store's place and outputs' mode.

    Devices and strategy stay the saved ones, unless the command line gives others.

    Parameters
    ----------
    saved, source : DictConfig, str
        The config of the resumed run, and where it was read.
    composed, words : DictConfig, sequence of str
        What this command composed, and its overrides.

    Raises
    ------
    ConfigError
        It has another value there, which neither this machine's configs nor the command line gives; or it names
        something by ``_target_`` other than torch's optimizers and schedulers and the user's own code; or it is not
        resolved.
    """
    refuse_interpolation(OmegaConf.to_container(saved, resolve=False), source)
    given, kept = {key_of(word) for word in words}, saved.copy()
    kept.outputs = composed.outputs
    for key, unused in _KEYS.items():
        value, own = _plain(saved, key), _plain(composed, key)
        if key == "trainer.callbacks" and isinstance(value, list):
            value = [item for item in value if not _target(item).startswith("brainage.")]  # every fit adds its own
        if key in given:
            value = own
        elif value not in (unused, own) and not _is_of_devices(key, value):
            shown = quoted(unused) if isinstance(unused, str) else "null" if unused is None else "[]"
            raise _refusal(source, key, value, f"{key}=... if it is yours, or {key}={shown} to go on without it")
        OmegaConf.update(kept, key, value, merge=False)
    if isinstance(saved.logger, DictConfig):
        kept.logger = _loggers(_plain(saved, "logger"), composed, given, source)
    for key, target in targets_in(OmegaConf.to_container(saved, resolve=False)):
        group = key.partition(".")[0]
        allowed = group in ("optimizer", "scheduler") and (is_own(target) or is_class_of(TORCH, target))
        if not (allowed or group == "logger" or any(key.startswith(own) for own in _KEYS)):
            raise ConfigError(
                f"`{key}` in `{source}` must name nothing but torch's optimizers and schedulers, but it names "
                f"{printable(repr(target))}. If it is yours, load it with code=FILE."
            )
    return kept


def _is_of_devices(key: str, value: Any) -> bool:
    """Return whether a value only says on how many devices, or which, a run is trained."""
    return value in STRATEGIES if key == "trainer.strategy" else key == "trainer.devices" and not _target(value)


def _loggers(saved: dict[str, Any], composed: DictConfig, given: set[str], source: str) -> dict[str, Any]:
    """Return loggers of this machine's configs, with the labels that the run's folder gives them."""
    chosen = any(key.partition(".")[0] == "logger" for key in given)
    entries: dict[str, Any] = (
        _plain(composed, "logger") or {} if chosen else {name: _configured(name) for name in saved}
    )
    for name, own in entries.items():
        if own is None:
            step = f"--config-dir FOLDER with your logger/{name}.yaml, or logger=none to go on without it"
            raise _refusal(source, f"logger.{name}", saved[name], step)
        for field, value in leaves(saved[name] if isinstance(saved.get(name), dict) else {}).items():
            key = f"logger.{name}.{field}"
            if key in given or field in ("", "save_dir") or leaves(own).get(field) == value:
                continue
            if is_label(field, value):
                place, _, last = field.rpartition(".")
                (own[place] if place else own)[last] = value
            elif not chosen:
                step = f"logger={name} {key}={quoted(value)} if it is yours, or logger={name} to go on without it"
                raise _refusal(source, key, value, step)
    return entries


def _configured(name: Any) -> Any:
    """Return the logger of this name in this machine's configs, by the search path of this command; None without."""
    if not re.fullmatch(r"\w[\w-]*", str(name)):
        return None
    try:
        own = compose("train", [f"logger={name}"])
    except HydraException:
        return None
    return (_plain(own, "logger") or {}).get(name)


def is_label(field: str, value: Any) -> bool:
    """Return whether a value names or describes; some loggers make a folder of it, which must stay in the run's."""
    if field == "mode":
        return value in ("offline", "disabled")
    texts = value if isinstance(value, list) else [value]
    return (field in _LABELS or re.fullmatch(r"tags\.\w+", field) is not None) and all(
        text is None or isinstance(text, int) or (isinstance(text, str) and ".." not in text and text[:1] not in "/~$")
        for text in texts
    )


def _refusal(source: str, key: str, value: Any, step: str) -> ConfigError:
    shown = printable(repr(_target(value) or value))
    return ConfigError(
        f"`{key}` in `{source}` must be what this machine's configs have, because a run's folder may not decide what "
        f"loads code, writes elsewhere or sends data, but it is {shown[:200]}. Give {step}."
    )


def _plain(config: DictConfig, key: str) -> Any:
    value = OmegaConf.select(config, key)
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def _target(value: Any) -> str:
    """Return the first ``_target_`` in a value, or nothing."""
    return next((target for _, target in targets_in(value)), "")
