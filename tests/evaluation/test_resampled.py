"""The corrected resampled t-test."""

from __future__ import annotations

import pytest

from brainage.evaluation.resampled import corrected_resampled_t_test


def test_the_corrected_test_is_that_of_nadeau_and_bengio() -> None:
    found = corrected_resampled_t_test([-0.3, -0.1, -0.2, -0.4, 0.0], n_train=80, n_test=20)
    # By hand: mean -0.2, variance 0.025; (1/5 + 20/80) * 0.025 = 0.01125, whose root is 0.106066; t = -0.2 / 0.106066.
    assert found.t == pytest.approx(-1.885618, abs=1e-6)
    # From a table of Student's t with 4 degrees of freedom: the 97.5 percentile is 2.776445.
    assert found.df == 4
    assert found.mean.value == pytest.approx(-0.2)
    assert found.mean.low == pytest.approx(-0.2 - 2.776445 * 0.1060660, abs=1e-6)
    assert found.mean.high == pytest.approx(-0.2 + 2.776445 * 0.1060660, abs=1e-6)
    # With 4 degrees of freedom, in closed form: p = 1 - s(3 - s²)/2, where s = t / sqrt(4 + t²).
    s = 1.885618 / (4 + 1.885618**2) ** 0.5
    assert found.p == pytest.approx(1 - s * (3 - s * s) / 2, abs=1e-6)
    assert found.terms == "n_test/n_train = 0.250, df = 4"


def test_without_the_correction_the_same_differences_would_be_significant() -> None:
    differences = [-0.3, -0.1, -0.2, -0.4, 0.0]
    plain = corrected_resampled_t_test(differences, n_train=1e12, n_test=20)
    corrected = corrected_resampled_t_test(differences, n_train=80, n_test=20)
    assert plain.t == pytest.approx(-2.828427, abs=1e-6)  # -0.2 / sqrt(0.025 / 5)
    assert plain.p is not None and corrected.p is not None and plain.p < 0.05 < corrected.p


@pytest.mark.parametrize("differences", [[-0.25], [-0.25, -0.25]], ids=["one split", "no variance"])
def test_without_variance_there_is_a_mean_and_no_test(differences: list[float]) -> None:
    found = corrected_resampled_t_test(differences, n_train=80, n_test=10)
    assert (found.mean.value, found.mean.low, found.mean.high, found.t, found.p) == (-0.25, None, None, None, None)
    assert found.df == len(differences) - 1
