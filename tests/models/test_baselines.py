"""Baselines: their features, fits and error messages."""

from __future__ import annotations

import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV

from brainage import models
from brainage.config import code
from brainage.config.code import load_code
from brainage.data.participants import Participants
from brainage.errors import CohortError, ConfigError
from brainage.evaluation.against import RIDGE
from brainage.models.baselines.ridge import ALPHAS, Ridge, fit_ridge, fit_ridges
from brainage.models.features import joined
from brainage.models.features.motion import Motion
from brainage.training import baseline
from brainage.training.baseline import MIN_TRAINING, compared_baselines, fit_baseline, refitted_chance
from tests.models.people import participants, people_of

BASELINES = [
    *("kernel_ridge", "mean_age", "random_convolutions", "ridge_connectivity", "ridge_features", "ridge_motion"),
    *("ridge_spectrum", "site_mean"),
]
# With arguments, where the defaults are not fast or not all that a baseline does.
CASES = [
    *(("kernel_ridge", {}), ("mean_age", {}), ("random_convolutions", {"n_kernels": 20}), ("ridge_motion", {})),
    *(("ridge_connectivity", {"kind": kind}) for kind in ("correlation", "partial", "tangent")),
    *(("ridge_features", {}), ("ridge_features", {"features": ["motion", "partial", "tangent"]})),
    *(("ridge_spectrum", {}), ("ridge_spectrum", {"bands": [0.05, 0.1, 0.3], "lags": 0}), ("site_mean", {})),
]


class Given:
    """Features that are given as they are."""

    name = "given"

    def raw(self, participants: Participants) -> Any:
        raise NotImplementedError

    def fit(self, raw: Any) -> None:
        pass

    def transform(self, raw: Any) -> Any:
        return raw

    def arrays(self) -> dict[str, Any]:
        return {}


def test_baselines_are_the_models_of_their_folder() -> None:
    assert [name for name in models.names() if models.is_baseline(name)] == BASELINES
    assert not models.is_baseline("ridge") and not models.is_baseline("features")


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
    ridge = Ridge(Given())
    ridge.fit(features, age)
    learned = ridge.arrays()
    z = (features - features.mean(axis=0)) / features.std(axis=0)
    weights = np.linalg.solve(z.T @ z + learned["alpha"] * np.eye(4), z.T @ (age - age.mean()))
    np.testing.assert_allclose(learned["weights"], weights, atol=1e-9)
    np.testing.assert_allclose(ridge.predict(features), z @ weights + age.mean(), atol=1e-9)


class Widened(Given):
    """Features that are given as float32."""

    def transform(self, raw: Any) -> Any:
        return raw.astype(np.float64)


def test_features_of_many_participants_are_computed_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    features = (rng.normal(size=(8000, 400)) * np.linspace(0.1, 9, 400) + 5).astype(np.float32)
    age = 60 + features[:, :9] @ rng.normal(size=9) + rng.normal(size=8000)
    whole, blocks = Ridge(Widened()), Ridge(Widened())
    whole.fit(features, age)
    monkeypatch.setattr(joined, "_TOGETHER", 256)
    monkeypatch.setattr(joined, "_MAX_KEPT", features.size - 1)
    tracemalloc.start()
    blocks.fit(features, age)
    predicted = blocks.predict(features)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_allclose(predicted, whole.predict(features), rtol=1e-11)
    assert blocks.arrays()["alpha"] == whole.arrays()["alpha"]
    in_float64 = 8 * features.size
    assert peak < 0.6 * in_float64


@pytest.mark.parametrize("shape", [(50, 4), (30, 80), (40, 39), (40, 40)], ids=str)
@pytest.mark.parametrize("noise", [0.1, 3.0, 100.0])
def test_weights_and_penalty_are_those_of_scikit_learn(shape: tuple[int, int], noise: float) -> None:
    rng = np.random.default_rng(shape)
    features = rng.normal(size=shape) + 2
    age = 60 + features[:, :3].sum(axis=1) + noise * rng.normal(size=len(features))
    weights, intercept, alpha = fit_ridge(features, age)
    expected = RidgeCV(alphas=ALPHAS).fit(features, age)
    assert alpha == expected.alpha_
    np.testing.assert_allclose(weights, expected.coef_, atol=1e-9)
    assert intercept == pytest.approx(expected.intercept_, abs=1e-9)
    # Several ages at once are fitted as one by one.
    both, intercepts = fit_ridges(features, np.stack([age, age[::-1]], axis=1))
    np.testing.assert_allclose(both[:, 0], weights, atol=1e-8)
    assert intercepts[0] == pytest.approx(intercept, abs=1e-7)
    np.testing.assert_allclose(both[:, 1], fit_ridge(features, age[::-1])[0], atol=1e-8)


