"""Traits of series: numbers by hand and by independent formulas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import kurtosis

from brainage.data.store.layout import Store
from brainage.data.traits import traits_of

LAG, KURTOSIS = "lag-1 autocorrelation", "excess kurtosis"
CORRELATION = "mean absolute correlation of components"


def store_of(series: NDArray[np.float32]) -> Store:
    ids = tuple(f"p{row}" for row in range(len(series)))
    return Store(Path("nowhere"), ids, {}, series, np.zeros(len(series), np.uint32))


def z_scored(shape: tuple[int, int, int]) -> NDArray[np.float32]:
    series = np.random.default_rng(4).gamma(2.0, size=shape).cumsum(axis=2)
    series -= series.mean(axis=2, keepdims=True)
    return (series / series.std(axis=2, keepdims=True)).astype(np.float32)


def test_the_traits_of_an_alternating_and_a_slow_series_are_those_by_hand() -> None:
    fast, slow = [1.0, -1.0, 1.0, -1.0], [1.0, 1.0, -1.0, -1.0]
    store = store_of(np.array([[fast, slow], [fast, fast]], np.float32))
    traits = dict(traits_of(store, np.array([0, 1]), np.array([0, 1])))
    # Sums of products of neighbours are -3 and 1, of 4 points; every fourth power is 1; the components are orthogonal,
    # then equal.
    assert traits[LAG].tolist() == [(-3 + 1) / 4 / 2, -3 / 4]
    assert traits[KURTOSIS].tolist() == [-2.0, -2.0]
    assert traits[CORRELATION].tolist() == [0.0, 1.0]


def test_traits_of_more_participants_than_a_block_agree_with_scipy_and_numpy() -> None:
    series, channels = z_scored((70, 4, 50)), np.array([0, 2, 3])
    rows = np.arange(70)[::-1].copy()
    traits = dict(traits_of(store_of(series), rows, channels))
    for found, row in enumerate(rows):
        seen = series[row][channels].astype(float)
        lagged = np.mean([one[:-1] @ one[1:] / (one @ one) for one in seen])
        pairs = np.corrcoef(seen)[np.triu_indices(3, 1)]
        assert traits[LAG][found] == pytest.approx(lagged, abs=1e-5)
        assert traits[KURTOSIS][found] == pytest.approx(kurtosis(seen, axis=1).mean(), abs=1e-4)
        assert traits[CORRELATION][found] == pytest.approx(abs(pairs).mean(), abs=1e-5)


def test_a_single_component_has_no_correlation() -> None:
    traits = dict(traits_of(store_of(z_scored((3, 2, 20))), np.arange(3), np.array([1])))
    assert sorted(traits) == [KURTOSIS, LAG]


def test_a_store_is_shown_without_ids() -> None:
    assert "p0" not in repr(store_of(z_scored((3, 2, 20))))
