"""Participants of a table with their rows in a store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainage.config.groups.modality import ModalityConfig
from brainage.data.cohorts.select import Selection
from brainage.data.participants import Participants, participants_of
from brainage.data.store.layout import Store
from brainage.data.store.ragged import Ragged

TABLE = pd.DataFrame({"participant_id": ["a", "b", "c", "d"], "age": [50.0, 60.0, 70.0, 80.0], "sex": [0, 1, 0, 1]})
# Modalities with two channels, of which a network sees both, or the second one.
BOTH = ModalityConfig(name="two", dimension=2, components="all", good_components=[2], n_channels=2, n_times=3)
SECOND = replace(BOTH, components="good", n_channels=1)
SELECTION = Selection(TABLE, {})
SPLIT = pd.Series({"b": "train", "c": "val", "d": "train"})


@pytest.fixture
def store() -> Store:
    """A store without the table's first participant, with one that the table does not have."""
    return Store(Path("f00d"), ("b", "c", "d", "e"), {}, np.zeros((4, 2, 3), np.float32), np.arange(4, dtype=np.uint32))


@pytest.fixture
def participants(store: Store) -> Participants:
    return participants_of(SELECTION, store, BOTH, SPLIT)


def test_participants_of_a_table_are_those_in_the_store(store: Store) -> None:
    found = participants_of(SELECTION, store, SECOND)
    assert len(found) == 3
    assert list(found.table["participant_id"]) == ["b", "c", "d"]
    assert list(found.rows) == [0, 1, 2]
    assert list(found.ages) == [60.0, 70.0, 80.0]
    assert found.channels == (1,)
    assert "split" not in found.table


def test_with_a_split_participants_outside_of_its_parts_are_left_out(store: Store) -> None:
    found = participants_of(SELECTION, store, SECOND, SPLIT.drop("c"))
    assert list(found.table["participant_id"]) == ["b", "d"]
    assert list(found.rows) == [0, 2]


def test_columns_of_a_cohort_with_reserved_names_are_dropped(store: Store) -> None:
    found = participants_of(Selection(TABLE.assign(row=99, split="mine", bag=1.0), {}), store, SECOND, SPLIT)
    assert list(found.table.columns) == ["participant_id", "age", "sex", "row", "t_r", "split"]
    assert list(found.rows) == [0, 1, 2]
    assert list(found.table["split"]) == ["train", "val", "train"]


def test_part_and_where_keep_the_order_and_each_participants_row(participants: Participants) -> None:
    assert list(participants.part("train").rows) == [0, 2]
    assert list(participants.part("train", "val").rows) == [0, 1, 2]
    assert len(participants.part("test")) == 0
    old = participants.where(participants.ages > 65)
    assert list(old.table["participant_id"]) == ["c", "d"]
    assert list(old.table.index) == [0, 1]


def changed(participants: Participants, column: str, value: object) -> Participants:
    table = participants.table.copy()
    table.loc[1, column] = value
    return replace(participants, table=table)


@pytest.mark.parametrize(("column", "value"), [("split", "test"), ("age", 70.5), ("row", 3)])
def test_the_fingerprint_changes_with_split_age_and_row(column: str, value: object, participants: Participants) -> None:
    assert changed(participants, column, value).data_fingerprint() != participants.data_fingerprint()


def test_the_fingerprint_changes_with_the_series(participants: Participants) -> None:
    checksums = np.array([0, 7, 2, 3], dtype=np.uint32)
    other = replace(participants, store=replace(participants.store, checksums=checksums))
    assert other.data_fingerprint() != participants.data_fingerprint()


def test_the_fingerprint_ignores_other_columns_and_their_order(participants: Participants) -> None:
    table = participants.table
    for other in (table[table.columns[::-1]], table.assign(sex=2), table.drop(columns="sex")):
        assert replace(participants, table=other).data_fingerprint() == participants.data_fingerprint()


def test_participants_with_fewer_time_points_than_a_window_are_excluded_with_their_length() -> None:
    series = Ragged(np.zeros(2 * (3 + 5 + 4), np.float32), 2, [3, 5, 4])
    store = Store(Path("f00d"), ("b", "c", "d"), {}, series, np.arange(3, dtype=np.uint32)).at_least(4)
    assert list(participants_of(SELECTION, store, replace(BOTH, n_times=4)).table["participant_id"]) == ["c", "d"]
    assert store.excluded == {"b": ("too few time points", "3, expected at least 4")}
