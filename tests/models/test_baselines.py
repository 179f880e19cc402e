"""Baselines: what they predict from, what they learn, what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from brainage import models
from brainage.errors import CohortError, ConfigError
from brainage.models.baselines.base import Inputs
from brainage.models.baselines.ridge import Ridge
from brainage.training.baseline import MIN_TRAINING, fit_baseline, ridge_beside

NOBODY: Any = None  # a store that is not looked at


def inputs(**columns: Any) -> Inputs:
    n = len(next(iter(columns.values())))
    people = pd.DataFrame({"participant_id": [f"p{i}" for i in range(n)], "row": range(n), **columns})
    return Inputs(people, NOBODY, (0, 1, 2))


def test_every_baseline_has_a_config_and_is_among_the_models() -> None:
    assert set(models.ESTIMATORS) <= set(models.names())


def test_a_ridge_is_the_closed_form_on_standardised_features() -> None:
    rng = np.random.default_rng(3)
    features = rng.normal(size=(50, 4)) * [1, 10, 0.1, 3] + 5
    age = 60 + features @ [0.5, 0.1, 2.0, 0.0] + rng.normal(size=50)
    ridge = Ridge()
    ridge.fit(features, age)
    learned = ridge.arrays()
    z = (features - features.mean(axis=0)) / features.std(axis=0)
    weights = np.linalg.solve(z.T @ z + learned["alpha"] * np.eye(4), z.T @ (age - age.mean()))
    np.testing.assert_allclose(learned["weights"], weights, atol=1e-9)
    np.testing.assert_allclose(ridge.predict(features), z @ weights + age.mean(), atol=1e-9)


def test_a_feature_that_does_not_vary_is_harmless() -> None:
    features = np.column_stack([np.ones(30), np.arange(30.0)])
    ridge = Ridge()
    ridge.fit(features, 50 + np.arange(30.0))
    assert np.isfinite(ridge.predict(features)).all()


def test_test_participants_do_not_change_what_is_learned() -> None:
    rng = np.random.default_rng(5)
    split = ["train"] * 40 + ["test"] * 20
    motion, age = rng.lognormal(size=60), rng.uniform(46, 82, 60)
    first = fit_baseline("ridge_motion", {}, inputs(split=split, age=age, head_motion=motion), ("test",))
    other = age.copy()
    other[40:] += 100
    second = fit_baseline("ridge_motion", {}, inputs(split=split, age=other, head_motion=motion), ("test",))
    assert list(first.predictions["predicted_age"]) == list(second.predictions["predicted_age"])
    assert {name: value.tolist() for name, value in first.arrays.items()} == {
        name: value.tolist() for name, value in second.arrays.items()
    }


def test_predictions_come_in_the_order_of_the_parts() -> None:
    given = inputs(split=["test", "train", "val", "train"], age=[50.0, 60.0, 70.0, 80.0])
    predictions = fit_baseline("mean_age", {}, given, ("train", "val", "test")).predictions
    assert list(predictions["split"]) == ["train", "train", "val", "test"]
    assert list(predictions["predicted_age"]) == [70.0] * 4
    assert list(predictions["bag"]) == [10.0, -10.0, 0.0, 20.0]


def test_people_whose_motion_is_not_known_count_as_the_median() -> None:
    estimator = models.make_estimator("ridge_motion", {})
    features = estimator.features(inputs(head_motion=[0.1, np.nan, 0.3, 0.5]))
    np.testing.assert_allclose(features[:, 0], [0.1, 0.3, 0.3, 0.5])
    np.testing.assert_allclose(features[:, 1], features[:, 0] ** 2)


@pytest.mark.parametrize("columns", [{"age": [50.0]}, {"head_motion": [np.nan]}], ids=["no column", "no value"])
def test_a_ridge_on_motion_needs_motion(columns: dict[str, Any]) -> None:
    with pytest.raises(CohortError, match=r"`model=ridge_motion` needs `head_motion`.*25741.*nobody has it"):
        models.make_estimator("ridge_motion", {}).features(inputs(**columns))


def test_a_kind_of_connectivity_that_is_none_gets_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"`model.kind` got 'corelation'.*Did you mean `correlation`"):
        models.make_estimator("ridge_connectivity", {"kind": "corelation"})


def test_an_argument_that_a_baseline_does_not_take_is_named() -> None:
    with pytest.raises(ConfigError, match=r"`model`: MeanAge cannot be made: .*takes no arguments"):
        models.make_estimator("mean_age", {"width": 3})


def test_beside_few_people_there_is_no_ridge_and_it_says_why() -> None:
    split = ["train"] * (MIN_TRAINING - 1) + ["test"] * 12
    ridge, note = ridge_beside("variable1dcnn", inputs(split=split, age=[60.0] * len(split)))
    assert ridge is None
    assert "needs 20 training and 10 test participants, and there are 19 and 12." in note


def test_beside_a_baseline_there_is_no_ridge() -> None:
    assert ridge_beside("mean_age", inputs(split=["train"], age=[60.0])) == (None, "")
