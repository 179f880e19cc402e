import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import mean_absolute_error

from brainage.errors import EvaluationError
from brainage.evaluation import intervals
from brainage.evaluation.compare_runs import compare_runs
from brainage.evaluation.intervals import Estimate
from brainage.evaluation.paired import paired_difference
from brainage.evaluation.shared import Member

_Array = NDArray[np.float64]


def participants(n: int = 37, seed: int = 0) -> tuple[_Array, _Array, _Array]:
    """Return ages, good predictions and worse ones."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(45, 80, n)
    return age, age + rng.normal(0, 4, n), age + rng.normal(0, 5, n)


def looped(age: _Array, first: _Array, second: _Array, n_resamples: int, seed: int) -> _Array:
    resamples = np.random.default_rng(seed).integers(len(age), size=(n_resamples, len(age)))
    return np.array(
        [mean_absolute_error(age[who], first[who]) - mean_absolute_error(age[who], second[who]) for who in resamples]
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_paired_difference_agrees_with_a_plain_loop_over_the_same_resamples(seed: int) -> None:
    age, first, second = participants(seed=seed)
    drawn = looped(age, first, second, 160, 11)
    found = paired_difference(age, first, second, n_resamples=160, seed=11)
    assert found.n == 37
    assert found.mae.value == pytest.approx(
        mean_absolute_error(age, first) - mean_absolute_error(age, second), abs=1e-10
    )
    assert (found.mae.low, found.mae.high) == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=1e-10)
    # Twice the smaller tail; the sample itself counts as one resample of either.
    tail = min(sum(drawn <= 0), sum(drawn >= 0))
    assert 0 < tail < 80
    assert found.p == pytest.approx(2 * (tail + 1) / 161, abs=1e-12)


def test_a_difference_is_negative_where_the_first_errs_less_as_by_hand() -> None:
    # Errors 1, 2, 3 and 2, 4, 9: 2 - 5.
    found = paired_difference([50, 60, 70], [51, 58, 73], [52, 56, 79], n_resamples=100, seed=0)
    assert found.mae == Estimate(-3)
    assert found.p is None


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(10, 40))
def test_exchanging_the_two_turns_the_sign_and_keeps_p(seed: int, n: int) -> None:
    age, first, second = participants(n, seed)
    there = paired_difference(age, first, second, n_resamples=110, seed=3)
    back = paired_difference(age, second, first, n_resamples=110, seed=3)
    assert there.p == back.p
    assert there.mae.value is not None and there.mae.low is not None and there.mae.high is not None
    mirrored = (-there.mae.value, -there.mae.high, -there.mae.low)
    assert (back.mae.value, back.mae.low, back.mae.high) == pytest.approx(mirrored, abs=1e-12)


def test_identical_predictions_do_not_differ() -> None:
    age, first, _ = participants()
    found = paired_difference(age, first, first.copy(), n_resamples=100, seed=0)
    assert found.mae == Estimate(0, 0, 0)
    assert found.p == 1


def test_p_is_never_zero() -> None:
    age, first, _ = participants()
    found = paired_difference(age, first, first + 100, n_resamples=199, seed=0)
    assert found.p == pytest.approx(2 / 200, abs=1e-12)
    assert found.mae.high is not None and found.mae.high < -80


@pytest.mark.parametrize("together", [1, 10_000])
def test_intervals_do_not_depend_on_the_chunk_size(monkeypatch: pytest.MonkeyPatch, together: int) -> None:
    usual = paired_difference(*participants(), n_resamples=130, seed=2)
    monkeypatch.setattr(intervals, "_CHUNK", together)
    found = paired_difference(*participants(), n_resamples=130, seed=2)
    assert found.p == usual.p
    assert (found.mae.low, found.mae.high) == pytest.approx((usual.mae.low, usual.mae.high), abs=1e-12)


@pytest.mark.parametrize(("n", "known"), [(9, False), (10, True)])
def test_fewer_than_ten_participants_have_neither_interval_nor_p(n: int, known: bool) -> None:
    found = paired_difference(*participants(n), n_resamples=100, seed=0)
    assert (found.mae.low is not None, found.mae.high is not None, found.p is not None) == (known, known, known)
    assert found.mae.value is not None


def test_no_shared_participants_give_no_difference() -> None:
    found = paired_difference([], [], [], n_resamples=100, seed=0)
    assert (found.n, found.mae, found.p) == (0, Estimate(None), None)


def test_folds_are_refused_with_the_reason() -> None:
    ids = [f"p{number}" for number in range(40)]
    table = pd.DataFrame(
        {"participant_id": ids, "split": "test", "age": np.linspace(45, 80, 40), "predicted_age": 60.0}
    )
    folds = [Member("0", table.iloc[:20]), Member("1", table.iloc[20:])]
    with pytest.raises(EvaluationError, match="all share 0 of the 20 .*compare all folds of each model"):
        compare_runs(folds, n_resamples=100, seed=0)
