import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from brainage.evaluation import intervals
from brainage.evaluation.intervals import (
    Estimate,
    bca_interval,
    bootstrap,
    correlation_estimate,
    correlation_p,
    percentile_interval,
    resampled_counts,
)

_Array = NDArray[np.float64]

# The normal distribution's 97.5 % point, from tables.
Z = 1.959963984540054


def mean_of(values: _Array) -> Callable[[_Array], dict[str, _Array]]:
    return lambda counts: {"mean": counts @ values / counts.sum(axis=1)}


@pytest.mark.parametrize("n", [2, 13, 20])
@pytest.mark.parametrize("n_resamples", [1, 49, 50, 137])
@pytest.mark.parametrize("seed", [0, 43])
def test_resamples_are_those_that_one_draw_of_the_generator_gives(n: int, n_resamples: int, seed: int) -> None:
    counts = np.concatenate(list(resampled_counts(n, n_resamples, seed)))
    drawn = np.random.default_rng(seed).integers(n, size=(n_resamples, n))
    assert counts.shape == (n_resamples, n)
    for row, who in zip(counts, drawn, strict=True):
        assert row.tolist() == [who.tolist().count(person) for person in range(n)]


@pytest.mark.parametrize("together", [1, 7, 1000])
def test_intervals_do_not_depend_on_the_chunk_size(monkeypatch: pytest.MonkeyPatch, together: int) -> None:
    values = np.random.default_rng(3).normal(60, 9, 17)
    usual_counts = np.concatenate(list(resampled_counts(17, 130, 5)))
    usual = bootstrap(mean_of(values), 17, n_resamples=130, seed=5)["mean"]
    monkeypatch.setattr(intervals, "_CHUNK", together)
    assert np.array_equal(np.concatenate(list(resampled_counts(17, 130, 5))), usual_counts)
    found = bootstrap(mean_of(values), 17, n_resamples=130, seed=5)["mean"]
    assert (found.value, found.low, found.high) == pytest.approx((usual.value, usual.low, usual.high), abs=1e-12)


def test_a_bootstrap_interval_agrees_with_a_plain_loop() -> None:
    values = np.random.default_rng(1).gamma(2, size=31)
    drawn = [values[who].mean() for who in np.random.default_rng(9).integers(31, size=(211, 31))]
    found = bootstrap(mean_of(values), 31, n_resamples=211, seed=9)["mean"]
    assert found.value == pytest.approx(values.mean(), abs=1e-12)
    assert found.low == pytest.approx(np.quantile(drawn, 0.025), abs=1e-12)
    assert found.high == pytest.approx(np.quantile(drawn, 0.975), abs=1e-12)


@pytest.mark.parametrize(("n", "n_resamples"), [(1, 200), (9, 200), (10, 0)], ids=["one", "nine", "no-resamples"])
def test_too_few_participants_or_no_resamples_give_the_number_without_an_interval(n: int, n_resamples: int) -> None:
    found = bootstrap(mean_of(np.arange(n, dtype=float)), n, n_resamples=n_resamples, seed=0)
    assert found == {"mean": Estimate((n - 1) / 2)}


def test_ten_participants_are_enough_for_an_interval() -> None:
    found = bootstrap(mean_of(np.arange(10.0)), 10, n_resamples=200, seed=0)["mean"]
    assert found.low is not None and found.high is not None and found.low < 4.5 < found.high


def test_no_participants_give_no_estimates() -> None:
    assert bootstrap(mean_of(np.empty(0)), 0, n_resamples=200, seed=0) == {}


def test_a_statistic_that_is_not_finite_is_none() -> None:
    found = bootstrap(lambda counts: {"x": np.full(len(counts), math.nan)}, 30, n_resamples=100, seed=0)
    assert found == {"x": Estimate(None)}


def test_a_percentile_interval_contains_the_middle_of_the_values() -> None:
    # Of 0, 1, ..., 1000 the percentile q is 10 q.
    shuffled = np.random.default_rng(0).permutation(1001).astype(float)
    assert percentile_interval(shuffled) == pytest.approx((25, 975), abs=1e-12)


@pytest.mark.parametrize(("n_undefined", "known"), [(10, True), (11, False), (100, False)])
def test_an_interval_needs_nine_of_ten_resamples(n_undefined: int, known: bool) -> None:
    drawn = np.arange(100.0)
    drawn[:n_undefined] = math.nan
    low, high = percentile_interval(drawn)
    assert (low is not None, high is not None) == (known, known)
    if known:
        # Of 10, ..., 99: the positions 0.025 * 89 and 0.975 * 89 from the first.
        assert (low, high) == pytest.approx((12.225, 96.775), abs=1e-12)


@pytest.mark.parametrize("r", [-0.95, -0.3, 0.0, 0.12, 0.8])
@pytest.mark.parametrize("n", [4, 28, 5000])
def test_a_correlations_interval_agrees_with_fishers_formula(r: float, n: int) -> None:
    z, half = 0.5 * math.log((1 + r) / (1 - r)), Z / math.sqrt(n - 3)
    ends = [(math.exp(2 * end) - 1) / (math.exp(2 * end) + 1) for end in (z - half, z + half)]
    found = correlation_estimate(r, n)
    assert (found.value, found.low, found.high) == pytest.approx((r, *ends), abs=1e-12)


