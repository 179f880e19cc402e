"""Connectivity: equal to scikit-learn's, cached, and recomputed if the cache is damaged."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf

from brainage.data import row_cache
from brainage.data.connectivity import KINDS, connectivity
from brainage.data.store.layout import DamagedStoreError, Store

CHANNELS = (0, 2, 3)
ROWS = np.array([4, 0, 2])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Five participants, four components, 60 time points."""
    rng = np.random.default_rng(0)
    series = rng.normal(size=(5, 4, 60)).cumsum(axis=2)
    series = ((series - series.mean(axis=2, keepdims=True)) / series.std(axis=2, keepdims=True)).astype(np.float32)
    checksums = np.array([zlib.crc32(row.data) for row in series], dtype=np.uint32)
    return Store(tmp_path, tuple("abcde"), {}, series, checksums)


def expected(store: Store, kind: str) -> np.ndarray:
    found = []
    for row in ROWS:
        covariance, _ = ledoit_wolf(store.series[row, list(CHANNELS)].T.astype(np.float64))
        if kind == "covariance":
            found.append(covariance[np.tril_indices(len(CHANNELS))])
            continue
        if kind == "partial correlation":
            covariance = -np.linalg.inv(covariance)
        scale = np.sqrt(np.abs(np.diag(covariance)))
        r = covariance / np.outer(scale, scale)
        found.append(np.arctanh(r[np.tril_indices(len(CHANNELS), -1)]))
    return np.array(found)


@pytest.mark.parametrize("kind", KINDS)
def test_connectivity_is_that_of_the_shrunk_covariance_in_the_requested_order(kind: str, store: Store) -> None:
    np.testing.assert_allclose(connectivity(store, ROWS, CHANNELS, kind), expected(store, kind), atol=1e-4)


def test_it_is_computed_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first = connectivity(store, ROWS, CHANNELS, "correlation")
    monkeypatch.setattr(row_cache, "_computed", None)
    np.testing.assert_array_equal(connectivity(store, ROWS, CHANNELS, "correlation"), first)
    with pytest.raises(TypeError, match="not callable"):
        connectivity(store, ROWS, (0, 1), "correlation")  # other components


@pytest.mark.parametrize("damage", ["flip", "cut", "pickle"])
def test_a_damaged_cache_is_recomputed(damage: str, store: Store) -> None:
    first = connectivity(store, ROWS, CHANNELS, "correlation")
    (path,) = store.folder.glob("connectivity-*.npz")
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    else:
        with path.open("wb") as file:
            np.savez(file, values=np.array([{"a": 1}], dtype=object), digest=np.array("x"))
    np.testing.assert_array_equal(connectivity(store, ROWS, CHANNELS, "correlation"), first)


def test_damaged_series_are_refused(store: Store) -> None:
    store.checksums[1] += 1
    with pytest.raises(DamagedStoreError, match="is damaged in row 1; it must be rewritten"):
        connectivity(store, ROWS, CHANNELS, "correlation")
