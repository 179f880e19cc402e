"""Stacking: weights by an independent formula, what they are fitted on, and runs that cannot be stacked."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize, nnls

from brainage.errors import EvaluationError
from brainage.evaluation.compare_runs import MEAN, STACK, Comparison, compare_runs
from brainage.evaluation.shared import Member
from brainage.evaluation.stack import joined, stack_weights

_Array = NDArray[np.float64]

# SDs of the errors of simulated runs, in years: two good ones, and a bad one.
_SDS = (4.5, 4.7, 7.0)


def simulated(n: int, rng: np.random.Generator, sds: tuple[float, ...] = _SDS) -> tuple[_Array, _Array]:
    """Return ages, and predictions of runs that shrink to the mean age and whose errors correlate with 0.7."""
    age = rng.normal(63, 7.6, n)
    errors = 0.7**0.5 * rng.standard_normal((n, 1)) + 0.3**0.5 * rng.standard_normal((n, len(sds)))
    return age, 63 + 0.7 * (age[:, None] - 63 + errors * np.array(sds))


def members(seed: int = 0, n_val: int = 60, n_runs: int = 3) -> list[Member]:
    """Return runs that share 40 training, `n_val` validation and 50 test participants."""
    parts = ["train"] * 40 + ["val"] * n_val + ["test"] * 50
    age, predicted = simulated(len(parts), np.random.default_rng(seed), (*_SDS, *_SDS)[:n_runs])
    ids = [f"p{number:03}" for number in range(len(parts))]
    table = pd.DataFrame({"participant_id": ids, "split": parts, "age": age})
    return [Member(f"{n}: run", table.assign(predicted_age=column)) for n, column in enumerate(predicted.T, 1)]


def stacked(runs: list[Member]) -> Comparison:
    return compare_runs(runs, n_resamples=100, seed=0, ensemble="stack")


@pytest.mark.parametrize(("n", "n_runs"), [(20, 2), (45, 3), (500, 3)])
def test_weights_are_those_of_a_general_optimiser(n: int, n_runs: int) -> None:
    age, predicted = simulated(n, np.random.default_rng(n), _SDS[-n_runs:])
    pull = 0.5 * n_runs * ((predicted - age[:, None]) ** 2).mean()
    found = minimize(
        lambda w: ((age - predicted @ w) ** 2).sum() + pull * ((w - 1 / n_runs) ** 2).sum(),
        np.full(n_runs, 1 / n_runs),
        bounds=[(0, None)] * n_runs,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-12},
    )
    weights = stack_weights(age, predicted)
    assert weights == pytest.approx(found.x, abs=1e-4)
    assert weights.min() >= 0 and weights.sum() == pytest.approx(1, abs=1e-12)


def test_runs_that_predict_the_same_have_the_same_weight_and_a_useless_one_none() -> None:
    age, predicted = simulated(400, np.random.default_rng(1))
    twice = np.column_stack([predicted[:, 0], predicted[:, 0], 2 * age.mean() - age])
    assert stack_weights(age, twice) == pytest.approx([0.5, 0.5, 0], abs=1e-9)
    assert stack_weights(age, np.column_stack([age, age])) == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("n", [30, 100, 400])
def test_on_simulated_runs_the_stack_beats_the_best_run_the_mean_and_free_weights_of_few(n: int) -> None:
    rng = np.random.default_rng(n)
    errors = []
    for _ in range(60):
        (age, predicted), (new_age, new) = simulated(n, rng), simulated(2000, rng)
        best = np.abs(predicted - age[:, None]).mean(axis=0).argmin()
        free, _ = nnls(predicted - predicted.mean(axis=0), age - age.mean())
        guesses = [
            new @ stack_weights(age, predicted),
            new[:, best],
            new.mean(axis=1),
            age.mean() + (new - predicted.mean(axis=0)) @ free,
        ]
        errors.append([np.abs(guess - new_age).mean() for guess in guesses])
    stack, single, mean, unconstrained = np.mean(errors, axis=0)
    assert stack < single - 0.02 and stack < mean - 0.02
    # Free weights with an intercept can undo the shrinkage, for which 30 participants are too few.
    assert n > 30 or stack < unconstrained - 0.02


def test_equal_weights_give_the_mean_and_its_sd_and_one_run_alone_has_none() -> None:
    values = np.random.default_rng(0).normal(60, 5, (7, 3))
    for plain, weighted in zip(joined(values), joined(values, [1 / 3] * 3), strict=True):
        assert weighted == pytest.approx(plain)
    mean, sd = joined(values, [0, 1, 0])
    assert mean == pytest.approx(values[:, 1]) and not sd.any()
    # By hand: mean 62; squares 4 and 1 with weights 1/3 and 2/3 are 2, by 1 - 5/9.
    mean, sd = joined(np.array([[60.0, 63.0]]), [1 / 3, 2 / 3])
    assert mean == pytest.approx([62]) and sd == pytest.approx([4.5**0.5])


def test_the_stack_is_one_more_row_with_weights_of_validation_participants_alone() -> None:
    runs = members()
    found = stacked(runs)
    val = [run.predictions[run.predictions["split"] == "val"].reset_index(drop=True) for run in runs]
    expected = stack_weights(val[0]["age"], np.column_stack([each["predicted_age"] for each in val]))
    assert found.stack is not None and found.ensemble is not None
    assert list(found.stack.weights.values()) == pytest.approx(expected)
    assert found.stack.best == min(
        found.runs, key=lambda name: val[found.runs.index(name)].eval("predicted_age - age").abs().mean()
    )
    assert found.names == ["1: run", "2: run", "3: run", MEAN, STACK]
    assert found.ensemble["split"].value_counts().to_dict() == {"val": 60, "test": 50}
    tested = found.ensemble[found.ensemble["split"] == "test"]
    row = found.metrics.set_index("run").loc[STACK]
    assert row["mae"] == pytest.approx(tested["bag"].abs().mean())
    assert found.metrics["weight"].sum() == pytest.approx(1)
    # Other test participants and training errors change neither weights nor the choice of the best run.
    rng = np.random.default_rng(9)
    noise = rng.normal(0, 9, (3, 150)) * (runs[0].predictions["split"] != "val").to_numpy()
    others = [
        Member(run.name, run.predictions.assign(predicted_age=run.predictions["predicted_age"] + added))
        for run, added in zip(runs, noise, strict=True)
    ]
    again = stacked(others).stack
    assert again is not None and again.weights == found.stack.weights and again.best == found.stack.best


def folds(seed: int = 0, n: int = 90, n_folds: int = 3, n_val: int = 10) -> list[Member]:
    """Return two models, and a bad one, with the out-of-fold predictions of `n` participants."""
    age, predicted = simulated(n, np.random.default_rng(seed))
    table = pd.DataFrame({"participant_id": [f"p{number:03}" for number in range(n)], "split": "test", "age": age})
    table["fold"] = (np.arange(n) % n_folds).astype(str)
    val = table.head(n_val)
    return [
        Member(f"{k}: model", table.assign(predicted_age=one), val.assign(predicted_age=val["age"] + 5 - k))
        for k, one in enumerate(predicted.T, 1)
    ]


def test_of_folds_each_is_predicted_by_weights_that_are_fitted_on_the_others() -> None:
    models = folds()
    found = stacked(models)
    assert found.stack is not None and found.ensemble is not None
    age = models[0].predictions["age"].to_numpy()
    fold = models[0].predictions["fold"].to_numpy()
    predicted = np.stack([model.predictions["predicted_age"] for model in models], axis=1)
    expected = np.empty(90)
    for one in "012":
        expected[fold == one] = predicted[fold == one] @ stack_weights(age[fold != one], predicted[fold != one])
    assert found.ensemble["predicted_age"].to_numpy() == pytest.approx(expected)
    assert found.metrics.set_index("run").loc[STACK, "mae"] == pytest.approx(np.abs(expected - age).mean())
    assert list(found.stack.weights.values()) == pytest.approx(stack_weights(age, predicted))
    # Not by the error on test participants, by which the first is the best.
    assert found.stack.best == "3: model"
    assert found.stack.whom == "90 out-of-fold participants"
    assert list(found.stack.shown_errors.values()) == pytest.approx([4, 3, 2])
    few = stacked(folds(n_val=9)).stack
    assert few is not None and few.best == "3: model"
    assert list(few.shown_errors.values()) == [None] * 3


def _edited(runs: list[Member], edit: Callable[[pd.DataFrame], pd.DataFrame]) -> list[Member]:
    """Return the runs with the second's predictions edited."""
    return [runs[0], Member(runs[1].name, edit(runs[1].predictions.copy())), *runs[2:]]


