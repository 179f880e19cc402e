"""Several scans of a participant: kept one after another, only the longest, or what is left of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from brainage.config.groups.modality import ModalityConfig
from brainage.data.cohorts.select import Selection
from brainage.data.datamodule import AgeDataModule
from brainage.data.participants import Participants, stored_participants
from brainage.data.store.exclusions import exclusions_of
from brainage.data.store.open import find_store, open_store
from brainage.data.store.parse import Recording
from brainage.data.store.purge import purge_store
from brainage.data.store.reading import Reading
from brainage.data.store.series import Scan, UnreadableNowError
from brainage.data.store.several import LabelledScan, SeveralScans, read_scan
from brainage.errors import SeriesError

WHOLE = Reading(2, None, several=True)
MODALITY = ModalityConfig(
    name="two", dimension=2, components="all", good_components=None, n_channels=2, n_times=4, t_r=1.0
)


@dataclass(frozen=True)
class Made:
    """A scan of two channels and this length; negative for one with the wrong number of channels."""

    n_times: int

    def read(self) -> NDArray[np.float64]:
        shape = (abs(self.n_times), 2 if self.n_times > 0 else 3)
        return np.random.default_rng(abs(self.n_times)).standard_normal(shape)

    def stamp(self) -> tuple[str | int | float, ...]:
        return (self.n_times,)


@dataclass(frozen=True)
class Unreadable(Made):
    """A scan that the system cannot read now."""

    def read(self) -> NDArray[np.float64]:
        raise OSError(5, "Input/output error")


def several(*scans: tuple[int, float | None], only_longest: bool = False) -> SeveralScans:
    """Return scans of these lengths at these ages, in sessions 1, 2 and so on."""
    labelled = (LabelledScan(f"ses-{number}", Made(n), age) for number, (n, age) in enumerate(scans, 1))
    return SeveralScans(tuple(labelled), only_longest)


def test_scans_follow_each_other_each_z_scored_by_itself() -> None:
    found = read_scan(several((6, None), (9, None)), WHOLE)
    alone = [read_scan(Made(n), WHOLE).series for n in (6, 9)]
    np.testing.assert_array_equal(found.series, np.concatenate(alone, axis=1))
    assert found.scans == (("ses-1", 6), ("ses-2", 9))


def test_the_first_time_points_are_those_of_each_scan() -> None:
    found = read_scan(several((6, None), (9, None)), Reading(2, 5, several=True))
    assert found.scans == (("ses-1", 5), ("ses-2", 5))


def test_the_longest_is_chosen_after_reading() -> None:
    found = read_scan(several((6, None), (9, None), (-20, None), only_longest=True), WHOLE)
    assert found.scans == (("ses-2", 9),)
    assert [label for label, *_ in found.unused] == ["ses-3"]
    assert several((6, 1.0)).stamp() != several((6, 1.0), only_longest=True).stamp()


def test_a_scan_that_cannot_be_used_leaves_the_others_and_none_excludes() -> None:
    found = read_scan(several((-6, None), (9, None)), WHOLE)
    assert found.scans == (("ses-2", 9),)
    assert found.unused == (("ses-1", "wrong number of columns", "3, expected 2"),)
    with pytest.raises(SeriesError, match=r"wrong number of columns: 3, expected 2 \(ses-1, and 1 more\)"):
        read_scan(several((-6, None), (-9, None)), WHOLE)


@dataclass(frozen=True)
class Timed(Made):
    """A scan whose file has its repetition time."""

    t_r_of_file: float = 1.0

    def read(self) -> Recording:  # type: ignore[override]
        return Recording(super().read(), t_r=self.t_r_of_file)


def test_scans_of_several_repetition_times_exclude_unless_they_are_resampled() -> None:
    scans = SeveralScans((LabelledScan("ses-1", Timed(9, 1.0)), LabelledScan("ses-2", Timed(9, 2.0))))
    with pytest.raises(SeriesError, match="scans of several repetition times: 1 s and 2 s"):
        read_scan(scans, WHOLE)
    assert read_scan(scans, replace(WHOLE, resample_to=1.0)).scans == (("ses-1", 9), ("ses-2", 17))


def test_a_scan_that_cannot_be_read_now_excludes_for_this_run_only() -> None:
    scans = SeveralScans((LabelledScan("ses-1", Made(6)), LabelledScan("ses-2", Unreadable(7))))
    with pytest.raises(UnreadableNowError):
        read_scan(scans, WHOLE)


SCANS: dict[str, Scan] = {
    "a": several((6, 50.0), (9, 53.0)),
    "b": Made(8),
    "c": several((3, 60.0), (5, 62.5), (-4, 61.0)),
    "d": several((3, 70.0), (2, 71.0)),
}


@pytest.fixture
def participants(tmp_path: Path) -> Participants:
    table = pd.DataFrame({"participant_id": list("abcd"), "age": [51.5, 55.0, 61.25, 70.5]})
    return stored_participants(Selection(table, SCANS), MODALITY, str(tmp_path), pd.Series("train", list("abcd")))


def test_the_age_is_the_mean_over_the_scans_that_are_used(participants: Participants) -> None:
    assert participants.table["participant_id"].tolist() == ["a", "b", "c"]
    assert participants.ages.tolist() == [51.5, 55.0, 62.5]
    assert participants.store.excluded["d"] == ("too few time points", "3, expected at least 4")


def test_a_row_for_each_scan_has_its_label_and_its_age(participants: Participants) -> None:
    rows = participants.by_scan().table
    assert list(zip(rows["participant_id"], rows["scan"], rows["age"], strict=True)) == [
        ("a", "ses-1", 50.0),
        ("a", "ses-2", 53.0),
        ("b", "", 55.0),
        ("c", "ses-2", 62.5),
    ]


def test_training_sees_scans_with_their_ages_and_validation_means_over_scans(participants: Participants) -> None:
    data = AgeDataModule(participants, batch_size=8, seed=0)
    [(windows, ages, per_scan, n_scans)] = data.loader("train")
    assert (len(windows), ages.tolist()) == (2 + 3 + 2 + 2, [51.5, 55.0, 62.5])
    assert (per_scan.tolist(), n_scans.tolist()) == ([2, 3, 2, 2], [2, 1, 1])
    seen = set()
    for epoch in range(40):
        loader = data.train_dataloader()
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        seen |= {age for _, ages in loader for age in ages.tolist()}
    assert seen == {50.0, 53.0, 55.0, 62.5}


def test_exclusions_name_scans_that_are_not_used(participants: Participants) -> None:
    reasons = exclusions_of(participants.store)
    assert list(reasons.itertuples(index=False, name=None)) == [
        ("d", "too few time points: 3, expected at least 4"),
        ("c", "one of several scans: ses-3: wrong number of columns: 3, expected 2"),
        ("c", "one of several scans: ses-1: too few time points: 3, expected at least 4"),
    ]


def test_a_purged_participant_is_gone_with_all_scans(tmp_path: Path) -> None:
    store = open_store(tmp_path, SCANS, WHOLE)
    purge_store(store.folder, {"a"})
    left = {participant: scan for participant, scan in SCANS.items() if participant != "a"}
    kept = find_store(tmp_path, left, WHOLE)
    assert kept.participant_ids == ("b", "c", "d")
    assert [[tuple(scan) for scan in scans] for scans in kept.scans] == [
        [],
        [("ses-1", 3), ("ses-2", 5)],
        [("ses-1", 3), ("ses-2", 2)],
    ]


def test_square_series_without_names_are_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING", "brainage")
    table = pd.DataFrame({"participant_id": list("ab"), "age": [50.0, 60.0]})
    square = replace(MODALITY, n_times=2)
    stored_participants(Selection(table, {"a": Made(2), "b": Made(5)}), square, str(tmp_path))
    assert "1 of 2 participants have as many time points as channels (2)" in caplog.text
    assert "rows are times" in caplog.text
    assert "modality.orientation" in caplog.text
    caplog.clear()
    stored_participants(Selection(table, {"a": Made(3), "b": Made(5)}), square, str(tmp_path))
    assert not caplog.text
