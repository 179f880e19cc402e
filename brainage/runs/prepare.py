"""Before training: who takes part, their split, their series from the store. Everything is checked on the way."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brainage.config.schema import (
    BidsCohortConfig,
    CohortConfig,
    Config,
    FixedSplitConfig,
    KFoldSplitConfig,
    LeaveSiteOutSplitConfig,
    ModalityConfig,
    RandomSplitConfig,
    SimulatedCohortConfig,
    UkbCohortConfig,
)
from brainage.errors import CohortError, ConfigError, StoreError
from brainage.runs.folder import RunFolder
from brainage.system.console import log

if TYPE_CHECKING:
    import pandas as pd

    from brainage.data.cohorts.select import CohortReader, Selection
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


def select_from(
    cohort: CohortConfig, modality: ModalityConfig, *, phenotypes: bool, need_ages: bool = True
) -> Selection:
    """Return who of a cohort takes part; see `brainage.data.cohorts.select.select_participants`."""
    from brainage.data.cohorts.select import select_participants

    return select_participants(
        reader_of(cohort, modality, need_ages=need_ages),
        dimension=modality.dimension,
        include=cohort.include,
        exclude_ids=Path(cohort.exclude_ids) if cohort.exclude_ids is not None else None,
        phenotypes=phenotypes,
        need_ages=need_ages,
    )


def reader_of(cohort: CohortConfig, modality: ModalityConfig, *, need_ages: bool = True) -> CohortReader:
    """Return the reader of the cohort that is asked for.

    Parameters
    ----------
    cohort, modality
        What is asked for.
    need_ages : bool, default=True
        Whether everybody's age must be known.

    Raises
    ------
    ConfigError
        There is no such reader, or this cohort needs more to be read.
    """
    if isinstance(cohort, SimulatedCohortConfig):
        from brainage.data.cohorts.simulated import GENERATOR_VERSION, SimulatedCohort

        if cohort.version != GENERATOR_VERSION:
            raise ConfigError(
                f"`cohort.version` must be {GENERATOR_VERSION}, the version of this generator, but got "
                f"{cohort.version}. Other versions make other people; use the release that had it."
            )
        return SimulatedCohort(
            n_participants=cohort.n_participants,
            seed=cohort.seed,
            signal=cohort.signal,
            good_components=tuple(modality.good_components),
            n_times=modality.n_times,
            t_r=modality.t_r,
        )
    if isinstance(cohort, UkbCohortConfig):
        from brainage.data.cohorts.ukb import UkbCohort

        if cohort.phenotypes is None and need_ages:
            raise ConfigError(
                "`cohort.phenotypes` must name UK Biobank's table, which has the ages, but got None. Use "
                "cohort.phenotypes=FILE; without ages, people can only be predicted (predict.py)."
            )
        return UkbCohort(
            root=Path(cohort.root),
            phenotypes=Path(cohort.phenotypes) if cohort.phenotypes is not None else None,
            instance=cohort.instance,
            member=cohort.member,
            need_ages=need_ages,
        )
    if isinstance(cohort, BidsCohortConfig):
        from brainage.data.cohorts.bids import BidsCohort

        phenotypes = Path(cohort.phenotypes) if cohort.phenotypes is not None else None
        return BidsCohort(root=Path(cohort.root), phenotypes=phenotypes, pattern=cohort.pattern, need_ages=need_ages)
    raise ConfigError(f"`cohort` got a config without a reader: {cohort!r}. Use cohort=simulated, ukb or bids.")


def draw(config: Config, selection: Selection) -> pd.Series[str]:
    """Draw the split over the table's people, whoever has files; a fixed one is read."""
    from brainage.data.splits import draw as draws
    from brainage.data.splits.fixed import fixed_split

    split, table = config.split, selection.table
    if isinstance(split, FixedSplitConfig):
        return fixed_split(table, Path(split.file))
    arguments = {key: value for key, value in vars(split).items() if key != "name"}
    if isinstance(split, RandomSplitConfig):
        return draws.random_split(table, **arguments)
    if isinstance(split, KFoldSplitConfig):
        return draws.kfold_split(table, **arguments)
    if isinstance(split, LeaveSiteOutSplitConfig):
        drawn = draws.leave_site_out_split(table, **arguments)
        n_left_out = len(table) - len(drawn)
        if n_left_out:
            log.info("%d people without a site, or with a relative at the tested one, are left out", n_left_out)
        return drawn
    raise ConfigError(f"`split` got a config without a draw: {split!r}. Use one of configs/split.")


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
    from brainage.data.store.open import open_store

    return open_store(Path(root), selection.scans, n_components=modality.dimension, n_times=modality.n_times)


def found_store_of(config: Config, selection: Selection) -> Store:
    """Open the store of these scans where a run's config says; none is made there, whoever wrote that config.

    Raises
    ------
    StoreError
        There is none.
    """
    from brainage.data.store.layout import load_store
    from brainage.data.store.open import fingerprint_of

    shape = {"n_components": config.modality.dimension, "n_times": config.modality.n_times}
    folder = Path(config.store.root) / fingerprint_of(selection.scans, **shape)
    try:
        return load_store(folder)
    except FileNotFoundError:
        raise StoreError(
            f"The store {folder} is not there any more. Any run on the same people makes it again."
        ) from None


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
    from brainage.data.splits.checks import PARTS, check_disjoint, check_parts, family_of

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


def exclusions_of(store: Store) -> pd.DataFrame:
    """Return who is left out, and why: participant_id, reason."""
    import pandas as pd

    reasons = [(person, f"{kind}: {detail}" if detail else kind) for person, (kind, detail) in store.excluded.items()]
    return pd.DataFrame(reasons, columns=["participant_id", "reason"])


def check_excluded(store: Store, n_scanned: int, max_fraction: float, folder: Path) -> None:
    """Warn of excluded participants, with counts; stop where they are too many."""
    if not store.excluded:
        return
    counts = Counter(kind for kind, _ in store.excluded.values()).most_common()
    listed = ", ".join(f"{count} x {kind}" for kind, count in counts)
    n_excluded = len(store.excluded)
    fraction = n_excluded / n_scanned
    if fraction > max_fraction or n_excluded == n_scanned:
        raise CohortError(
            f"`cohort.max_excluded_fraction={max_fraction}` is exceeded: {n_excluded} of {n_scanned} participants with "
            f"a file ({fraction:.1%}) cannot be used: {listed}. Who and why is in {folder / 'exclusions.csv'}; mend "
            "the files, or raise the limit."
        )
    log.warning("%d of %d participants with a file are excluded (exclusions.csv): %s", n_excluded, n_scanned, listed)


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
