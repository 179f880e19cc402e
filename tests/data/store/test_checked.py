"""Missing channels and time points: excluded, set to zero, interpolated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brainage.data.store.checked import check_series
from brainage.data.store.layout import load_store
from brainage.data.store.open import open_store
from brainage.data.store.parse import Recording
from brainage.data.store.purge import purge_store
from brainage.data.store.reading import Reading
from brainage.data.store.resample import resampled
from brainage.data.store.series import FileScan
from brainage.errors import SeriesError

WHOLE = Reading(4, None)
ZERO = Reading(4, None, max_missing=0.5)


def series(**changes: float) -> np.ndarray:
    """Return 10 time points of 4 channels; `c1=2.0` makes channel 1 constant, and `c1t3=nan` changes time point 3."""
    raw = np.random.default_rng(3).standard_normal((10, 4))
    for place, value in changes.items():
        channel, _, time = place[1:].partition("t")
        raw[int(time) if time else slice(None), int(channel)] = value
    return raw


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"c1": np.nan}, [1]),
        ({"c1": 7.0}, [1]),
        ({"c0": np.nan, "c3t2": np.nan}, [0, 3]),
        ({"c2t0": np.inf}, [2]),
        ({}, []),
    ],
    ids=["n/a", "constant", "n/a and one missing", "infinity", "none"],
)
def test_missing_channels_are_zero_and_counted(changes: dict[str, float], missing: list[int]) -> None:
    found = check_series(series(**changes), ZERO)
    assert isinstance(found.series, np.ndarray)
    assert found.n_missing == len(missing)
    assert np.flatnonzero(~found.series.any(axis=1)).tolist() == missing
    others = [channel for channel in range(4) if channel not in missing]
    np.testing.assert_array_equal(found.series[others], check_series(series(), WHOLE).series[others])


@pytest.mark.parametrize("factor", [1.0, 1e-200, 1e200])
def test_moments_are_those_of_the_time_points_that_are_kept_also_after_resampling(factor: float) -> None:
    raw = series() + 5
    first = check_series(raw * factor, Reading(4, 6)).moments
    np.testing.assert_allclose(first[0] / factor, np.stack([raw[:6].mean(0), raw[:6].std(0)], 1), rtol=1e-10)
    recording = Recording(raw * factor, t_r=2.0, rows_are_times=True)
    found = check_series(recording, Reading(4, None, resample_to=1.0))
    mean, sd = np.moveaxis(found.moments[0] / factor, 1, 0)[..., None]
    np.testing.assert_allclose(found.series * sd + mean, resampled(raw, 2.0, 1.0).T, rtol=1e-5)


def test_too_many_missing_channels_exclude() -> None:
    with pytest.raises(SeriesError, match=r"^too many missing channels: 3, 0\.75 of 4, expected at most 0\.5$"):
        check_series(series(c0=1.0, c1=np.nan, c3=np.nan), ZERO)


def test_by_default_a_missing_value_excludes() -> None:
    with pytest.raises(SeriesError, match=r"^NaN or infinity: nan at time point 4, column 2$"):
        check_series(series(c1t3=np.nan), WHOLE)


def test_of_the_first_time_points_only_those_that_are_kept_can_be_missing() -> None:
    first = Reading(4, 5, max_missing=0.5)
    assert check_series(series(c1t7=np.nan), first).n_missing == 0
    assert check_series(series(c1t3=np.nan), first).n_missing == 1


def test_time_points_are_interpolated_where_asked_for() -> None:
    whole = series()
    whole[4] = (whole[3] + whole[5]) / 2
    whole[0] = whole[1]
    gaps = whole.copy()
    gaps[4] = gaps[0] = np.nan
    found = check_series(gaps, Reading(4, None, max_interpolated=0.2))
    assert (found.n_missing, found.n_interpolated) == (0, 2)
    np.testing.assert_allclose(found.series, check_series(whole, WHOLE).series, atol=1e-6)
    with pytest.raises(SeriesError, match="NaN or infinity"):
        check_series(gaps, Reading(4, None, max_interpolated=0.1))
    mixed = check_series(series(c0t1=np.nan, c2=np.nan), Reading(4, None, max_missing=0.25, max_interpolated=0.1))
    assert (mixed.n_missing, mixed.n_interpolated) == (1, 1)


def test_counts_are_kept_in_the_store_and_the_settings_have_their_own_store(tmp_path: Path) -> None:
    for name, raw in (("a", series()), ("b", series(c1=np.nan)), ("c", series(c2t5=np.nan))):
        np.save(tmp_path / f"{name}.npy", raw)
    scans = {name: FileScan(tmp_path / f"{name}.npy", tmp_path) for name in "abc"}
    stores = [
        open_store(tmp_path / "store", scans, reading)
        for reading in (WHOLE, ZERO, Reading(4, None, max_interpolated=0.2))
    ]
    assert [len(store.excluded) for store in stores] == [2, 0, 1]
    assert [list(map(tuple, store.repaired)) for store in stores] == [[], [(0, 0), (1, 0), (1, 0)], [(0, 0), (0, 1)]]
    purge_store(stores[1].folder, {"a"})
    remaining = {name: scans[name] for name in "bc"}
    kept = open_store(tmp_path / "store", remaining, ZERO)
    assert list(map(tuple, load_store(kept.folder).repaired)) == [(1, 0), (1, 0)]
    assert Reading.of(ZERO.settings(), None) == ZERO


def test_the_rows_of_an_array_are_time_points_whatever_the_files_of_its_modality_have() -> None:
    series = np.random.default_rng(0).normal(size=(7, 3))
    expected = check_series(series, Reading(3, 5)).series
    by_rows = Reading(3, 5, rows_are_channels=True)
    np.testing.assert_array_equal(check_series(series, by_rows).series, expected)
    np.testing.assert_array_equal(check_series(Recording(series.T), by_rows).series, expected)
