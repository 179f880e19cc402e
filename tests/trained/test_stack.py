"""Stacks in folders: exported from a comparison, read, applied to cohorts and arrays, and refused where damaged."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainage.api.bundles import Bundle, load_bundle
from brainage.commands.bundle import main
from brainage.commands.compare import compare
from brainage.commands.predict import predict
from brainage.config.commands.shared import DEFAULT_STORE
from brainage.config.groups.cohort import SimulatedCohortConfig
from brainage.errors import BrainageError, EvaluationError
from brainage.evaluation.gap import Correction
from brainage.evaluation.stack import stack_weights
from brainage.trained.card import stack_card
from brainage.trained.ensemble import Ensemble, read_samples, shape_of
from brainage.trained.load import read_trained
from brainage.trained.network import TrainedStack
from brainage.trained.stack import read_stack, write_stack
from tests.conftest import ROOT, run_here
from tests.trained.networks import MODALITY, constant, sample

WRITTEN = ROOT / "tests" / "written_at_2a22c97"
RUNS = {"a": WRITTEN / "multirun" / "folds" / "0", "b": WRITTEN / "multirun" / "folds" / "1"}
LINEAR = Correction("linear", intercept=6.0, slope=-0.1, n=20, fitted_on="validation", people="x")
CONFIG = {
    "modality": {"name": "ica3", "dimension": 3, "components": "all", "good_components": [1, 2], "n_channels": 3,
                 "n_times": 400, "t_r": 0.735},
    "model": {"name": "simple1dcnn", "in_channels": 3, "n_times": 400},
}  # fmt: skip


def stack(*ages: float, weights: tuple[float, ...] = (0.25, 0.75)) -> TrainedStack:
    """Return networks that predict these ages, stacked."""
    members = tuple(constant(age, correction=replace(LINEAR, intercept=40.0)) for age in ages or (60.0, 64.0))
    facts = {"runs": {"1: a": 0.25, "2: b": 0.75, "3: c": 0.0}, "fitted_on": "1,234 validation participants"}
    return TrainedStack(Path("stack"), members, weights, "linear", LINEAR, "", facts)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The folder of a stack."""
    write_stack(tmp_path / "stack", stack(), [CONFIG, CONFIG])
    return tmp_path / "stack"


def test_ages_are_weighted_means_and_gaps_are_corrected_by_the_fit_of_the_stack(written: Path) -> None:
    found = read_stack(written, "bundle")
    assert found.weights == (0.25, 0.75) and found.correction == replace(LINEAR, people="")
    both = Ensemble(found.members, {shape_of(found.members[0]): sample(a=50.0, b=70.0)}, found)
    table = both.participants()
    values, _ = both.predict(table, "cpu", 2)
    mean, sd = both.joined(values)
    assert mean.tolist() == [63.0, 63.0]
    # Squares of -3 and 1 with these weights are 3, by 1 - 0.0625 - 0.5625.
    assert sd == pytest.approx([8**0.5] * 2)
    corrected = both.corrected(table, values)
    assert not isinstance(corrected, str)
    assert corrected.gaps.tolist() == pytest.approx([63 - 50 - (6 - 5), 63 - 70 - (6 - 7)])
    assert [fit.fitted_on for fit in corrected.corrections] == ["the stack's own validation participants"]


def test_the_card_names_members_weights_and_whom_they_were_fitted_on(written: Path) -> None:
    card = (written / "README.md").read_text()
    assert "| simple1dcnn, ica3 | member-2 | 0.750 |" in card
    assert "fitted on 1,234 validation participants, from predictions by models that were not trained on them" in card
    assert "The validation error of the stack is therefore a little too low." not in card
    measured = replace(stack(), facts={"metrics": {"val": {"mae": 3.0}}, "n": {"val": 40}})
    assert "The validation error of the stack is therefore a little too low." in stack_card(measured)
    assert "The correction of the gap was fitted on the same participants." in card
    assert "Stacked runs with the weight 0, which are not contained: 1." in card
    assert card == stack_card(stack())


