"""Repetition times of participants: where they are from, and which are refused."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainage.config.groups.modality import ModalityConfig
from brainage.data.cohorts.select import Selection
from brainage.data.participants import stored_participants
from brainage.data.store.layout import list_stores, load_store
from brainage.data.store.parse import Recording
from brainage.data.store.purge import purge_store
from brainage.data.store.series import FileScan, TimedScan
from brainage.data.store.several import LabelledScan, SeveralScans
from brainage.data.t_r import check_for_training, check_t_r, t_r_counts, timed_scans, with_stored_t_r, with_t_r
from brainage.errors import CohortError

TABLE = pd.DataFrame({"participant_id": list("abcd")})


def scans(**t_rs: float | None) -> dict[str, FileScan]:
    return {name: FileScan(Path(name), Path(), t_r=t_r) for name, t_r in t_rs.items()}


def test_each_source_fills_what_those_before_it_do_not_know() -> None:
    table = TABLE.assign(t_r=[2.0, 2.0, math.nan, 7.0])  # d has no scan
    found = with_t_r(table, scans(a=2.01, b=None, c=None), 2.0)["t_r"]
    assert found[:3].tolist() == [2.01, 2.0, 2.0] and math.isnan(found[3])
    assert with_t_r(TABLE, scans(a=None))["t_r"].isna().all()
    both = with_stored_t_r(with_t_r(TABLE, scans(a=2.0, b=None)), {"a": 2.0, "b": 0.72})
    assert both["t_r"][:2].tolist() == [2.0, 0.72]


def test_sources_that_differ_are_refused_with_counts() -> None:
    table = TABLE.assign(t_r=[1.0, 1.0, 2.0, 2.5])
    message = r"files' metadata and the column `t_r` .* 3 of 4 participants have two: 2 s and 1 s \(2\), 2 s and 2.5 s"
    with pytest.raises(CohortError, match=message):
        with_t_r(table, scans(a=2.0, b=2.0, c=2.0, d=2.0))
    with pytest.raises(CohortError, match=r"the column `t_r` and `cohort.t_r` .* 1 of 2 .* 1 s and 2 s \(1\)"):
        with_t_r(TABLE.assign(t_r=[1.0, 2.0, 1.0, 1.0]), scans(a=None, b=None), 2.0)
    with pytest.raises(CohortError, match=r"headers .* 2 s and 0.72 s \(1\)"):
        with_stored_t_r(TABLE.assign(t_r=2.0), {"a": 0.72})


def test_only_known_ones_that_differ_from_all_expected_are_refused() -> None:
    table = TABLE.assign(t_r=[0.735, 2.0, 2.5, math.nan])
    check_t_r(table, [0.735, 2.0, 2.5], "Mine", "Do.")
    with pytest.raises(CohortError, match=r"^Mine, but 2 of 3 participants have .*: 2 s \(1\), 2.5 s \(1\). Do.$"):
        check_t_r(table, [0.74], "Mine", "Do.")


def test_counts_are_by_milliseconds() -> None:
    counts = t_r_counts(pd.Series([0.735, 0.7351, 2.0, math.nan]))
    assert counts == {"0.735": 2, "2": 1, "unknown": 1}


@dataclass(frozen=True)
class Timed:
    """A scan whose file has its repetition time, as CIFTI has it."""

    t_r_of_file: float | None

    def read(self) -> Recording:
        return Recording(np.random.default_rng(1).normal(size=(50, 2)), t_r=self.t_r_of_file)

    def stamp(self) -> tuple[str | int | float, ...]:
        return ("timed", str(self.t_r_of_file))


MODALITY = ModalityConfig(
    name="two", dimension=2, components="all", good_components=None, n_channels=2, n_times=40, windows="first", t_r=2.0
)


def test_those_in_files_are_kept_in_the_store_and_checked(tmp_path: Path) -> None:
    selection = Selection(TABLE.assign(t_r=math.nan), {"a": Timed(2), "b": Timed(None), "c": Timed(3)})
    found = stored_participants(selection, MODALITY, str(tmp_path))
    assert found.table["t_r"].fillna(0).tolist() == [2.0, 0.0, 3.0]
    purge_store(found.store.folder, ["a"])
    (folder,) = list_stores(tmp_path)
    assert [list(t_r) for t_r in load_store(folder).t_r] == [[], [3]]
    with pytest.raises(
        CohortError, match=r"`modality.t_r=2.0`.* 1 of 2 participants have .*: 3 s \(1\).*resample=true"
    ):
        check_for_training(found.table, MODALITY)


def test_resampling_without_any_repetition_time_is_refused_before_files_are_read() -> None:
    table = with_t_r(TABLE, unknown := scans(a=None, b=None))
    with pytest.raises(CohortError, match=r"`resample=true` .* of 2 participants none is known.*cohort.t_r=SECONDS"):
        timed_scans(table, unknown)
    in_files = {"a": FileScan(Path("a.ptseries.nii"), Path()), "b": Timed(2.0)}
    assert timed_scans(table, in_files) == in_files


def test_each_of_several_scans_has_its_own() -> None:
    one, other = scans(one=2.0, other=None).values()
    several = SeveralScans((LabelledScan("ses-1", one), LabelledScan("ses-2", other)))
    selection = Selection(TABLE[:1], {"a": several})
    table = with_t_r(selection.table.assign(t_r=2.0), selection.scans)
    assert replace(selection, table=table).scanned["t_r"].tolist() == [2.0, 2.0]
    assert timed_scans(table, selection.scans)["a"] == SeveralScans(
        (LabelledScan("ses-1", TimedScan(one, 2.0)), LabelledScan("ses-2", TimedScan(other, 2.0)))
    )
    mixed = SeveralScans((LabelledScan("ses-1", one), LabelledScan("ses-2", replace(other, t_r=3.0))))
    with pytest.raises(CohortError, match=r"1 of 1 participants have .*: 3 s \(1\)"):
        check_t_r(Selection(table, {"a": mixed}).scanned, [2.0], "Mine", "Do.")
