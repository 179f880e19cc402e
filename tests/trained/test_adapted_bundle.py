"""Adapted networks: bundles with another last layer, that know their parent."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from brainage.data.participants import Participants
from brainage.errors import EvaluationError
from brainage.evaluation.conformal import Conformal
from brainage.evaluation.gap import Correction
from brainage.trained.adapted_bundle import adapt, config_of, controls_of
from brainage.trained.bundle import read_bundle, write_bundle
from brainage.trained.last_layer import fit_change
from brainage.trained.network import Trained
from tests.trained.networks import MODALITY, constant, sample

LINEAR = Correction("linear", intercept=6.0, slope=-0.1, n=100, fitted_on="validation", people="")
CONFIG: dict[str, Any] = {
    "modality": {**vars(MODALITY), "name": "ica3"},
    "model": {"name": "simple1dcnn", "in_channels": 3, "n_times": 400},
}


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Return a bundle of a network with random weights."""
    generator, network = torch.Generator().manual_seed(1), constant(60.0, correction=LINEAR, gap_correction="linear")
    weights = {name: 0.2 * torch.randn(value.shape, generator=generator) for name, value in network.weights.items()}
    weights["decoder.0.bias"] += 60
    folder = tmp_path_factory.mktemp("parent") / "bundle"
    write_bundle(folder, replace(network, weights=weights, facts={"metrics": {"test": {"mae": 3.5}}}), CONFIG)
    return read_bundle(folder, "bundle")


def people(n: int) -> Participants:
    return sample(**{f"p{number}": 50 + number % 30 for number in range(n)}).participants


@pytest.mark.parametrize("method", ["offset", "line", "last_layer"])
def test_the_new_bundle_predicts_by_the_change_and_the_old_one_stays(
    method: str, parent: Trained, tmp_path: Path
) -> None:
    participants = people(40)
    controls, others = participants.where(np.arange(40) < 20), participants.where(np.arange(40) >= 20)
    before = {path.name: path.read_bytes() for path in parent.folder.iterdir()}
    new, found = adapt(parent, controls, method, seed=1, n_resamples=100)
    write_bundle(tmp_path / "new", new, config_of(parent))
    saved = read_bundle(tmp_path / "new", "bundle")
    known = controls_of(parent, controls, device="cpu", batch_size=7)
    there = controls_of(parent, others, device="cpu", batch_size=7)
    change = fit_change(method, known)
    assert saved.predict(others) == pytest.approx(change.apply(there.predicted, there.features), abs=1e-3)
    assert saved.predict(controls).mean() == pytest.approx(controls.ages.mean(), abs=1e-3)  # all have an intercept
    assert {path.name: path.read_bytes() for path in parent.folder.iterdir()} == before
    assert (found.method, found.n, [*found.errors]) == (method, 20, ["unchanged", "offset", "line", "last_layer"])


def test_the_new_bundle_knows_its_parent_and_its_errors(parent: Trained, tmp_path: Path) -> None:
    new, found = adapt(parent, people(20), "line", seed=1, n_resamples=100)
    write_bundle(tmp_path / "new", new, config_of(parent))
    adapted = read_bundle(tmp_path / "new", "bundle").facts["adapted"]
    digest = hashlib.sha256((parent.folder / "weights.safetensors").read_bytes()).hexdigest()
    assert adapted["parent"]["weights_sha256"] == digest
    assert adapted["errors"]["line"]["mae"]["value"] == found.errors["line"].mae.value
    card = (tmp_path / "new" / "README.md").read_text()
    assert digest in card and "test MAE of 3.50 years in its own cohort" in card
    assert f"| line | {found.errors['line'].mae.value:.2f} |" in card


@pytest.mark.parametrize(
    "metrics", [None, [1], {"test": "high"}, {"test": {"mae": "1e999"}}, {"test": {"mae": np.nan}}]
)
def test_facts_of_a_parent_of_any_kind_are_left_out(metrics: Any, parent: Trained) -> None:
    strange = replace(parent, facts={"metrics": metrics, "t_r": {"0.72": [1], "2": 3}, "imported_from": {}})
    facts = adapt(strange, people(12), "offset", seed=1, n_resamples=100)[0].facts
    assert facts["adapted"]["parent"]["test_mae"] is None
    assert facts["t_r"] == {"2": 3} and "imported_from" not in facts


@pytest.mark.parametrize("method", ["linear", "cole"])
def test_the_correction_is_changed_as_the_predictions_and_leaves_no_mean_gap_on_the_controls(
    method: str, parent: Trained
) -> None:
    """Predictions that lie on the parent's line have no corrected gap but a shift, before and after a line."""
    fit = Correction(method, 6.0, 0.9 if method == "cole" else -0.1, n=100, fitted_on="validation", people="")
    controls, own = people(20), replace(parent, correction=fit)
    old = controls_of(own, controls, device="cpu", batch_size=7)
    for name in ("offset", "line"):
        new, _ = adapt(own, controls, name, seed=1, n_resamples=100)
        change = fit_change(name, old)
        assert (new.correction is None) == (change.slope <= 0)
        if new.correction is not None:
            gap = new.correction.gap(old.age, change.apply(old.predicted))
            assert gap.mean() == pytest.approx(0, abs=1e-9)
            on_line = np.array([50.0, 70.0]) * 0.9 + 6  # of predicted age on age, of both methods
            left = new.correction.gap(np.array([50.0, 70.0]), change.apply(on_line))
            assert left[0] == pytest.approx(left[1])
    last, _ = adapt(own, controls, "last_layer", seed=1, n_resamples=100)
    assert last.correction is None and "adapted to another site" in last.uncorrected


@pytest.mark.parametrize(("n", "has"), [(49, False), (50, True)])
def test_intervals_need_50_controls_and_are_of_their_errors_in_cross_validation(
    n: int, has: bool, parent: Trained
) -> None:
    new, found = adapt(parent, people(n), "offset", seed=1, n_resamples=100)
    if has:
        assert isinstance(new.intervals, Conformal) and new.intervals.n == 50
        # The 46th of 50 errors: at least the mean one.
        assert new.intervals.half_widths[0] >= (found.errors["offset"].mae.value or 0)
    else:
        assert new.intervals == "It was adapted with 49 controls, and intervals at a new site need 50."


def test_a_network_without_a_last_linear_layer_of_one_output_is_refused(parent: Trained) -> None:
    class Other(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.Linear(3, 2)

    other = replace(parent, architecture=_Architecture(Other()))  # type: ignore[arg-type]
    with pytest.raises(EvaluationError, match="must end with a linear layer of one output and a bias to be adapted"):
        controls_of(replace(other, weights={}), people(12), device="cpu", batch_size=7)


class _Architecture:
    """Stands for one of a user's own network."""

    is_baseline, model, modality = False, "own", MODALITY

    def __init__(self, network: torch.nn.Module) -> None:
        self._network = network

    def outline(self) -> torch.nn.Module:
        return self._network
