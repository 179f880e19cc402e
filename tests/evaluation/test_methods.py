"""Methods compared over participants and trainings."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from benchmarks import null_comparisons
from brainage.evaluation.compare_runs import compare_runs
from brainage.evaluation.methods import Method, holm, method_difference, methods_of, resampled_test
from brainage.evaluation.paired import paired_difference
from brainage.evaluation.shared import Member

_Array = NDArray[np.float64]
N = 60


def method(name: str, shifts: list[float], *, seed: int = 0, noise: float = 1.0) -> Method:
    """Return a method of which each training errs by its shift, and by noise, too much."""
    rng = np.random.default_rng(seed)
    ages = np.random.default_rng(9).uniform(45, 80, N)
    predicted = np.stack([ages + 5 + shift + noise * rng.normal(size=N) for shift in shifts])
    runs = [f"{name}{number}" for number in range(len(shifts))]
    return Method(name, runs, ages, predicted, [None] * len(shifts), None, varies=True)


def test_the_interval_of_several_trainings_contains_their_variation_as_by_the_formula() -> None:
    shifts = [-0.6, 0.1, 0.2, 0.7]
    a, b = method("a", shifts, noise=0), method("b", [0.0, 0.0, 0.0, 0.0], noise=0)
    found = method_difference(a, b, n_resamples=20_000, seed=1)
    assert found.mae.value == pytest.approx(0.1)
    # Errors are the same for all participants: what is left is the variance of a mean of four, s² / 4.
    drawn = [np.mean(each) for each in itertools.product(shifts, repeat=3)]
    assert np.var(drawn) == pytest.approx(np.var(shifts, ddof=1) / 4)
    assert (found.mae.low, found.mae.high) == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.05)


def test_one_training_each_is_the_paired_bootstrap_over_participants() -> None:
    a, b = method("a", [0.0]), method("b", [0.1], seed=1)
    expected = paired_difference(a.ages, a.predicted[0], b.predicted[0], n_resamples=150, seed=3)
    assert method_difference(a, b, n_resamples=150, seed=3) == expected


def test_a_lucky_seed_is_no_better_method() -> None:
    lucky, other = method("a", [-0.3, 0.2]), method("b", [0.2, -0.3], seed=1)
    one, another = (replace(each, predicted=each.predicted[:1], repeats=[None]) for each in (lucky, other))
    alone = method_difference(one, another, n_resamples=1000, seed=0)
    together = method_difference(lucky, other, n_resamples=1000, seed=0)
    assert alone.p is not None and together.p is not None
    assert alone.p < 0.05 < together.p


def test_trainings_on_the_same_draws_are_drawn_together() -> None:
    shifts = [-2.0, 0.0, 2.0]
    a, b = method("a", shifts, noise=0), method("b", [shift + 0.5 for shift in shifts], noise=0)
    a, b = replace(a, repeats=[0, 1, 2]), replace(b, repeats=[0, 1, 2])
    found = method_difference(a, b, n_resamples=300, seed=0)
    assert (found.mae.low, found.mae.high) == pytest.approx((-0.5, -0.5))
    apart = method_difference(a, replace(b, repeats=[3, 4, 5]), n_resamples=300, seed=0)
    assert apart.mae.low is not None and apart.mae.low < -2


def test_the_corrected_test_over_folds_and_repeats_is_that_of_its_formula() -> None:
    folds = [np.repeat([0, 1, 2], 20).astype(object), np.tile([0, 1, 2], 20).astype(object)]
    a = replace(method("a", [0.0, 0.0]), repeats=[0, 1], folds=folds)
    b = replace(method("b", [0.3, 0.3], seed=1), repeats=[0, 1], folds=folds)
    found = resampled_test(a, b)
    difference = np.abs(a.predicted - a.ages) - np.abs(b.predicted - b.ages)
    values = [difference[repeat][folds[repeat] == fold].mean() for repeat in (0, 1) for fold in (0, 1, 2)]
    assert found is not None and found.df == 5
    assert found.t == pytest.approx(np.mean(values) / np.sqrt((1 / 6 + 1 / 2) * np.var(values, ddof=1)))
    assert resampled_test(a, replace(b, folds=folds[::-1])) is None
    assert resampled_test(a, replace(b, folds=None)) is None


@pytest.mark.parametrize(
    ("given", "adjusted"),
    [
        # By hand: 3 * .01, 2 * .02, and .03 raised to the one before it.
        ([0.03, 0.01, 0.02], [0.04, 0.03, 0.04]),
        ([0.6, None, 0.5], [1.0, None, 1.0]),
        ([], []),
    ],
)
def test_holm(given: list[float | None], adjusted: list[float | None]) -> None:
    assert holm(given) == pytest.approx(adjusted)


def members(*, methods: dict[str, str]) -> list[Member]:
    ages = np.linspace(45, 80, 12)
    ids = [f"p{number}" for number in range(12)]
    rng = np.random.default_rng(0)
    return [
        Member(
            name,
            pd.DataFrame(
                {"participant_id": ids, "split": "test", "age": ages, "predicted_age": ages + rng.normal(size=12)}
            ),
            method=own,
        )
        for name, own in methods.items()
    ]


def test_a_comparison_has_one_row_a_pair_of_methods() -> None:
    found = compare_runs(members(methods={"1": "x", "2": "x", "3": "y", "4": ""}), n_resamples=100, seed=0)
    assert [(method.name, method.runs, method.is_single) for method in found.methods] == [
        ("x", ["1", "2"], False),
        ("y", ["3"], True),
        ("4", ["4"], True),
    ]
    assert list(zip(found.differences["first"], found.differences["second"], strict=True)) == [
        ("x", "y"),
        ("x", "4"),
        ("y", "4"),
    ]
    mae = found.metrics.set_index("run")["mae"]
    row = found.differences.iloc[0]
    assert row["mae_difference"] == pytest.approx((mae["1"] + mae["2"]) / 2 - mae["3"])
    assert row["p"] <= row["p_holm"] <= 1
    assert list(found.metrics["run"]) == ["1", "2", "3", "4"]


def test_a_stack_is_compared_with_its_best_run_within_a_method() -> None:
    rows = [
        replace(one, predictions=_with_validation(one.predictions)) for one in members(methods={"1": "x", "2": "x"})
    ]
    found = compare_runs(rows, n_resamples=100, seed=0, ensemble="stack")
    assert found.stack is not None
    assert (found.differences[["first", "second"]] == [found.stack.best, "stack of all"]).all(axis=1).any()


def _with_validation(test: pd.DataFrame) -> pd.DataFrame:
    validation = pd.concat([test] * 3, ignore_index=True).assign(split="val")
    return pd.concat([test, validation.assign(participant_id=[f"v{number}" for number in range(36)])])


def test_members_of_a_method_keep_their_order() -> None:
    tested = pd.DataFrame({"participant_id": ["p0"], "age": [50.0], "1": [51.0], "2": [48.0]})
    rows = pd.DataFrame({"participant_id": ["p0"], "split": "test", "age": 50.0, "predicted_age": 0.0})
    (found,) = methods_of([Member("1", rows, method="x"), Member("2", rows, method="x")], tested)
    assert found.errors.ravel().tolist() == [1.0, 2.0]
    assert found.row() == {"method": "x", "trainings": 2, "mae_mean": 1.5, "mae_sd": pytest.approx(0.5**0.5)}


def test_equal_methods_are_said_to_differ_in_few_of_the_committed_comparisons() -> None:
    table = pd.read_csv(null_comparisons.RESULTS)
    assert len(table) == null_comparisons.N_COMPARISONS == 200
    found = {name: int((table[name] < 0.05).sum()) for name in null_comparisons.P_VALUES}
    assert found["p_four_trainings"] <= 16 < found["p_one_training"]
    assert found["p_folds_corrected"] < found["p_folds_plain"]


@pytest.mark.slow
def test_the_committed_comparisons_are_measured_again() -> None:
    again = pd.DataFrame(null_comparisons.comparisons(0, 5))
    pd.testing.assert_frame_equal(again, pd.read_csv(null_comparisons.RESULTS).head(5), rtol=1e-3, atol=2e-3)