def _exchanged(table: pd.DataFrame, n: int) -> pd.DataFrame:
    """Exchange some validation participants for training ones."""
    table.loc[[*range(n), *range(40, 40 + n)], "split"] = ["val"] * n + ["train"] * n
    return table


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        (members(n_val=29), "`ensemble=stack` of 3 runs must have 30 shared validation participants .* but has 29"),
        (members(n_val=19, n_runs=2), "`ensemble=stack` of 2 runs must have 20 shared .* but has 19"),
        (
            _edited(members(), lambda table: _exchanged(table, 10)),
            "share 90% of their validation participants, but all share 50 of the 60 of 1: run. .*or use ensemble=mean",
        ),
        (
            _edited(members(), lambda table: _exchanged(table, 2)),
            "2: run was trained on 2 of the validation participants of 1: run",
        ),
        (
            _edited(members(), lambda table: table.assign(age=table["age"] + 5 * (table["split"] == "val"))),
            "the same age of each participant, but in 2: run it differs for 60",
        ),
        (
            _edited(folds(), lambda table: table.assign(fold=np.roll(table["fold"], 1))),
            "the same folds of all models, but 90 of 90 participants are in another fold of 2: model",
        ),
        (folds(n=42), "`ensemble=stack` of 3 runs must have 30 participants in the other folds .* but has 28"),
        (
            _edited(members(), lambda table: table[table["split"] != "val"]),
            "all share 0 of the 60 of 1: run",
        ),
    ],
)  # fmt: skip
def test_runs_that_cannot_be_stacked_are_refused_with_the_reason(runs: list[Member], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        stacked(runs)
    compare_runs(runs, n_resamples=100, seed=0, ensemble="mean")