def test_a_correlation_agrees_with_scipy() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=40)
    b = a + rng.normal(size=40)
    reference = stats.pearsonr(a, b)
    ends = reference.confidence_interval(0.95)
    found = correlation_estimate(float(np.corrcoef(a, b)[0, 1]), 40)
    assert (found.value, found.low, found.high) == pytest.approx((reference.statistic, *ends), abs=1e-12)
    assert correlation_p(float(np.corrcoef(a, b)[0, 1]), 40) == pytest.approx(reference.pvalue, abs=1e-12)


@pytest.mark.parametrize(
    ("r", "n", "expected"),
    [(1.0, 30, Estimate(1.0)), (-1.0, 30, Estimate(-1.0)), (0.5, 3, Estimate(0.5)), (math.nan, 30, Estimate(None))],
    ids=["one", "minus-one", "three-people", "nan"],
)
def test_a_correlation_has_no_interval_where_fishers_z_has_none(r: float, n: int, expected: Estimate) -> None:
    assert correlation_estimate(r, n) == expected


@pytest.mark.parametrize(
    ("r", "n", "p"),
    [
        # One degree of freedom is Cauchy's distribution: t = 1 / sqrt(3), and p = 1 - 2 / pi * atan(t).
        (0.5, 3, 2 / 3),
        (-0.5, 3, 2 / 3),
        # Two degrees of freedom: t = 1, and p = 1 - t / sqrt(2 + t^2).
        (1 / math.sqrt(3), 4, 1 - 1 / math.sqrt(3)),
        (0.0, 30, 1.0),
        (1.0, 30, 0.0),
        (-1.0, 30, 0.0),
        (0.5, 2, None),
        (math.nan, 30, None),
    ],
)
def test_p_agrees_with_numbers_by_hand(r: float, n: int, p: float | None) -> None:
    found = correlation_p(r, n)
    assert found == (None if p is None else pytest.approx(p, abs=1e-12))


@settings(deadline=None)
@given(st.floats(-0.999, 0.999), st.integers(4, 10_000))
def test_an_interval_contains_its_correlation_mirrors_with_it_and_shrinks_with_n(r: float, n: int) -> None:
    found, mirrored, wider = (
        correlation_estimate(r, n + 50),
        correlation_estimate(-r, n + 50),
        correlation_estimate(r, n),
    )
    assert found.low is not None and found.high is not None
    assert mirrored.low is not None and mirrored.high is not None
    assert wider.low is not None and wider.high is not None
    assert -1 <= wider.low <= found.low <= r <= found.high <= wider.high <= 1
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low), abs=1e-12)


@settings(deadline=None)
@given(st.floats(0.01, 0.99), st.integers(5, 500))
def test_an_interval_excludes_zero_about_where_p_is_small(r: float, n: int) -> None:
    # Two tests of the same: they may differ near the border only.
    p, found = correlation_p(r, n), correlation_estimate(r, n)
    assert p is not None and found.low is not None
    if p < 0.005 and n > 10:
        assert found.low > 0
    if p > 0.1:
        assert found.low < 0


@pytest.mark.more
def test_bca_misses_the_rmse_of_skewed_errors_on_both_sides_more_equally() -> None:
    rng, n, true = np.random.default_rng(0), 60, math.exp(0.36)
    missed = np.zeros((2, 2))
    for number in range(200):
        squares = rng.lognormal(sigma=1.2, size=n)  # squared errors with a mean of exp(0.72)

        def rmse(counts: _Array, squares: _Array = squares) -> dict[str, _Array]:
            return {"rmse": np.sqrt(counts @ squares / counts.sum(axis=1))}

        for place, skewed in enumerate([(), ("rmse",)]):
            found = bootstrap(rmse, n, n_resamples=500, seed=number, skewed=skewed)["rmse"]
            assert found.low is not None and found.high is not None
            missed[place] += (true < found.low, true > found.high)
    percentiles, bca = missed
    assert bca[1] < percentiles[1] and bca[1] - bca[0] < percentiles[1] - percentiles[0]


def test_bca_of_thousands_of_participants_leaves_out_groups() -> None:
    squares = np.random.default_rng(0).lognormal(size=2000)

    def mean(counts: _Array) -> dict[str, _Array]:
        return {"mean": counts @ squares / counts.sum(axis=1)}

    found = bootstrap(mean, 2000, n_resamples=400, seed=1, skewed=["mean"])["mean"]
    drawn = np.concatenate([mean(counts)["mean"] for counts in resampled_counts(2000, 400, 1)])
    each = (squares.sum() - squares) / 1999
    assert found.low is not None and found.high is not None
    assert (found.low, found.high) == pytest.approx(bca_interval(drawn, squares.mean(), each), abs=0.01)
    assert found.low > np.percentile(drawn, 2.5) + 0.001
