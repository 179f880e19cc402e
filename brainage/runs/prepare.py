"""Participants with their split and series, checked, and their batches."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from brainage.config.schema import Config
from brainage.data.augmentation import Augmentation
from brainage.data.cohorts.select import Selection
from brainage.data.datamodule import AgeDataModule
from brainage.data.participants import Participants, stored_participants
from brainage.data.splits import PARTS
from brainage.data.splits.checks import check_disjoint, check_parts
from brainage.data.store.exclusions import check_excluded, exclusions_of
from brainage.data.store.layout import DamagedStoreError
from brainage.data.store.write import discard
from brainage.errors import ConfigError
from brainage.runs.folder import RunFolder
from brainage.system.console import log
from brainage.training.checkpoint import check_data

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Prepared:
    """Participants with their split, their batches, and the time to open or write the store."""

    participants: Participants
    data: AgeDataModule
    seconds: float


def prepare(
    config: Config, selection: Selection, split: pd.Series[str], folder: RunFolder, *, retry: bool = True
) -> Prepared:
    """Open the store, check participants and split, and write ``exclusions.csv`` and ``splits.csv``.

    A damaged store is discarded and rewritten, once.
    """
    started = time.monotonic()
    participants = stored_participants(selection, config.modality, config.store.root, split)
    seconds = time.monotonic() - started
    try:
        return Prepared(participants, _checked(config, selection, folder, participants), seconds)
    except DamagedStoreError as error:
        if not retry:
            raise
        log.warning("%s", error)
        discard(participants.store)
    # From the start: files may have changed, and participants are in other rows.
    return prepare(config, selection, split, folder, retry=False)


def _checked(config: Config, selection: Selection, folder: RunFolder, participants: Participants) -> AgeDataModule:
    store = participants.store
    # Before any file of a resumed run is rewritten.
    check_data(folder.path / "checkpoints" / "last.ckpt", participants.data_fingerprint())
    folder.write_csv("exclusions.csv", exclusions_of(store))
    check_excluded(store, len(selection.scans), config.cohort.max_excluded_fraction, folder.path)
    _check_split(participants, config.objective)
    folder.write_csv("splits.csv", participants.table[["participant_id", "split"]])
    return AgeDataModule(
        participants,
        batch_size=config.batch_size,
        seed=config.seed,
        residency=config.store.residency,
        augmentation=Augmentation(config.recipe.circular_shift, config.recipe.cutmix),
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
