"""The overrides that every training of a study or a panel gets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import open_dict
from omegaconf.errors import OmegaConfBaseException

from brainage.config.groups.cohort import refuse_ids_in
from brainage.config.hydra import parse, register
from brainage.config.overrides import quote_words
from brainage.config.schema import Config
from brainage.errors import BrainageError, ConfigError, StudyError
from brainage.models import geometry
from brainage.study.plan import Step
from brainage.sweep.query import refuse_query
from brainage.system.files import CONFIGS


@dataclass(frozen=True)
class Reserved:
    """Keys that overrides may not set: a regular expression, where such overrides are refused, and why."""

    keys: str
    where: str
    reason: str


OF_STUDY = Reserved(
    r"experiment|resume|sweep|evaluate|objective|model|optimizer|modality"
    r"|modality\.(name|dimension|components|channels|n_channels)|(model|optimizer)[./].*"
    r"|hydra[./](?!launcher|sweeper\.(storage|n_workers)$).*",
    "a study",
    "its experiments set components, models, optimizers, objectives and Hydra's settings. Remove it, or run a step's "
    "command by itself.",
)


def checked_overrides(words: Sequence[str], reserved: Reserved = OF_STUDY) -> list[str]:
    """Return the overrides of every training, checked and quoted for Hydra's grammar."""
    refuse_ids_in(words)
    quoted = quote_words(words)
    for word in quoted:
        _refuse_reserved(word, reserved)
    return quoted


@contextmanager
def composing() -> Iterator[None]:
    """Let `composed` compose configs of ``train``."""
    register()
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        yield


def check_composes(steps: Iterable[Step]) -> None:
    """Compose and check the config of every training before the first one runs."""
    with composing():
        for number, step in enumerate(steps):
            if step.stage == "comparison":
                continue
            with mistakes_of(f"step {step.label}"):
                config = composed([word for word in step.words[1:] if not word.startswith("--")])
                if number == 0:
                    refuse_query(config.cohort, config.modality)
                if step.stage == "final_models":  # in a grid, an infeasible network is a result
                    geometry.check(config.model_value("name"), config.model)


@contextmanager
def mistakes_of(what: str) -> Iterator[None]:
    """Name in messages what has a mistake."""
    try:
        yield
    except (HydraException, OmegaConfBaseException, BrainageError) as error:
        raise ConfigError(f"{what}: {' '.join(str(error).split())}") from None


def composed(words: Sequence[str]) -> Config:
    """Compose and check the config of one training, without the values that its step varies; use in `composing`."""
    parsed = OverridesParser.create().parse_overrides(list(words))
    plain = [
        word
        for word, override in zip(words, parsed, strict=True)
        if not (override.is_sweep_override() or re.match(r"hydra\.(?!searchpath)", word))
    ]
    job = compose("train", plain, return_hydra_config=True)
    with open_dict(job):
        job.hydra.runtime.output_dir = "."
        HydraConfig.instance().set_config(job)  # loggers refer to it
        del job["hydra"]
    try:
        return parse(job)
    finally:
        HydraConfig.instance().cfg = None


def _refuse_reserved(word: str, reserved: Reserved) -> None:
    """Refuse an override that cannot be the same for all trainings."""
    try:
        override = OverridesParser.create().parse_override(word)
    except HydraException as error:
        raise ConfigError(
            f"`{word}` must be an override, KEY=VALUE, but {str(error).splitlines()[0]}. Correct or remove it."
        ) from None
    key = override.key_or_group
    if re.fullmatch(reserved.keys, key):
        raise StudyError(f"`{word}` cannot be given to {reserved.where}: {reserved.reason}")
    if override.is_sweep_override():
        raise StudyError(
            f"`{word}` must have one value for all trainings of {reserved.where}, but has several. Choose one, or run "
            "a multirun of your own."
        )
