"""Baselines: their features, fits and error messages."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brainage import models
from brainage.config import code
from brainage.config.code import load_code
from brainage.data.participants import Participants
from brainage.errors import CohortError, ConfigError
from brainage.models.baselines.ridge import Ridge
from brainage.training.baseline import MIN_TRAINING, fit_baseline, ridge_predictions

NO_STORE: Any = None


class RidgeOnly(Ridge):
    def features(self, participants: Participants) -> Any:
        raise NotImplementedError


def participants(**columns: Any) -> Participants:
    n = len(next(iter(columns.values())))
    table = pd.DataFrame({"participant_id": [f"p{i}" for i in range(n)], "row": range(n), **columns})
    return Participants(table, NO_STORE, (0, 1, 2), 400)


def test_baselines_are_the_models_of_their_folder() -> None:
    baselines = [name for name in models.names() if models.is_baseline(name)]
    assert baselines == ["mean_age", "ridge_connectivity", "ridge_motion"]
    assert not models.is_baseline("ridge")


OWN = """
from torch import nn


class Median:
    def features(self, participants): ...
    def fit(self, features, ages): ...
    def predict(self, features): ...
    def arrays(self): ...


class Network(nn.Module):
    pass
"""


def test_a_baseline_of_the_users_own_code_is_a_baseline_and_a_network_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code, "_LOADED", [])
    monkeypatch.setattr(sys, "path", sys.path[:])
    (tmp_path / "own_models_of_a_test.py").write_text(OWN)
    load_code(str(tmp_path / "own_models_of_a_test.py"), ["code=own_models_of_a_test.py"])
    assert models.is_baseline("Median")
    assert not models.is_baseline("Network")
    assert {"Median", "Network"} <= set(models.names())


def test_a_ridge_is_the_closed_form_on_standardised_features() -> None:
    rng = np.random.default_rng(3)
    features = rng.normal(size=(50, 4)) * [1, 10, 0.1, 3] + 5
    age = 60 + features @ [0.5, 0.1, 2.0, 0.0] + rng.normal(size=50)
    ridge = RidgeOnly()
    ridge.fit(features, age)
    learned = ridge.arrays()
    z = (features - features.mean(axis=0)) / features.std(axis=0)
    weights = np.linalg.solve(z.T @ z + learned["alpha"] * np.eye(4), z.T @ (age - age.mean()))
    np.testing.assert_allclose(learned["weights"], weights, atol=1e-9)
    np.testing.assert_allclose(ridge.predict(features), z @ weights + age.mean(), atol=1e-9)


def test_a_feature_that_does_not_vary_is_harmless() -> None:
    features = np.column_stack([np.ones(30), np.arange(30.0)])
    ridge = RidgeOnly()
    ridge.fit(features, 50 + np.arange(30.0))
    assert np.isfinite(ridge.predict(features)).all()


def test_test_participants_do_not_change_the_fit() -> None:
    rng = np.random.default_rng(5)
    split = ["train"] * 40 + ["test"] * 20
    motion, age = rng.lognormal(size=60), rng.uniform(46, 82, 60)
    first = fit_baseline("ridge_motion", {}, participants(split=split, age=age, head_motion=motion))
    other = age.copy()
    other[40:] += 100
    second = fit_baseline("ridge_motion", {}, participants(split=split, age=other, head_motion=motion))
    assert first.predicted.tolist() == second.predicted.tolist()
    assert {name: value.tolist() for name, value in first.arrays.items()} == {
        name: value.tolist() for name, value in second.arrays.items()
    }


def test_the_mean_age_of_training_participants_is_predicted_for_all() -> None:
    given = participants(split=["test", "train", "val", "train"], age=[50.0, 60.0, 70.0, 80.0])
    assert fit_baseline("mean_age", {}, given).predicted.tolist() == [70.0] * 4


def test_unknown_motion_is_set_to_the_training_median() -> None:
    baseline = models.build_baseline("ridge_motion", {})
    features = baseline.features(participants(head_motion=[0.1, np.nan, 0.3, 0.5]))
    np.testing.assert_allclose(features[:, 0], [0.1, 0.3, 0.3, 0.5])
    np.testing.assert_allclose(features[:, 1], features[:, 0] ** 2)


@pytest.mark.parametrize("columns", [{"age": [50.0]}, {"head_motion": [np.nan]}], ids=["no column", "no value"])
def test_a_ridge_on_motion_needs_motion(columns: dict[str, Any]) -> None:
    with pytest.raises(CohortError, match=r"`model=ridge_motion` needs `head_motion`.*25741.*no participant has"):
        models.build_baseline("ridge_motion", {}).features(participants(**columns))


def test_a_misspelt_kind_of_connectivity_gets_a_suggestion() -> None:
    with pytest.raises(ConfigError, match=r"`model.kind` got 'corelation'.*Did you mean `correlation`"):
        models.build_baseline("ridge_connectivity", {"kind": "corelation"})


def test_an_unknown_argument_is_named() -> None:
    with pytest.raises(ConfigError, match=r"`model`: MeanAge cannot be built: .*takes no arguments"):
        models.build_baseline("mean_age", {"width": 3})


def test_too_few_participants_for_a_ridge_give_a_note() -> None:
    split = ["train"] * (MIN_TRAINING - 1) + ["test"] * 12
    ridge, notes = ridge_predictions("variable1dcnn", participants(split=split, age=[60.0] * len(split)))
    assert ridge is None
    assert "needs 20 training and 10 test participants, and there are 19 and 12." in notes[0]


@pytest.mark.parametrize(("n_components", "n_values"), [(1, "0"), (2000, "219,890,000")])
def test_no_pairs_of_components_and_too_many_give_a_note(n_components: int, n_values: str) -> None:
    split = ["train"] * 90 + ["test"] * 20
    people = replace(participants(split=split, age=[60.0] * 110), channels=tuple(range(n_components)))
    ridge, notes = ridge_predictions("variable1dcnn", people)
    assert ridge is None
    assert f"must be from 1 to 134,217,728, but are {n_values} (components: {n_components:,})." in notes[0]


def test_a_ridge_on_connectivity_needs_two_components() -> None:
    people = replace(participants(split=["train"], age=[60.0]), channels=(3,))
    with pytest.raises(ConfigError, match=r"`model=ridge_connectivity` needs two or more components.* has 1"):
        models.build_baseline("ridge_connectivity", {}).features(people)


def test_a_baseline_is_not_compared_with_the_ridge() -> None:
    assert ridge_predictions("mean_age", participants(split=["train"], age=[60.0])) == (None, [])
