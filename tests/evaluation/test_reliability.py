"""Agreement of two scans, against pingouin and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from brainage.evaluation.reliability import measure_reliability


# ICC(A,1) and ICC(C,1) of pingouin 0.7.0, `intraclass_corr`, with its intervals, which it rounds to two decimals.
@pytest.mark.parametrize(
    ("drawn", "agreement", "consistency"),
    [
        ((7, 40, 2.3, 3.0), (0.7987713846331712, 0.59, 0.9), (0.8316376564977488, 0.7, 0.91)),
        ((8, 11, -1.0, 1.0), (0.9658334356227817, 0.6, 0.99), (0.9841156571884832, 0.94, 1.0)),
        ((9, 200, 0.0, 12.0), (0.28497468597603365, 0.15, 0.41), (0.28395458379797206, 0.15, 0.41)),
    ],
)
def test_correlations_and_intervals_are_those_of_pingouin(
    drawn: tuple[int, int, float, float], agreement: tuple[float, ...], consistency: tuple[float, ...]
) -> None:
    seed, n, shift, noise = drawn
    rng = np.random.default_rng(seed)
    true = rng.normal(62, 7, n)
    first, second = true + rng.normal(0, noise, n), true + shift + rng.normal(0, noise, n)
    found = measure_reliability("bag", first, second)
    for mine, (value, low, high) in ((found.agreement, agreement), (found.consistency, consistency)):
        assert mine.value == pytest.approx(value, abs=1e-10)
        assert (mine.low, mine.high) == pytest.approx((low, high), abs=0.005000001)


def test_the_standard_error_of_measurement_is_the_root_of_the_residual_mean_square() -> None:
    # Differences 1, 3, 2, 2 vary by 2/3 around their mean: half of it is the residual mean square of two scans.
    found = measure_reliability("predicted_age", [60.0, 50.0, 70.0, 55.0], [61.0, 53.0, 72.0, 57.0])
    assert found.error.value == pytest.approx((1 / 3) ** 0.5)
    # With 3 degrees of freedom, the 2.5 and 97.5 percentiles of chi squared are 0.2158 and 9.3484.
    assert (found.error.low, found.error.high) == pytest.approx(((1 / 9.3484) ** 0.5, (1 / 0.2158) ** 0.5), abs=1e-4)
    assert found.n == 4


def test_a_shift_lowers_agreement_and_not_consistency_and_equal_scans_agree() -> None:
    values = np.random.default_rng(1).normal(60, 5, 30)
    shifted = measure_reliability("bag", values, values + 3)
    assert shifted.consistency.value == pytest.approx(1) and shifted.agreement.value == pytest.approx(
        measure_reliability("bag", values, values + 3 + np.random.default_rng(2).normal(0, 1e-9, 30)).agreement.value
    )
    assert shifted.agreement.value is not None and shifted.agreement.value < 0.9
    same = measure_reliability("bag", values, values)
    assert (same.agreement.value, same.consistency.value, same.error.value) == (1.0, 1.0, 0.0)
    constant = measure_reliability("bag", [1.0] * 12, [1.0] * 12)
    assert (constant.agreement.value, constant.consistency.value, constant.error.value) == (None, None, 0.0)
