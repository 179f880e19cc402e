"""Resampling: sines whose values at the new time points are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from brainage.data.store.checked import check_series
from brainage.data.store.parse import Recording
from brainage.data.store.reading import Reading
from brainage.data.store.resample import n_resampled, resampled, same
from brainage.data.store.series import TimedScan, read_checked
from brainage.errors import SeriesError
from tests.conftest import every_third


def sine(frequency: float, n_times: int, t_r: float) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * t_r * np.arange(n_times) + 0.7)


@pytest.mark.parametrize(
    ("t_r", "to"), every_third([(1.0, 0.735), (0.735, 1.0), (2.0, 0.735), (0.72, 0.735), (2.043, 2.0)])
)
def test_what_is_below_both_nyquist_frequencies_stays_and_what_is_above_the_new_one_vanishes(
    t_r: float, to: float
) -> None:
    nyquist, n_times = 0.5 / max(t_r, to), 600
    frequencies = [share * nyquist for share in (0.1, 0.4, 0.8)]
    values = np.column_stack(
        [sine(frequency, n_times, t_r) + 3 + 0.01 * np.arange(n_times) for frequency in frequencies]
    )
    found = resampled(values, t_r, to)
    assert len(found) == n_resampled(n_times, t_r, to) == math.floor((n_times - 1) * t_r / to + 1e-9) + 1
    times = np.arange(len(found))
    expected = np.column_stack(
        [sine(frequency, len(found), to) + 3 + 0.01 * times * to / t_r for frequency in frequencies]
    )
    edge = 45
    assert np.abs(found - expected)[edge:-edge].max() < 0.01
    assert np.sqrt(np.mean((found - expected) ** 2)) < 0.02  # with the edges
    if to > t_r * 1.3:
        gone = resampled(sine(0.5 / to * 1.2, n_times, t_r)[:, None], t_r, to)
        assert np.abs(gone[edge:-edge]).max() < 0.01


def test_repetition_times_within_one_percent_are_the_same() -> None:
    assert same([0.735, 0.74, 0.99, 1.01, math.nan], [0.735, 0.735, 1.0, 1.0, 1.0]).tolist() == [True] * 5
    assert not same(0.744, 0.735)
    values = np.random.default_rng(1).normal(size=(50, 2))
    assert resampled(values, 0.74, 0.735) is values


READING = Reading(2, 40, resample_to=0.735)


def test_series_are_resampled_before_they_are_cut_and_z_scored() -> None:
    values = np.column_stack([sine(0.03, 60, 1.0), sine(0.05, 60, 1.0)])
    found = check_series(Recording(values, t_r=1.0), READING).series
    times = np.arange(40) * 0.735
    expected = np.column_stack([np.sin(2 * np.pi * f * times + 0.7) for f in (0.03, 0.05)])
    expected = (expected - expected.mean(axis=0)) / expected.std(axis=0)
    np.testing.assert_allclose(found.T[8:], expected[8:], atol=0.05)
    kept = check_series(Recording(values, t_r=0.735), READING).series
    np.testing.assert_array_equal(kept, check_series(values, Reading(2, 40)).series)


@pytest.mark.parametrize(
    ("t_r", "message"),
    [(0.1, "too few time points: 60, 9 of them at 0.735 s, expected at least 40"), (None, "unknown repetition time")],
)
def test_a_series_that_is_too_short_afterwards_or_of_unknown_repetition_time_is_excluded(
    t_r: float | None, message: str
) -> None:
    with pytest.raises(SeriesError, match=message):
        check_series(Recording(np.random.default_rng(1).normal(size=(60, 2)), t_r=t_r), READING)


class _Scan:
    def read(self) -> Recording:
        return Recording(np.random.default_rng(1).normal(size=(60, 2)), t_r=2.0)

    def stamp(self) -> tuple[str | int | float, ...]:
        return ("scan",)


def test_the_repetition_time_is_in_the_stamp_and_must_be_that_of_the_file() -> None:
    assert TimedScan(_Scan(), 2.01).stamp() == ("scan", 2.01)
    assert read_checked(TimedScan(_Scan(), 2.01), READING).t_r == 2.01
    with pytest.raises(SeriesError, match="two repetition times: 2 s in the file, 1 s elsewhere"):
        read_checked(TimedScan(_Scan(), 1.0), READING)


def test_only_resampling_changes_the_settings_of_a_store() -> None:
    assert Reading(2, 40).settings() == [2, 40]
    assert READING.settings() == [2, 40, ("resample_to", 0.735)]
    for reading in (Reading(2, 40), READING, Reading(2, 40, rows_are_channels=True, resample_to=2.0)):
        assert Reading.of(reading.settings(), None) == reading
