"""Ridges outside their run: exported, read, applied to others, and refused where damaged."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from brainage import models
from brainage.api.bundles import Bundle, load_bundle
from brainage.commands.bundle import main
from brainage.errors import BrainageError, EvaluationError
from brainage.trained.baseline import read_arrays
from brainage.trained.load import read_trained
from brainage.trained.network import Trained
from brainage.trained.sites import site_caveats
from tests.conftest import ROOT
from tests.models.test_baselines import CASES, people_of

RIDGE = ROOT / "tests" / "written_at_2a22c97" / "train" / "ridge"


@pytest.mark.parametrize(
    ("name", "arguments"), [case for case in CASES if models.is_shared(case[0])], ids=lambda value: str(value)
)
def test_a_baseline_predicts_the_same_from_its_arrays(name: str, arguments: dict[str, Any], tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    age, motion = rng.uniform(50, 75, 30), rng.lognormal(-2, 0.3, 30)
    motion[[3, 25]] = np.nan
    everyone = people_of(tmp_path, rng.normal(size=(30, 4, 60)), age=age, head_motion=motion)
    fitted = models.build_baseline(name, arguments)
    features = fitted.features(everyone)
    fitted.fit(features[:22], age[:22])
    others = everyone.where(np.arange(30) >= 22)
    again = models.restored(name, arguments, fitted.arrays())
    np.testing.assert_array_equal(again.predict(again.features(others)), fitted.predict(features)[22:])


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The bundle of a ridge on 21 of 25 components."""
    assert main(["export", "--run", str(RIDGE), "--out", str(tmp_path / "bundle")]) == 0
    return tmp_path / "bundle"


def quiet(bundle: Bundle, arrays: list[np.ndarray]) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ages and series are unlike those of the training
        return bundle.predict(arrays, t_r=0.735)["predicted_age"].to_numpy()


def test_an_exported_ridge_predicts_arrays_by_its_formula(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory").mkdir()
    monkeypatch.chdir(tmp_path)  # nothing is cached there
    loaded = load_bundle(bundle)
    for seed in (1, 2):
        arrays = [np.random.default_rng([seed, n]).standard_normal((120, 25)) for n in range(3)]
        kept = [number - 1 for number in loaded.channels]
        with np.load(RIDGE / "model.npz") as fitted:
            z = [np.arctanh(np.corrcoef(one[:, kept].T)[np.tril_indices(21, -1)]) for one in arrays]
            scaled = (np.array(z) - fitted["center"]) / fitted["scale"]
            expected = scaled @ fitted["weights"] + fitted["intercept"]
        # nilearn's covariances are shrunk a little.
        assert quiet(loaded, arrays) == pytest.approx(expected, abs=0.1)
    assert not list((tmp_path / "memory").iterdir())
    assert "A ridge that predicts age" in (bundle / "README.md").read_text()
    with pytest.raises(EvaluationError, match="must be of a network, but it is one of the baseline ridge_connectivity"):
        loaded.network()


def _changed(**arrays: torch.Tensor | None) -> Callable[[Path], object]:
    def change(bundle: Path) -> None:
        path = bundle / "weights.safetensors"
        found = {**load_file(path), **arrays}
        save_file({name: tensor.clone() for name, tensor in found.items() if tensor is not None}, path)

    return change


def _huge(bundle: Path) -> None:
    path = bundle / "weights.safetensors"
    n = 2**28
    header = json.dumps({"weights": {"dtype": "F64", "shape": [n], "data_offsets": [0, 8 * n]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    os.truncate(path, 8 + len(header) + 8 * n)


def _other_model(bundle: Path) -> None:
    path = bundle / "config.yaml"
    path.write_text(path.read_text().replace("name: ridge_connectivity", "name: site_mean"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_changed(weights=torch.ones(5, dtype=torch.float64)), "give no finite age for each .*ValueError"),
        (_changed(weights=torch.ones(210, 2)), "give no finite age for each"),
        (_changed(center=None), r"must contain the arrays of the ridge_connectivity .*\(KeyError\)"),
        (_changed(scale=torch.zeros(210)), "give no finite age for each"),
        (_changed(weights=torch.full((210,), torch.nan)), "must contain finite weights, but `weights` has NaN"),
        (_huge, "must have at most 134,217,728 numbers, but has 268,435,456"),
        (_other_model, "must describe a network of this project, or a ridge, but its model is called 'site_mean'"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_a_damaged_ridge_is_refused_with_one_message(
    bundle: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(bundle)
    with pytest.raises(BrainageError, match=message):
        quiet(load_bundle(bundle), [np.random.default_rng(1).standard_normal((120, 25))] * 2)


def test_arrays_of_a_run_are_read_without_unpickling_and_within_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shutil.copytree(RIDGE, tmp_path / "run")
    path = run / "model.npz"
    assert set(read_arrays(path)) == {"center", "scale", "weights", "intercept", "alpha"}
    monkeypatch.setattr("brainage.trained.baseline.MOST_VALUES", 10)
    with pytest.raises(BrainageError, match="must contain the arrays of a baseline"):
        read_arrays(path)
    monkeypatch.undo()
    np.savez(path, weights=np.array([{"a": 1}], dtype=object))
    for content in (path.read_bytes(), b"PK", b""):
        path.write_bytes(content)
        with pytest.raises(BrainageError, match="must contain the arrays of a baseline"):
            read_trained(run, "run")


def test_a_harmonised_ridge_knows_its_sites_by_name_and_says_whose_features_it_leaves(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    site, age = np.repeat(["Hull", "York", "Oslo"], [12, 12, 6]), rng.uniform(50, 75, 30)
    everyone = people_of(tmp_path, rng.normal(size=(30, 4, 60)), age=age, site=site)
    fitted = models.build_baseline("ridge_connectivity", {}, "combat")
    features = fitted.features(everyone)
    fitted.fit(features[np.arange(30) < 24], age[:24])
    again = models.restored("ridge_connectivity", {}, fitted.arrays())
    np.testing.assert_array_equal(again.predict(again.features(everyone)), fitted.predict(features))
    weights = {name: torch.from_numpy(np.array(value)) for name, value in fitted.arrays().items()}
    trained = SimpleNamespace(architecture=SimpleNamespace(is_baseline=True), weights=weights)
    (note,) = site_caveats(cast("Trained", trained), "the network", everyone.table)
    assert "the sites of its training: Hull, York. 6 of 30 participants have another site" in note
