"""The loggers of a run, as its config names them, and what they know of the run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from hydra.core.hydra_config import HydraConfig
from pytorch_lightning.loggers import Logger

from brainage.config.instantiate import made_logger
from brainage.config.saved import without_private
from brainage.config.schema import Config
from brainage.data.participants import Participants
from brainage.data.splits import PARTS
from brainage.errors import BrainageError, ConfigError
from brainage.runs.mlflow_run import with_run
from brainage.runs.record import Job
from brainage.system.reading import read_yaml
from brainage.training.loggers import Loggers
from brainage.training.pruning import is_trial

# W&B's limit of a tag.
_LONGEST = 64


def open_loggers(job: Job, loggers: Loggers) -> None:
    """Open the loggers of a run's config.

    Raises a `ConfigError` if one cannot be made, or refuses its values or its user.
    """
    labels = loggers.parameters["labels"]
    for name, entry in (job.config.logger or {}).items():
        try:
            loggers.open(name, partial(_made, name, _labelled(entry, labels)))
        except BrainageError:
            raise
        except Exception as error:  # each logger has errors of its own
            reason = next(iter(str(error).strip().splitlines()), "")
            raise ConfigError(
                f"`logger.{name}` cannot be opened: {type(error).__name__}: {reason} Log in to its service, use it "
                "offline (logger.wandb.mode=offline), or leave it out."
            ) from error


def _made(name: str, entry: dict[str, Any]) -> Logger:
    is_mlflow = str(entry.get("_target_")).endswith(".MLFlowLogger")
    return made_logger(name, with_run(name, entry) if is_mlflow else entry)


def new_loggers(job: Job, participants: Participants, notes: list[str]) -> Loggers:
    """Return the loggers of a run, none of them open."""
    parameters = without_private(yaml.safe_load(job.config_text))
    sizes = participants.table["split"].value_counts()
    labels = _labels(job.folder.path, job.config)
    return Loggers(notes, {**parameters, "labels": labels}, {part: int(sizes.get(part, 0)) for part in PARTS})


def _labels(folder: Path, config: Config) -> dict[str, str]:
    """Return experiment, study, group, fold or site, and seed of a run, as far as it has them."""
    experiment = _experiment(folder)
    study = getattr(HydraConfig.get().sweeper, "study_name", None) if is_trial() else None
    of_multirun = (folder.parent / "multirun.yaml").is_file()
    labels = {
        "experiment": experiment,
        "study": study,
        "group": study or (folder.parent.name if of_multirun else experiment),
        "fold": getattr(config.split, "fold", None),
        "site": getattr(config.split, "site", None),
        "seed": config.seed,
    }
    return {name: str(value) for name, value in labels.items() if value is not None}


def _experiment(folder: Path) -> str | None:
    """Return the experiment that a run was started with, also where it is resumed."""
    try:
        choices = read_yaml(folder / ".hydra" / "hydra.yaml")["hydra"]["runtime"]["choices"]
        return None if choices["experiment"] is None else str(choices["experiment"])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):  # Hydra was told to write none
        return None


def _labelled(entry: dict[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    """Return a logger's config with the run's group and tags, where it takes these and has none."""
    if isinstance(tags := entry.get("tags"), dict):
        return {**entry, "tags": {**labels, **tags}}
    own = {
        "group": labels.get("group"),
        "tags": [f"{key}:{labels[key]}"[:_LONGEST] for key in labels if key != "group"],
    }
    return {**entry, **{key: value for key, value in own.items() if key in entry and entry[key] is None}}
