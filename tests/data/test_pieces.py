"""Scans and halves of scans as rows of a store in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainage.data.datasets import series_batches
from brainage.data.participants import Participants
from brainage.data.pieces import half_length, rows_by_half, rows_by_scan
from brainage.data.store.layout import Store
from brainage.data.store.ragged import Ragged

N_CHANNELS = 3


def participants(lengths: list[list[int]], n_times: int, scale: str = "zscore") -> Participants:
    """Return participants with scans of these lengths, ages 60 and 2 years more at each further scan."""
    rng = np.random.default_rng(5)
    rows = [rng.standard_normal((N_CHANNELS, sum(of))).astype(np.float32) for of in lengths]
    flat = Ragged(np.concatenate([row.ravel() for row in rows]), N_CHANNELS, [sum(of) for of in lengths])
    scans = [[(f"ses-{n}", length) for n, length in enumerate(of)] if len(of) > 1 else [] for of in lengths]
    ids = tuple(f"p{number}" for number in range(len(lengths)))
    moments = rng.uniform(50, 90, (sum(map(len, lengths)), N_CHANNELS, 2))
    several = any(len(of) > 1 for of in lengths)
    store = Store(
        Path("store"), ids, {}, flat, np.zeros(len(ids), np.uint32), scans=scans if several else (), moments=moments
    )
    table = pd.DataFrame({"participant_id": ids, "age": 60.0, "row": range(len(ids)), "t_r": 0.7, "split": "test"})
    ages = {(one, label): 60.0 + 2 * n for one, of in zip(ids, scans, strict=True) for n, (label, _) in enumerate(of)}
    return Participants(table, store, (0, 2), n_times, ages, scale=scale)


def test_each_scan_is_a_row_with_its_age_and_series() -> None:
    found = participants([[30, 40], [35]], 30)
    (rows,) = rows_by_scan(found)
    assert rows.table[["participant_id", "scan", "age"]].to_numpy().tolist() == [
        ["p0", "ses-0", 60.0], ["p0", "ses-1", 62.0], ["p1", "", 60.0]
    ]  # fmt: skip
    whole = found.store.series[0]
    assert (rows.store.series[0] == whole[:, :30]).all() and (rows.store.series[1] == whole[:, 30:]).all()
    assert rows.store.moments is not None and (rows.store.moments == found.store.moments).all()
    # The batches are those of the participants by scan.
    for mine, other in zip(series_batches(rows, 2), series_batches(found.by_scan(), 2), strict=True):
        assert all((one == two).all() for one, two in zip(mine, other, strict=True))


@pytest.mark.parametrize("scale", ["zscore", "none"])
def test_halves_are_as_long_as_each_other_and_z_scored_where_scans_are(scale: str) -> None:
    found = participants([[31], [40]], 31, scale)
    assert half_length(found) == 15
    (rows,) = rows_by_half(found, 15)
    assert list(rows.table["scan"]) == ["half-1", "half-2"] * 2 and rows.n_times == 15
    assert rows.store.lengths.tolist() == [15, 15, 20, 20]
    series, whole = rows.store.series[1], found.store.series[0][:, 15:30]
    if scale == "zscore":
        whole = (whole - whole.mean(axis=1, keepdims=True)) / whole.std(axis=1, keepdims=True)
    np.testing.assert_allclose(series, whole, atol=1e-6)
    (batch, _) = next(iter(series_batches(rows, 4)))[:2]
    assert batch.shape[1:] == (2, 15)


def test_participants_are_held_in_memory_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brainage.data.pieces._TOGETHER", 2)
    parts = list(rows_by_half(participants([[20]] * 5, 20), 10))
    assert [len(part) for part in parts] == [4, 4, 2]
    assert [one for part in parts for one in part.table["participant_id"][::2]] == [f"p{n}" for n in range(5)]
