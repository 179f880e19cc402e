"""The participants whose predictions are explained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from brainage.config.commands.explain import ExplainCommandConfig
from brainage.config.commands.shared import DEFAULT_STORE
from brainage.config.groups.cohort import CohortConfig
from brainage.config.schema import Config
from brainage.data.cohorts.select import Selection, select_from
from brainage.data.participants import Participants, ScanOfRow, participants_of, stored_participants
from brainage.data.store.layout import Store, verify
from brainage.data.time_order import shuffled
from brainage.errors import EvaluationError, StoreError
from brainage.explanation.summary import Explanation
from brainage.runs.read import Run
from brainage.runs.trained_on import check_same
from brainage.system.console import log
from brainage.trained.ensemble import read_sample
from brainage.trained.network import Trained
from brainage.trained.t_r import resampling

# Tolerated difference, in years, from the run's own predictions, which may be from another device.
_SAME = 0.05

_PARTS = {"test": ("test",), "val+test": ("val", "test"), "all": ("train", "val", "test")}


def available_participants(
    config: ExplainCommandConfig, trained: Trained
) -> tuple[str, Participants, Participants | None]:
    """Return what participants are called, those of the given cohort, or else of the run, and the run's training ones.

    There are no training participants with another cohort.
    """
    if not isinstance(config.cohort, CohortConfig):
        return _of_run(config, trained)
    sample = read_sample(
        config.cohort, resampling(trained) if config.resample else trained, config.store.root or DEFAULT_STORE
    )
    return f"participants of cohort {config.cohort.name}", sample.participants, None


def _of_run(config: ExplainCommandConfig, trained: Trained) -> tuple[str, Participants, Participants]:
    """Return participants of the run's split who are still in its cohort."""
    if trained.run is None:
        raise EvaluationError(
            f"`run={trained.folder}` is a bundle, which contains no participants. Name the cohort to explain, with "
            "cohort=bids cohort.root=DIR, cohort=ukb, or cohort=simulated."
        )
    own = trained.run.config
    stores = [own.store.root, config.store.root or DEFAULT_STORE]
    selection = select_from(own.cohort, own.modality, stores=stores, is_new=False)
    store = _store_of(own, selection, config.store.root)
    split = trained.run.predictions.set_index("participant_id")["split"]
    asked = config.rows or "test"
    everyone = participants_of(selection, store, own.modality, split)
    if trained.channel_names is not None:
        everyone = replace(everyone, channels=trained.channels_in(store))
    if config.again:
        check_same(trained.run, selection.table, everyone)
    found = everyone.part(*_PARTS[asked])
    name = f"{asked} participants of the run" if asked != "all" else "participants of the run"
    if not len(found):
        raise EvaluationError(
            f"`run={trained.folder}` has no {name} any more whose series can be read. Restore its cohort, or explain "
            "others with cohort=..."
        )
    return name, found, everyone.part("train")


def _store_of(own: Config, selection: Selection, given: str | None) -> Store:
    """Open the run's store; if it is gone, write one in this command's folder, never where a run's config says."""
    if given is None:
        try:
            return stored_participants(selection, own.modality, own.store.root, write=False).store
        except StoreError as error:
            log.info("%s It is made in %s.", error, DEFAULT_STORE)
    return stored_participants(selection, own.modality, given or DEFAULT_STORE).store


def differing(run: Run, explained: Participants, found: Explanation) -> list[str]:
    """Return a note if predictions differ from those of the run."""
    known = run.predictions.set_index("participant_id")["predicted_age"]
    expected = explained.table["participant_id"].map(known).to_numpy(float)
    n_other = int((abs(expected - found.maps.predicted) > _SAME).sum())
    if not n_other:
        return []
    return [
        f"{n_other:,} of {len(explained):,} predictions differ from the run's predictions.csv: the series have changed."
    ]


def drawn(available: Participants, config: ExplainCommandConfig) -> Participants:
    """Return a random sample, the same for the same seed."""
    order = np.random.default_rng(config.seed).permutation(len(available))[: config.participants]
    return replace(available, table=available.table.iloc[order].reset_index(drop=True))


def series(participants: Participants) -> NDArray[np.float32]:
    """Return the first window of each participant, of shape (n_participants, n_channels, n_times)."""
    store, rows, firsts = participants.store, participants.rows, _first_scans(participants)
    verify(store, rows.tolist())
    channels, n_times = np.array(participants.channels), participants.n_times
    whole = [
        store.series[row][channels, one.begin : one.begin + n_times] for row, one in zip(rows, firsts, strict=True)
    ]
    found = participants.scaling.apply(np.stack(whole), np.array([one.number for one in firsts]))
    store.release()
    return shuffled(found, participants.shuffle_seed)


def means(participants: Participants) -> NDArray[np.float32] | None:
    """Return the means over time of `series`, of shape (n_participants, n_channels, 1); None where the scale has 0."""
    offset = participants.scaling.offset
    return None if offset is None else offset[[one.number for one in _first_scans(participants)]]


def _first_scans(participants: Participants) -> list[ScanOfRow]:
    return [participants.scans(position)[0] for position in range(len(participants))]
