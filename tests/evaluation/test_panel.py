"""Errors of a panel's models, and the choice of the best by validation error."""

from __future__ import annotations

import pandas as pd
import pytest

from brainage.evaluation.panel import on_front, panel_errors


def predicted(test_gap: float, val_gap: float, n: int = 12) -> pd.DataFrame:
    """Return predictions of `n` validation and `n` test participants, all with the same error in a part."""
    index = [f"v{number}" for number in range(n)] + [f"t{number}" for number in range(n)]
    parts = ["val"] * n + ["test"] * n
    age = [60.0] * (2 * n)
    return pd.DataFrame(
        {"split": parts, "age": age, "predicted_age": [60 + val_gap] * n + [60 - test_gap] * n}, index=index
    )


def test_the_order_of_models_comes_from_validation_error_and_never_from_test_error() -> None:
    found = panel_errors(
        {
            "good on test": {0: predicted(1.0, 5.0), 1: predicted(1.5, 5.0)},
            "good on val": {0: predicted(4.0, 2.0), 1: predicted(5.0, 2.0)},
        },
        n_train=96,
    )
    assert found.order == ["good on val", "good on test"]
    assert found.of("good on val", "test") == [4.0, 5.0]
    assert found.test("good on val", "not trained yet") is None
    minus = found.test("good on test", "good on val")
    # Differences -3 and -3.5: by hand, mean -3.25, variance 0.125, (1/2 + 12/96) * 0.125 = 0.078125; t = -11.627553.
    assert minus is not None and minus.t == pytest.approx(-11.627553, abs=1e-6)
    assert minus.terms == "n_test/n_train = 0.125, df = 1"


def test_models_are_compared_on_the_participants_that_all_of_them_have() -> None:
    fewer = predicted(1.0, 1.0, 22).drop([f"t{number}" for number in range(10)])
    other = predicted(2.0, 2.0, 22)
    other.loc["t0", "predicted_age"] = 100.0
    found = panel_errors({"fewer": {3: fewer}, "other": {3: other, 4: other}}, n_train=10)
    assert found.errors["split_seed"].tolist() == [3, 3] and found.errors["n_test"].tolist() == [12, 12]
    assert found.of("other", "test") == [2.0] and found.test("other") is not None


def test_errors_are_not_shown_where_those_of_a_run_would_tell_one_participants_error() -> None:
    found = panel_errors({"fewer": {3: predicted(1.0, 1.0).drop("t0")}, "other": {3: predicted(2.0, 2.0)}}, n_train=96)
    assert found.test("other") is None and found.mean("other", "val") == 2.0
    assert found.shown()["test_mae"].isna().all() and found.shown()["val_mae"].notna().all()


def test_errors_of_fewer_than_ten_participants_are_not_shown() -> None:
    found = panel_errors({"a": {0: predicted(1.0, 1.0, 9)}, "b": {0: predicted(2.0, 2.0, 9)}}, n_train=80)
    assert found.test("a") is None and found.test("a", "b") is None and found.mean("a", "val") is None
    assert found.shown()[["val_mae", "test_mae"]].isna().all(axis=None)


def test_the_front_has_the_models_that_no_smaller_one_is_as_good_as() -> None:
    points = {
        "large": (1000, 3.0),
        "mean": (1, 6.0),
        "same error": (2000, 3.0),
        "worse": (10, 7.0),
        "ridge": (211, 3.5),
    }
    assert on_front(points) == ["mean", "ridge", "large"]