def test_a_feature_that_does_not_vary_is_harmless() -> None:
    features = np.column_stack([np.ones(30), np.arange(30.0)])
    ridge = Ridge(Given())
    ridge.fit(features, 50 + np.arange(30.0))
    assert np.isfinite(ridge.predict(features)).all()


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=str)
def test_test_participants_do_not_change_the_fit(
    name: str, arguments: dict[str, Any], people: Participants, tmp_path: Path
) -> None:
    first = fit_baseline(name, arguments, people)
    held_out = ~people.table["split"].eq("train").to_numpy()
    other = people.table.copy()
    other.loc[held_out, ["age", "head_motion"]] += 100
    other.loc[held_out, "site"] = "new"
    (tmp_path / "other").mkdir()
    series = np.where(held_out[:, None, None], np.roll(people.store.series, 1, axis=0) ** 3, people.store.series)
    columns = other.drop(columns=["participant_id", "row"]).to_dict("list")
    second = fit_baseline(name, arguments, people_of(tmp_path / "other", series, **columns))
    assert first.arrays.keys() == second.arrays.keys()
    for key, value in first.arrays.items():
        np.testing.assert_allclose(value, second.arrays[key], rtol=2e-5, atol=1e-5, err_msg=key) if (
            value.dtype.kind == "f"
        ) else np.testing.assert_array_equal(value, second.arrays[key])
    np.testing.assert_allclose(first.predicted[~held_out], second.predicted[~held_out], rtol=1e-4)


def test_the_mean_age_of_training_participants_is_predicted_for_all() -> None:
    given = participants(split=["test", "train", "val", "train"], age=[50.0, 60.0, 70.0, 80.0])
    assert fit_baseline("mean_age", {}, given).predicted.tolist() == [70.0] * 4


def test_the_mean_age_of_a_site_is_that_of_ten_training_participants_or_that_of_all() -> None:
    sites = ["A"] * 10 + ["B"] * 9 + [None]
    given = participants(split=["train"] * 20 + ["test"] * 4, age=[*range(50, 70), *[99.0] * 4],
                         site=[*sites, "A", "B", "new", None])  # fmt: skip
    fitted = fit_baseline("site_mean", {}, given)
    assert fitted.predicted[20:].tolist() == [54.5, 59.5, 59.5, 59.5]
    assert {key: value.tolist() for key, value in fitted.arrays.items()} == {
        "sites": ["A"],
        "weights": [54.5],
        "intercept": 59.5,
    }
    assert fitted.n_parameters == 2


@pytest.mark.parametrize("columns", [{"age": [50.0]}, {"site": [None]}], ids=["no column", "no value"])
def test_the_mean_of_a_site_needs_sites(columns: dict[str, Any]) -> None:
    with pytest.raises(CohortError, match=r"`model=site_mean` needs `site`.*field 54.*no participant has one"):
        models.build_baseline("site_mean", {}).features(participants(**columns))


def test_unknown_motion_is_set_to_the_training_median() -> None:
    motion = Motion()
    raw = motion.raw(participants(head_motion=[0.1, np.nan, 0.3, 0.5, 9.0]))
    motion.fit(raw[:4])
    np.testing.assert_allclose(motion.transform(raw)[:, 0], [0.1, 0.3, 0.3, 0.5, 9.0])
    np.testing.assert_allclose(motion.transform(raw)[:, 1], motion.transform(raw)[:, 0] ** 2)


@pytest.mark.parametrize("columns", [{"age": [50.0]}, {"head_motion": [np.nan]}], ids=["no column", "no value"])
def test_a_ridge_on_motion_needs_motion(columns: dict[str, Any]) -> None:
    with pytest.raises(CohortError, match=r"`motion` need `head_motion`.*25741.*no participant has"):
        models.build_baseline("ridge_motion", {}).features(participants(**columns))


def test_a_misspelt_kind_of_connectivity_gets_a_suggestion() -> None:
    with pytest.raises(ConfigError, match=r"`model.kind` got 'corelation'.*Did you mean `correlation`"):
        models.build_baseline("ridge_connectivity", {"kind": "corelation"})


def test_an_unknown_argument_is_named() -> None:
    with pytest.raises(ConfigError, match=r"`model`: MeanAge cannot be built: .*takes no arguments"):
        models.build_baseline("mean_age", {"width": 3})


