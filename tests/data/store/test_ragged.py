"""Stores that keep series whole, each with its own length."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

from brainage.data.connectivity import connectivity
from brainage.data.store.layout import DamagedStoreError, Store, load_store, stream_rows
from brainage.data.store.open import find_store, open_store
from brainage.data.store.purge import purge_store
from brainage.data.store.reading import Reading
from brainage.data.traits import traits_of

WHOLE = Reading(3, None)


@dataclass(frozen=True)
class Length:
    """A scan of this length; of too many channels without any."""

    n_times: int

    def read(self) -> NDArray[np.float64]:
        shape = (self.n_times, 3) if self.n_times else (10, 4)
        return np.random.default_rng(self.n_times).standard_normal(shape) * 3 + 1

    def stamp(self) -> tuple[str | int | float, ...]:
        return (self.n_times,)


SCANS = {"a": Length(7), "b": Length(0), "c": Length(12), "d": Length(1), "e": Length(5)}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path, SCANS, WHOLE)


def test_series_are_kept_whole_and_z_scored_over_all_their_points(store: Store) -> None:
    assert store.participant_ids == ("a", "c", "e")
    assert store.lengths.tolist() == [7, 12, 5]
    assert set(store.excluded) == {"b", "d"}
    assert store.excluded["d"] == ("too few time points", "1, expected at least 2")
    raw = SCANS["c"].read()
    expected = ((raw - raw.mean(axis=0)) / raw.std(axis=0)).T
    np.testing.assert_allclose(store.series[1], expected, atol=1e-6)


def test_the_length_of_a_window_does_not_change_the_store(store: Store) -> None:
    assert find_store(store.folder.parent, SCANS, WHOLE).folder == store.folder
    assert find_store(store.folder.parent, SCANS, WHOLE).at_least(6).excluded["e"][1] == "5, expected at least 6"


def test_a_purged_participant_is_gone_and_the_others_stay(store: Store) -> None:
    kept = [store.series[row].copy() for row in (0, 2)]
    assert purge_store(store.folder, {"c"}).n_rows == 1
    [folder] = (path for path in store.folder.parent.iterdir() if path.is_dir() and not path.name.startswith("."))
    others = load_store(folder)
    assert others.participant_ids == ("a", "e")
    for row, series in enumerate(kept):
        np.testing.assert_array_equal(others.series[row], series)
    assert all(intact for _, _, intact in stream_rows(others))


def test_a_damaged_store_is_noticed(store: Store) -> None:
    path = store.folder / "series.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedStoreError):
        load_store(store.folder)


def test_without_a_usable_series_the_store_is_empty(tmp_path: Path) -> None:
    store = open_store(tmp_path, {"b": Length(0)}, WHOLE)
    assert (store.participant_ids, store.lengths.tolist()) == ((), [])


def test_connectivity_and_traits_are_those_of_whole_series(store: Store) -> None:
    found = connectivity(store, np.array([1]), (0, 1, 2), "covariance")
    covariance, _ = ledoit_wolf(store.series[1].T.astype(float), assume_centered=False)
    np.testing.assert_allclose(found[0], covariance[np.tril_indices(3)], atol=1e-6)
    traits = dict(traits_of(store, np.array([1, 2]), np.array([0, 1, 2])))
    pairs = [np.abs(np.corrcoef(store.series[row])[np.tril_indices(3, -1)]).mean() for row in (1, 2)]
    np.testing.assert_allclose(traits["mean absolute correlation of components"], pairs, atol=1e-6)
