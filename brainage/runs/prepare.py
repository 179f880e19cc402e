"""Participants with their split and series, checked, and their batches."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from brainage.config.schema import Config
from brainage.data.augmentation import Augmentation
from brainage.data.cohorts.select import Selection, withdrawn_from
from brainage.data.datamodule import AgeDataModule
from brainage.data.participants import Participants, stored_participants
from brainage.data.scale import sizes
from brainage.data.splits import PARTS
from brainage.data.splits.checks import check_disjoint, check_parts
from brainage.data.store.exclusions import check_excluded, exclusions_of
from brainage.data.store.layout import DamagedStoreError
from brainage.data.store.write import discard
from brainage.data.t_r import check_for_training
from brainage.errors import ConfigError
from brainage.models import is_baseline
from brainage.runs.channels import CHANNELS, channel_table
from brainage.runs.folder import RunFolder
from brainage.runs.trained_on import FINGERPRINTS, differences, fingerprints, trained_on
from brainage.system.console import log
from brainage.training.checkpoint import other_data, read_progress

if TYPE_CHECKING:
    import pandas as pd


# Sizes of numbers that networks learn from.
_SMALL, _LARGE = 0.01, 100


@dataclass(frozen=True)
class Prepared:
    """Participants with their split, their batches, and the time to open or write the store.

    `earlier_data` is the fingerprint in the checkpoint of a resumed run, if it is another.
    """

    participants: Participants
    data: AgeDataModule
    seconds: float
    earlier_data: tuple[str, ...] = ()


def prepare(
    config: Config, selection: Selection, split: pd.Series[str], folder: RunFolder, *, retry: bool = True
) -> Prepared:
    """Open the store, check participants and split, and write ``exclusions.csv`` and ``splits.csv``.

    A damaged store is discarded and rewritten, once.
    """
    started = time.monotonic()
    participants = stored_participants(selection, config.modality, config.store.root, split)
    participants = replace(participants, shuffle_seed=config.shuffle_seed)
    seconds = time.monotonic() - started
    try:
        # Before any file of a resumed run is rewritten.
        earlier_data = _same_data(config, folder.path, participants)
        return Prepared(participants, _checked(config, selection, folder, participants), seconds, earlier_data)
    except DamagedStoreError as error:
        if not retry:
            raise
        log.warning("%s", error)
        discard(participants.store)
    # From the start: files may have changed, and participants are in other rows.
    return prepare(config, selection, split, folder, retry=False)


def _checked(config: Config, selection: Selection, folder: RunFolder, participants: Participants) -> AgeDataModule:
    store = participants.store
    folder.write_csv("exclusions.csv", exclusions_of(store))
    check_excluded(store, len(selection.scans), config.cohort.max_excluded_fraction, folder.path)
    if not folder.resumed:
        check_for_training(participants.table, config.modality)
    _check_split(participants, config.objective)
    folder.write_csv("splits.csv", participants.table[["participant_id", "split"]])
    folder.write_csv(FINGERPRINTS, fingerprints(participants))
    if (channels := channel_table(participants)) is not None:
        folder.write_csv(CHANNELS, channels)
    if config.modality.scale == "none" and not is_baseline(config.model_value("name")):
        _warn_of_size(participants.part("train"))
    data = AgeDataModule(
        participants,
        batch_size=config.batch_size if isinstance(config.batch_size, int) else None,
        seed=config.seed,
        residency=config.store.residency,
        augmentation=Augmentation(config.recipe.circular_shift, config.recipe.cutmix),
    )
    if data.batch_size != config.batch_size:
        log.info("batch_size=%s: %d", config.batch_size, data.batch_size)
    return data


def _same_data(config: Config, folder: Path, participants: Participants) -> tuple[str, ...]:
    """Return the fingerprint in a run's checkpoint if it is not that of these participants.

    Raises a CheckpointError unless it was trained on the data of these participants and of those who withdrew since.
    """
    path = folder / "checkpoints" / "last.ckpt"
    if not path.exists():
        return ()
    _, earlier = read_progress(path)
    if earlier == participants.data_fingerprint():
        return ()
    if (known := trained_on(folder)) is None:
        raise other_data(path)
    if differing := differences(known, participants, withdrawn_from(config.cohort, [config.store.root])):
        raise other_data(path, ", ".join(differing))
    log.info("Participants withdrew since this run began: it is continued with the other %d", len(participants))
    return (earlier,)


def _warn_of_size(participants: Participants) -> None:
    """Warn if the numbers of the files are far from those that networks learn from."""
    moments = participants.store.moments
    if moments is None:
        return
    scans = participants.store.first_scans[participants.rows]
    mean, sd = np.median(moments[scans][:, list(participants.channels)], axis=(0, 1))
    if not _SMALL < sd < _LARGE or abs(mean) > _LARGE:
        log.warning(
            "modality.scale=none: channels have %s (medians), and networks learn from numbers around 0 of about 1. Use "
            "modality.scale=percent or other units.",
            sizes(mean, sd),
        )


def _check_split(participants: Participants, objective: str) -> None:
    split = participants.table["split"]
    check_parts(split)
    check_disjoint(participants.table)
    counts = split.value_counts()
    if counts["val"] < 2 and objective in ("val/r2", "val/pearson_r"):
        raise ConfigError(
            f"`objective={objective}` needs two or more validation participants, but there is 1. Use "
            "objective=val/mse, or include more participants."
        )
    log.info("%s", ", ".join(f"{part} {counts[part]}" for part in PARTS))