def test_arrays_get_the_same_ages(written: Path) -> None:
    bundle = load_bundle(written)
    assert bundle.channels == [1, 2, 3]
    arrays = [np.random.default_rng(n).standard_normal((410, 3)) for n in range(2)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ages and series of the training are unknown
        found = bundle.predict(arrays, ages=[50, 70], t_r=0.735)
    assert found["predicted_age"].tolist() == [63.0, 63.0]
    assert found["bag_corrected"].tolist() == pytest.approx([12.0, -6.0])
    assert list(found) == ["age", "predicted_age", "bag", "bag_corrected", "predicted_age_sd"]
    with pytest.raises(EvaluationError, match="is a stack of 2 networks. Load the bundle of one"):
        bundle.network()
    other = constant(60.0)
    wider = replace(MODALITY, name="b", dimension=9, n_channels=9)
    other = replace(other, architecture=replace(other.architecture, modality=wider))
    several = replace(stack(), members=(constant(60.0), other))
    with pytest.raises(EvaluationError, match=r"stack of networks for several decompositions \(ica3, b\)"):
        Bundle(several).predict(arrays, t_r=0.735)


def _changed(key: str, value: object) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        path = folder / "stack.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))

    return change


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_changed("weights", [0.5, 0.6]), "must have the keys and values of a stack, but cannot be read"),
        (_changed("weights", [1.5, -0.5]), "must have the keys and values of a stack"),
        (_changed("weights", [True]), "must have the keys and values of a stack"),
        (_changed("weights", [1e-9] * 10**5), "must have the keys and values of a stack"),
        (_changed("weights", [0.5, 0.25, 0.25]), "must contain the folder `member-3`"),
        (_changed("correction", {"method": "linear"}), "must have the keys and values of a stack"),
        (_changed("facts", []), "must have the keys and values of a stack"),
        (_changed("format", 2), "must be of format 1, but is of 2"),
        (lambda folder: shutil.rmtree(folder / "member-1"), "must contain the folder `member-1`"),
        (lambda folder: (folder / "member-2" / "bundle.json").unlink(), "contains `bundle.json`"),
        (lambda folder: (folder / "stack.json").write_text("{"), "cannot be read"),
    ],
)
def test_a_damaged_stack_is_refused_with_one_message(
    written: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(written)
    with pytest.raises(BrainageError, match=message):
        read_stack(written, "bundle")


def test_neither_the_manifest_nor_a_member_may_be_a_link(written: Path) -> None:
    for name in ("member-1", "stack.json"):
        (written / name).rename(written.parent / name)
        (written / name).symlink_to(written.parent / name)
        with pytest.raises(BrainageError, match=name):
            read_stack(written, "bundle")


def test_one_network_is_not_a_stack_and_a_folder_is_written_whole_or_not_at_all(tmp_path: Path, written: Path) -> None:
    for key in ("bundle", "run", "runs"):
        with pytest.raises(BrainageError, match=rf"`{key}=.* must be one network, but is a stack of .* as .*member-1"):
            read_trained(written, key)
    for folder in (written, written.parent):
        with pytest.raises(BrainageError, match="must be a new or an empty folder"):
            write_stack(folder, stack(), [CONFIG, CONFIG])
    (tmp_path / "empty").mkdir()
    write_stack(tmp_path / "empty", stack(), [CONFIG, CONFIG])
    assert sorted(path.name for path in (tmp_path / "empty").iterdir()) == sorted(p.name for p in written.iterdir())
    with pytest.raises(ValueError, match="shorter"):
        write_stack(tmp_path / "new", stack(), [CONFIG])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "stack"]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrawn: None) -> Path:
    """Runs of two networks and a ridge, with the errors of made-up participants: 140 to fit on and 30 to test."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(5)
    parts = ["train"] * 20 + ["val"] * 140 + ["test"] * 30
    age = rng.uniform(50, 75, len(parts))
    table = pd.DataFrame({"participant_id": [f"p{n:03}" for n in range(len(parts))], "split": parts, "age": age})
    for (name, source), sd in zip({**RUNS, "ridge": WRITTEN / "train" / "ridge"}.items(), (4, 5, 6), strict=True):
        shutil.copytree(source, tmp_path / "runs" / name)
        predicted = age + rng.normal(0, sd, len(parts))
        table.assign(predicted_age=predicted, bag=predicted - age).to_csv(
            tmp_path / "runs" / name / "predictions.csv", index=False
        )
    return tmp_path / "runs"


def test_a_comparison_is_exported_and_predicts_the_weighted_mean(runs: Path, tmp_path: Path) -> None:
    words = (f"runs=[{runs / 'a'},{runs / 'b'},{runs / 'ridge'}]", "report.n_resamples=100")
    assert run_here(compare, "compare", tmp_path / "both", *words, "ensemble=stack") == 0
    names = ("a", "b", "ridge")
    table = {name: pd.read_csv(runs / name / "predictions.csv").query("split == 'val'") for name in names}
    expected = stack_weights(table["a"]["age"], np.stack([table[name]["predicted_age"] for name in names], axis=1))
    export = ["export", "--stack", str(tmp_path / "both"), "--out", str(tmp_path / "bundle")]
    assert main(export) == 0
    found = read_stack(tmp_path / "bundle", "bundle")
    assert found.weights == pytest.approx(expected)
    assert [member.architecture.is_baseline for member in found.members] == [False, False, True]
    val = expected @ np.stack([table[name]["predicted_age"] for name in names])
    slope, intercept = np.polyfit(table["a"]["age"], val - table["a"]["age"], 1)
    assert found.correction is not None and found.correction.slope == pytest.approx(slope)
    assert found.correction.intercept == pytest.approx(intercept) and found.correction.n == 140

    cohort = ("cohort=simulated", "cohort.n_participants=12", "report.n_resamples=100")
    assert run_here(predict, "predict", tmp_path / "new", f"bundle={tmp_path / 'bundle'}", *cohort) == 0
    samples = read_samples(found.members, SimulatedCohortConfig(name="simulated", n_participants=12), DEFAULT_STORE)
    each = Ensemble(found.members, samples)
    ages, _ = each.predict(each.participants(), "cpu", 250)
    assert not any(np.allclose(ages[:, 0], ages[:, other]) for other in (1, 2))
    predicted = pd.read_csv(tmp_path / "new" / "predictions.csv")
    assert predicted["predicted_age"].to_numpy() == pytest.approx(ages @ expected)
    assert predicted["bag_corrected"].to_numpy() == pytest.approx(predicted.eval(f"bag - {intercept} - {slope} * age"))
    assert f"weight {expected[0]:.3f}" in (tmp_path / "new" / "report.html").read_text()


@pytest.mark.more
def test_what_cannot_be_exported_is_refused(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (f"runs=[{runs / 'a'},{runs / 'b'}]", "report.n_resamples=100")
    assert run_here(compare, "compare", tmp_path / "none", *words) == 0
    assert run_here(compare, "compare", tmp_path / "changed", *words, "ensemble=stack") == 0
    predictions = runs / "b" / "predictions.csv"
    pd.read_csv(predictions).eval("predicted_age = predicted_age + 1").to_csv(predictions, index=False)
    for name, message in (
        ("changed", "but their predictions have changed since they were compared"),
        ("none", "must be the folder of a comparison with a stack, but is not"),
        ("missing", "must be the folder of a comparison with a stack, but is not"),
    ):
        capsys.readouterr()
        assert main(["export", "--stack", str(tmp_path / name), "--out", str(tmp_path / "bundle")]) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "bundle").exists()


@pytest.mark.more
def test_the_networks_of_folds_share_the_weight_of_their_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrawn: None, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        shutil.copytree(WRITTEN / "multirun" / "folds", tmp_path / name)
    rng = np.random.default_rng(2)
    for path in sorted(tmp_path.glob("[ab]/*/predictions.csv")):
        table = pd.read_csv(path)
        table.assign(predicted_age=table["age"] + rng.normal(0, 5, len(table))).to_csv(path, index=False)
    assert run_here(compare, "compare", tmp_path / "one", "runs=[a]", "report.n_resamples=100") == 2
    assert "must name the folds of two models or more, but got those of one" in capsys.readouterr().err
    assert run_here(compare, "compare", tmp_path / "twice", "runs=[a,a]") == 2
    assert "one is named twice" in capsys.readouterr().err
    shutil.copytree(tmp_path / "a", tmp_path / "few")
    path = tmp_path / "few" / "1" / "predictions.csv"
    table = pd.read_csv(path)
    table[(table["split"] != "test") | (table.groupby("split").cumcount() < 9)].to_csv(path, index=False)
    assert run_here(compare, "compare", tmp_path / "small", "runs=[a,few]") == 2
    assert "must have folds of 10 or more test participants to be compared as one" in capsys.readouterr().err
    words = ("runs=[a,b]", "ensemble=stack", "report.n_resamples=100")
    assert run_here(compare, "compare", tmp_path / "both", *words) == 0
    said = capsys.readouterr().out
    assert "40 test participants are shared, of 40, 40." in said
    assert "Weights of the stack, fitted on 40 out-of-fold participants" in said
    weights = list(json.loads((tmp_path / "both" / "comparison.json").read_text())["stack"]["weights"].values())
    assert min(weights) > 0
    assert main(["export", "--stack", "both", "--out", "bundle"]) == 0
    found = read_stack(tmp_path / "bundle", "bundle")
    assert found.weights == pytest.approx([weight / 2 for weight in weights for _ in range(2)])
    assert found.correction is not None and (found.correction.fitted_on, found.correction.n) == ("held-out", 40)
