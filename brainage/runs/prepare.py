"""Before training: who takes part, their split, their series from the store. Everything is checked on the way."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brainage.config.schema import Config, ModalityConfig
from brainage.data.cohorts.select import Selection, select_from
from brainage.data.splits.choose import choose_split
from brainage.data.store.exclusions import check_excluded, exclusions_of
from brainage.data.store.open import find_store, open_store
from brainage.errors import ConfigError
from brainage.runs.folder import RunFolder
from brainage.system.console import log

if TYPE_CHECKING:
    import pandas as pd

    from brainage.data.datamodule import AgeDataModule, People
    from brainage.data.store.layout import Store


@dataclass(frozen=True)
class Prepared:
    """What a model is trained on.

    Parameters
    ----------
    people : DataFrame
        Who is used: ``participant_id, age, split, row`` (in the store).
    data : AgeDataModule
        Their batches.
    store : Store
        Everybody's series.
    """

    people: pd.DataFrame
    data: AgeDataModule
    store: Store


def select(config: Config) -> Selection:
    """Return who takes part, with every phenotype where the run is to be evaluated."""
    return select_from(config.cohort, config.modality, phenotypes=config.evaluate)


def draw(config: Config, selection: Selection) -> pd.Series[str]:
    """Return the split that the config asks for."""
    return choose_split(config.split, selection.table)


def prepare(
    config: Config, selection: Selection, split: pd.Series[str], folder: RunFolder, summary: dict[str, Any]
) -> Prepared:
    """Return who is used, and their series; a store that turns out to be damaged is made again, once."""
    from brainage.data.store.layout import DamagedStoreError
    from brainage.data.store.write import discard

    store = _open_store(config, selection, summary)
    people = _record(config, selection, split, store, folder, summary)
    try:
        return Prepared(people, _datamodule(config, people, store), store)
    except DamagedStoreError as error:
        log.warning("%s", error)
        discard(store)
    # All of it anew: files may have changed meanwhile, and then other people are in other rows.
    store = _open_store(config, selection, summary)
    people = _record(config, selection, split, store, folder, summary)
    return Prepared(people, _datamodule(config, people, store), store)


def open_store_of(selection: Selection, modality: ModalityConfig, root: str) -> Store:
    """Open the store of these scans, or make it."""
    return open_store(Path(root), selection.scans, n_components=modality.dimension, n_times=modality.n_times)


def found_store_of(config: Config, selection: Selection) -> Store:
    """Open the store that a run's config names; write nothing."""
    modality = config.modality
    return find_store(
        Path(config.store.root), selection.scans, n_components=modality.dimension, n_times=modality.n_times
    )


def _open_store(config: Config, selection: Selection, summary: dict[str, Any]) -> Store:
    started = time.monotonic()
    store = open_store_of(selection, config.modality, config.store.root)
    summary["seconds"]["ingest"] = round(time.monotonic() - started, 3)
    summary["cohort"].update(fingerprint=store.fingerprint, n_excluded=len(store.excluded))
    return store


def _record(
    config: Config,
    selection: Selection,
    split: pd.Series[str],
    store: Store,
    folder: RunFolder,
    summary: dict[str, Any],
) -> pd.DataFrame:
    """Return who is used; check it, and write ``exclusions.csv`` and ``splits.csv``."""
    from brainage.data.splits import PARTS
    from brainage.data.splits.checks import check_disjoint, check_parts, family_of

    people = used_people(selection, split, store)
    if config.resume is not None:  # before anything of the run is written again
        from brainage.data.datamodule import fingerprint_of
        from brainage.training.checkpoint import check_data

        check_data(folder.path / "checkpoints" / "last.ckpt", fingerprint_of(store, _parts(people)))
    folder.write_csv("exclusions.csv", exclusions_of(store))
    check_excluded(store, len(selection.scans), config.cohort.max_excluded_fraction, folder.path)
    used = people.set_index("participant_id")["split"]
    check_parts(used)
    check_disjoint(used, family_of(selection.table))
    folder.write_csv("splits.csv", people[["participant_id", "split"]])
    summary["n"] = {part: int((used == part).sum()) for part in PARTS}
    if summary["n"]["val"] < 2 and config.objective in ("val/r2", "val/pearson_r"):
        raise ConfigError(
            f"`objective={config.objective}` needs two validation participants or more, but there is 1. Use "
            "objective=val/mse, or let more people take part."
        )
    summary["cohort"]["n_participants"] = len(used)
    log.info("%s", ", ".join(f"{part} {n}" for part, n in summary["n"].items()))
    return people


def used_people(selection: Selection, split: pd.Series[str], store: Store) -> pd.DataFrame:
    """Return who is used: participant_id, age, split, row in the store."""
    people = scanned_people(selection, store)
    people["split"] = people["participant_id"].map(split)
    people = people[people["split"].notna()].reset_index(drop=True)  # a split may leave people out
    return people[["participant_id", "age", "split", "row"]]


def scanned_people(selection: Selection, store: Store) -> pd.DataFrame:
    """Return whose series can be used: participant_id, age, row in the store."""
    import pandas as pd

    rows = pd.Series(range(len(store.participant_ids)), index=pd.Index(store.participant_ids, dtype=str))
    table = selection.table
    people = table.loc[table["participant_id"].isin(rows.index), ["participant_id", "age"]].reset_index(drop=True)
    return people.assign(row=people["participant_id"].map(rows))


def _datamodule(config: Config, people: pd.DataFrame, store: Store) -> AgeDataModule:
    from brainage.data.augmentation import Augmentation
    from brainage.data.datamodule import AgeDataModule

    return AgeDataModule(
        store,
        _parts(people),
        channels=config.modality.channel_indices,
        batch_size=config.batch_size,
        seed=config.seed,
        residency=config.store.residency,
        augmentation=Augmentation(config.recipe.circular_shift, config.recipe.cutmix),
    )


def _parts(people: pd.DataFrame) -> dict[str, People]:
    from brainage.data.datamodule import People

    return {
        str(part): People(group["row"].to_numpy(), group["age"].to_numpy()) for part, group in people.groupby("split")
    }
