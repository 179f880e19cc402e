"""``modality.scale`` from files to predictions: train, bundle, predict, explain, check, and arrays in Python."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import brainage as ba
from brainage.commands.bundle import main as bundle
from brainage.commands.check import check
from brainage.commands.explain import explain
from brainage.commands.predict import predict
from brainage.config.saved import typed_parts
from brainage.errors import SeriesError
from tests.commands.test_t_r import N_CHANNELS, N_TIMES, SMALL, cohort
from tests.conftest import run_here, train_here

N = 30
AGES = 20 + 2.0 * np.arange(N)


def raw(number: int, mean: float, gain: float = 1.0) -> np.ndarray:
    """Return series whose SD grows with age, around a mean; in all, z-scores are the same noise."""
    noise = np.random.default_rng(5).standard_normal((N_TIMES, N_CHANNELS))
    noise = (noise - noise.mean(axis=0)) / noise.std(axis=0)
    return gain * (mean + noise * (1 + number / 10))


def write_tree(folder: Path, mean: float, gain: float = 1.0) -> Path:
    folder.mkdir(parents=True)
    for number in range(N):
        np.save(folder / f"sub-secret{number:02d}_timeseries.npy", raw(number, mean, gain))
    rows = "".join(f"sub-secret{number:02d}\t{age}\n" for number, age in enumerate(AGES))
    (folder / "participants.tsv").write_text("participant_id\tage\n" + rows)
    return folder


WORDS = (*SMALL, "modality.t_r=1", "optimizer.lr=0.01", "model.batch_norm=true", "split.seed=2")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scale")
    write_tree(folder / "raw", 100.0)
    write_tree(folder / "ica", 0.0)
    return folder


def bundle_of(place: Path, scale: str) -> Path:
    """Train a network of a scale, once, and return its bundle, beside the run."""
    out = place / f"{scale}.bundle"
    if not out.exists():
        words = (*cohort(place / "raw"), *WORDS, f"modality.scale={scale}", "trainer.max_epochs=3")
        train_here(place / scale, *words)
        assert bundle(["export", "--run", str(place / scale), "--out", str(out)]) == 0
    return out


def predicted(folder: Path) -> pd.Series:
    table = pd.read_csv(folder / "predictions.csv").set_index("participant_id")["predicted_age"]
    return table.sort_index()


def of_arrays(folder: Path, arrays: list[np.ndarray]) -> np.ndarray:
    with pytest.warns(UserWarning, match="that the network was trained on is unknown"):
        return ba.load_bundle(folder).predict(arrays, t_r=1.0)["predicted_age"].to_numpy()


@pytest.mark.parametrize("scale", ["percent", pytest.param("none", marks=pytest.mark.more)])
def test_a_bundle_predicts_files_and_arrays_with_its_scale(scale: str, place: Path, tmp_path: Path) -> None:
    out = bundle_of(place, scale)
    config = (out / "config.yaml").read_text()
    assert f"  scale: {scale}\n" in config and f"scale: {scale}" in (place / scale / "config.yaml").read_text()
    expected = predicted(place / scale)
    assert expected.std() > 1e-3  # all z-scores are the same, so the amplitude alone sets participants apart
    words = (f"bundle={out}", *cohort(place / "raw"), "device=cpu", "report.n_resamples=100")
    assert run_here(predict, "predict", tmp_path / "new", *words, f"store.root={place / 'store'}") == 0
    np.testing.assert_allclose(predicted(tmp_path / "new"), expected, atol=1e-4)
    arrays = [raw(number, 100.0) for number in range(N)]
    np.testing.assert_allclose(of_arrays(out, arrays), expected, atol=1e-4)


@pytest.mark.more
def test_another_gain_changes_nothing_in_percent_and_is_a_caveat_of_numbers_as_read(place: Path) -> None:
    louder = [raw(number, 100.0, 3.0) for number in range(N)]
    np.testing.assert_allclose(of_arrays(bundle_of(place, "percent"), louder), predicted(place / "percent"), atol=1e-3)
    as_read = of_arrays(bundle_of(place, "none"), louder)
    assert np.abs(as_read - predicted(place / "none").to_numpy()).mean() > 0.01
    traits = json.loads((place / "none.bundle" / "bundle.json").read_text())["series"]
    assert traits["mean"]["mean"] == pytest.approx(100, rel=1e-4) and traits["SD"]["mean"] > 1


def test_percent_of_an_ica_is_refused_in_every_command(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle_of(place, "percent")
    capsys.readouterr()
    words = (*cohort(place / "ica"), f"store.root={tmp_path / 'store'}")
    with pytest.raises(AssertionError):
        train_here(tmp_path / "run", *words, *WORDS, "modality.scale=percent")
    said = [capsys.readouterr().err]
    assert not (tmp_path / "run" / "checkpoints").exists()
    for command in (predict, explain):
        out = tmp_path / command.__name__
        assert run_here(command, command.__name__, out, f"bundle={bundle_of(place, 'percent')}", *words) == 2
        said.append(capsys.readouterr().err)
    for message in said:
        assert "`modality.scale=percent`" in message and f"in {N} of {N} participants it is not" in message
        assert f"in {N_CHANNELS} of {N_CHANNELS} channels" in message and "secret" not in message
    with pytest.raises(SeriesError, match=r"number 1: mean near 0: 4 of 4 channels have no mean above their SD"):
        ba.load_bundle(bundle_of(place, "percent")).predict([raw(0, 100.0), raw(1, 0.0)], t_r=1.0)


@pytest.mark.more
@pytest.mark.parametrize(("scale", "replaced"), [("percent", "replaced by zeros"), ("none", "replaced by its mean")])
def test_explanations_start_from_the_mean_over_time(scale: str, replaced: str, place: Path, tmp_path: Path) -> None:
    bundle_of(place, scale)
    words = (f"run={place / scale}", "rows=all", "participants=5", "n_windows=2", "n_steps=16")
    assert run_here(explain, "explain", tmp_path, *words, "report.n_resamples=100") == 0
    facts = json.loads((tmp_path / "explanation.json").read_text())
    assert not [note for note in facts["notes"] if "differ" in note]
    assert replaced in (tmp_path / "report.html").read_text()
    assert facts["completeness"]["mean"] < 0.1 * facts["completeness"]["effect"]


def test_check_says_which_scales_are_possible(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = {}
    for name in ("raw", "ica"):
        assert run_here(check, "check", tmp_path / name, *cohort(place / name)) == 0
        tables = json.loads((tmp_path / name / "check.json").read_text())["tables"]
        (shown[name],) = (table["rows"] for table in tables if table["title"] == "Choices of modality.scale")
    assert [row[:2] for row in shown["raw"]] == [["zscore", "30"], ["percent", "30"], ["none", "30"]]
    assert "mean of 100 and an SD of 2.45" in shown["raw"][2][2]
    assert shown["ica"][1] == ["percent", "0", "means are near 0 in the others"]


@pytest.mark.more
def test_numbers_that_networks_do_not_learn_from_are_a_warning(
    place: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = (*cohort(write_tree(tmp_path / "large", 10_000.0)), *WORDS, "modality.scale=none")
    train_here(tmp_path / "run", *words, "evaluate=false")
    assert "channels have a mean of 10,000 and an SD of" in caplog.text and "Use modality.scale=percent" in caplog.text


def test_earlier_configs_are_z_scored(place: Path) -> None:
    config = yaml.safe_load((bundle_of(place, "percent") / "config.yaml").read_text())
    del config["modality"]["scale"]
    assert typed_parts(config["modality"], config["model"], place)[0].scale == "zscore"


def test_a_regressor_in_python_has_a_scale() -> None:
    X, y = np.stack([raw(number, 100.0).T for number in range(N)]), AGES
    settings = {"depth": 1, "kernel_size": 3, "start_out": 4, "lr": 0.05, "max_epochs": 4}
    of_scale = {
        scale: ba.BrainAgeRegressor(**settings, scale=scale).fit(X, y).predict(X) for scale in ("zscore", "percent")
    }
    assert of_scale["zscore"].std() < 1e-3 and np.corrcoef(of_scale["percent"], y)[0, 1] > 0.95
    with pytest.raises(SeriesError, match="mean near 0"):
        ba.BrainAgeRegressor(scale="percent").fit(X - 100, y)
    with pytest.raises(ValueError, match="`scale` must be zscore, percent, none, but is 'raw'"):
        ba.BrainAgeRegressor(scale="raw").fit(X, y)
