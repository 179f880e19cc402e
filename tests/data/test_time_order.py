"""Series in another order of time: what stays, what is lost, and what the draws depend on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from brainage.data.time_order import CONNECTIVITY, LAGS, ORDERS, SPECTRA, VALUES, reordered

Series = NDArray[np.float32]

N_PARTICIPANTS, N_CHANNELS = 4, 3


def smooth(n_times: int, seed: int = 0) -> Series:
    """Return correlated, skewed series with memory, of shape (n_participants, n_channels, n_times), z-scored."""
    rng = np.random.default_rng(seed)
    noise = rng.exponential(size=(N_PARTICIPANTS, N_CHANNELS, n_times))
    noise[:, 1] += 0.7 * np.roll(noise[:, 0], 2, axis=-1)
    series = signal.lfilter([1], [1, -0.8], noise + noise[:, :1], axis=-1)
    series -= series.mean(axis=-1, keepdims=True)
    return (series / series.std(axis=-1, keepdims=True)).astype(np.float32)


def spectra(series: Series) -> NDArray[np.float64]:
    return np.asarray(signal.periodogram(series.astype(float), detrend=False)[1])


def lags(series: Series) -> NDArray[np.float64]:
    """Return the circular correlations of the first with the second channel at all lags."""
    first, second = series.astype(float)
    return np.array([np.mean(first * np.roll(second, -lag)) for lag in range(len(first))])


STATISTICS: dict[str, Callable[[Series], NDArray[np.float64]]] = {
    CONNECTIVITY: lambda one: np.corrcoef(one.astype(float)),
    SPECTRA: spectra,
    LAGS: lambda one: lags(one[:2]),
    VALUES: lambda one: np.sort(one, axis=1).astype(float),
}


@pytest.mark.parametrize("n_times", [64, 75])
@pytest.mark.parametrize("order", ORDERS)
def test_an_order_keeps_the_statistics_that_it_is_said_to_keep_and_no_other(order: str, n_times: int) -> None:
    series = smooth(n_times)
    before = series.copy()
    changed = reordered(series, order, seed=1)
    np.testing.assert_array_equal(series, before)
    assert changed.shape == series.shape and changed.dtype == series.dtype
    for one, other in zip(series, changed, strict=True):
        assert abs(one - other).max() > 0.5
        kept = {name for name, of in STATISTICS.items() if np.allclose(of(one), of(other), atol=1e-4)}
        assert kept == set(ORDERS[order].keeps)


@pytest.mark.parametrize("order", ORDERS)
def test_a_participant_is_changed_in_the_same_way_in_any_batch_and_unit_and_differently_for_another_seed(
    order: str,
) -> None:
    series = smooth(64)
    changed = reordered(series, order, seed=1)
    np.testing.assert_array_equal(reordered(series[2:3], order, seed=1)[0], changed[2])
    np.testing.assert_array_equal(reordered(series[::-1], order, seed=1), changed[::-1])
    in_other_units = reordered((250 * series + 10_000).astype(np.float32), order, seed=1)
    np.testing.assert_allclose((in_other_units - 10_000) / 250, changed, atol=1e-4)
    assert (reordered(series, order, seed=2) != changed).any() == (order != "reversed")


def test_participants_have_permutations_of_their_own_and_channels_share_them() -> None:
    times = np.broadcast_to(np.arange(40, dtype=np.float32), (N_PARTICIPANTS, N_CHANNELS, 40)).copy()
    times[np.arange(N_PARTICIPANTS), 0, np.arange(N_PARTICIPANTS) * 2 + 1] += 5  # who they are
    shuffled, by_channel = (reordered(times, order, seed=3)[:, 1:] for order in ("shuffled", "shuffled_by_channel"))
    assert (shuffled[:, 0] == shuffled[:, 1]).all()
    assert len(np.unique(shuffled[:, 0], axis=0)) == N_PARTICIPANTS
    assert (by_channel[:, 0] != by_channel[:, 1]).any(axis=1).all()


def test_missing_channels_stay_zero() -> None:
    series = smooth(64)
    series[:, 1] = 0
    assert all((reordered(series, order, seed=1)[:, 1] == 0).all() for order in ORDERS)