def test_too_few_participants_for_baselines_give_a_note() -> None:
    split = ["train"] * (MIN_TRAINING - 1) + ["test"] * 12
    found, notes = compared_baselines("variable1dcnn", participants(split=split, age=[60.0] * len(split)))
    assert found == []
    assert "need 20 training and 10 test participants, and there are 19 and 12." in notes[0]


def test_too_many_pairs_of_components_give_a_note() -> None:
    split = ["train"] * 90 + ["test"] * 20
    people = replace(participants(split=split, age=[60.0] * 110), channels=tuple(range(2000)))
    found, notes = compared_baselines("variable1dcnn", people)
    assert found == []
    assert "must be 134,217,728 or fewer, but are 220,110,000 (components: 2,000)." in notes[0]


@pytest.mark.parametrize(
    ("changed", "label"),
    [
        ({}, "ridge on connectivity (partial correlation, tangent space) and spectra"),
        ({"t_r": None}, "ridge on connectivity (partial correlation, tangent space)"),
        ({"scale": "none"}, "ridge on connectivity (partial correlation, tangent space), spectra and amplitudes"),
        ({"channels": (2,)}, "ridge on spectra"),
        ({"t_r": None, "channels": (2,)}, None),
    ],
    ids=str,
)
def test_a_network_is_compared_with_a_ridge_on_what_can_be_computed(
    changed: dict[str, Any], label: str | None, people: Participants
) -> None:
    found, notes = compared_baselines("variable1dcnn", replace(people, **changed))
    assert [one.label for one in found if one.name == RIDGE] == ([label] if label else [])
    assert [one.name for one in found if one.name != RIDGE] == ["site_mean", "ridge_motion"]
    assert all("no spectra: " in note and "unknown for 60 of 60" in note for note in notes)
    assert len(notes) == ("t_r" in changed)
    assert all(len(one.table) == 20 for one in found)


def test_large_tangent_spaces_are_not_computed_unasked(people: Participants, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "MAX_DECOMPOSED", 60 * 4**3 - 1)
    (ridge, *_), _ = compared_baselines("variable1dcnn", people)
    assert ridge.label == "ridge on connectivity (partial correlation) and spectra"


@pytest.mark.parametrize(
    ("model", "columns", "names"),
    [
        ("mean_age", {}, ["site_mean", "ridge_motion"]),
        ("site_mean", {}, ["ridge_motion"]),
        ("ridge_motion", {"site": "one"}, []),
        ("mean_age", {"site": None, "head_motion": [0.1, 0.2] * 5 + [np.nan] * 50}, []),
    ],
    ids=str,
)
def test_every_model_is_compared_with_sites_and_motion_where_they_are_known(
    model: str, columns: dict[str, Any], names: list[str], people: Participants
) -> None:
    found, notes = compared_baselines(model, replace(people, table=people.table.assign(**columns)))
    assert ([one.name for one in found], notes) == (names, [])


def test_a_ridge_on_connectivity_needs_two_components() -> None:
    people = replace(participants(split=["train"], age=[60.0]), channels=(3,))
    with pytest.raises(ConfigError, match=r"`correlation` need two or more components.* has 1"):
        models.build_baseline("ridge_connectivity", {}).features(people)


def test_a_ridge_is_tested_by_refits_to_ages_that_are_permuted_within_sites() -> None:
    motion, ridge = np.linspace(0, 1, 80), models.build_baseline("ridge_motion", {})
    given = participants(
        split=["train"] * 60 + ["test"] * 20,
        head_motion=np.random.default_rng(0).permutation(motion),
        age=np.full(80, 60.0),
        site=["a", "b"] * 40,
    )
    table = given.table.assign(age=50 + 20 * given.table["head_motion"])
    of_motion = replace(given, table=table)
    found = refitted_chance(ridge, of_motion, n_permutations=99, seed=1)
    assert found is not None and (found.n, found.n_permutations, found.n_sites) == (20, 99, 2)
    assert found.p == pytest.approx(0.01) and found.permuted.value is not None and found.permuted.value > found.mae + 2
    table = given.table.assign(
        age=50 + 20.0 * (given.table["site"] == "a"), head_motion=1.0 * (given.table["site"] == "a")
    )
    of_site = refitted_chance(
        models.build_baseline("ridge_motion", {}), replace(given, table=table), n_permutations=99, seed=1
    )
    assert of_site is not None and of_site.p == 1  # within sites, nothing is known
    for name, n in (("ridge_motion", 0), ("mean_age", 99)):
        assert refitted_chance(models.build_baseline(name, {}), of_motion, n_permutations=n, seed=1) is None
