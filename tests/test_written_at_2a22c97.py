"""Folders written by commit 2a22c97 are still read, resumed and continued (see `written_at_2a22c97/README.md`)."""

from __future__ import annotations

import csv
import json
import logging
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf
from safetensors.torch import load_file

from brainage.commands.bundle import main as bundle_command
from brainage.commands.compare import compare
from brainage.commands.predict import predict
from brainage.commands.report import report
from brainage.commands.store import main as store_command
from brainage.config.overrides import leaves
from brainage.runs.job import run_job as train
from brainage.sweep import storage
from tests.conftest import ROOT, run_command, run_here

WRITTEN = ROOT / "tests" / "written_at_2a22c97"
COHORT = ("cohort.n_participants=40", "modality.n_times=120")
SWEEP = (*COHORT, "batch_size=8", "trainer=cpu", "trainer.max_epochs=1", "sweep=variable1dcnn", "seed=1",
         "recipe=modern")  # fmt: skip


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrawn: None) -> Path:
    """The folders as `outputs/`, below the working directory."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(WRITTEN, tmp_path / "outputs")
    return tmp_path / "outputs"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def summary(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "summary.json").read_text())
    return found


@pytest.mark.parametrize("run", ["train/finished", "train/ridge"])
def test_a_run_is_reported(run: str, outputs: Path, tmp_path: Path) -> None:
    assert run_here(report, "report", tmp_path / "new", f"run=outputs/{run}") == 0
    assert (tmp_path / "new" / "report.html").is_file()
    # Bins of fewer than ten participants are merged since.
    found, former = rows(tmp_path / "new" / "gap.csv"), rows(outputs / run / "gap.csv")
    assert (found[0]["age_low"], found[-1]["age_high"]) == (former[0]["age_low"], former[-1]["age_high"])
    assert sum(int(row["n"]) for row in found) == sum(int(row["n"]) for row in former)


def test_folds_are_reported_together(outputs: Path, tmp_path: Path) -> None:
    assert run_here(report, "report", tmp_path / "new", "run=outputs/multirun/folds") == 0
    pooled = rows(outputs / "multirun" / "folds" / "pooled_predictions.csv")
    predicted = {row["participant_id"]: row["predicted_age"] for row in rows(tmp_path / "new" / "predictions.csv")}
    assert predicted == {row["participant_id"]: row["predicted_age"] for row in pooled}


def test_two_runs_are_compared(outputs: Path, tmp_path: Path) -> None:
    for name in ("finished", "ridge"):  # four test participants are too few to compare
        predictions = outputs / "train" / name / "predictions.csv"
        predictions.write_text(predictions.read_text().replace(",train,", ",test,"))
    words = ("runs=[outputs/train/finished,outputs/train/ridge]",)
    assert run_here(compare, "compare", tmp_path / "new", *words) == 0
    assert (tmp_path / "new" / "report.html").is_file()


def test_an_interrupted_run_resumes_after_its_last_epoch(outputs: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = outputs / "train" / "interrupted"
    before = rows(run / "metrics.csv")
    with caplog.at_level(logging.INFO):
        assert run_here(train, "train", run, f"resume={run}", "trainer.max_epochs=25") == 0
    after = rows(run / "metrics.csv")
    assert [int(row["epoch"]) for row in after] == list(range(25))
    assert after[: len(before)] == before[: len(after)]
    assert len(before) == 23
    assert summary(run)["status"] == "finished"
    assert len(list((run / "tensorboard").glob("events.*"))) == 2
    assert "Reading" not in caplog.text


@pytest.mark.parametrize(
    "source", ["run=outputs/train/finished", "bundle=outputs/bundles/finished", "runs=outputs/multirun/folds"]
)
def test_networks_predict_new_participants(source: str, outputs: Path, tmp_path: Path) -> None:
    words = (source, "cohort=simulated", "cohort.n_participants=6", "cohort.seed=7", "report.n_resamples=100")
    assert run_here(predict, "predict", tmp_path / "new", *words) == 0
    assert len(rows(tmp_path / "new" / "predictions.csv")) == 6


def test_a_run_and_its_bundle_predict_what_the_run_predicted(outputs: Path, tmp_path: Path) -> None:
    expected = {row["participant_id"]: row for row in rows(outputs / "train" / "finished" / "predictions.csv")}
    for number, source in enumerate(("run=outputs/train/finished", "bundle=outputs/bundles/finished")):
        new = tmp_path / f"new{number}"
        assert run_here(predict, "predict", new, source, "cohort=simulated", "cohort.n_participants=40") == 0
        found = {row["participant_id"]: float(row["predicted_age"]) for row in rows(new / "predictions.csv")}
        assert found == pytest.approx({name: float(row["predicted_age"]) for name, row in expected.items()}, abs=1e-3)


def test_a_run_is_exported_as_the_same_bundle(outputs: Path, tmp_path: Path) -> None:
    assert bundle_command(["export", "--run", "outputs/train/finished", "--out", "new"]) == 0
    former = WRITTEN / "bundles" / "finished"
    tensors, expected = load_file(tmp_path / "new" / "weights.safetensors"), load_file(former / "weights.safetensors")
    assert tensors.keys() == expected.keys()
    assert all((tensors[name] == expected[name]).all() for name in expected)
    assert (tmp_path / "new" / "config.yaml").read_text() == (former / "config.yaml").read_text()
    made, noted = (json.loads((folder / "bundle.json").read_text()) for folder in (tmp_path / "new", former))
    assert "needs 50 validation participants for symmetric intervals, but there are 4" in made.pop("intervals")
    reasons = [values.pop("uncorrected") for values in (made, noted)]  # a sentence, which may be reworded
    assert all(
        f"`gap_correction=linear` needs {least} participants" in reason and "there are 4" in reason
        for reason, least in zip(reasons, (100, 20), strict=True)
    )
    # Since, extremes are not written, and parts of fewer than ten participants are only counted.
    for spread in (noted["ages"], *noted["series"].values()):
        del spread["low"], spread["high"]
        spread |= {"p5": None, "p95": None}
    for values in (
        *(noted["facts"]["metrics"][part] for part in ("val", "test")),
        *noted["facts"]["baseline"].values(),
    ):
        values |= dict.fromkeys(values)
    assert made == noted


def test_the_store_verifies_and_is_opened_without_reading_series(
    outputs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    series = outputs / "store" / "2cc77494c08b8b5c" / "series.npy"
    before = series.stat().st_mtime_ns
    assert store_command(["verify"]) == 0
    with caplog.at_level(logging.INFO):
        words = (*COHORT, "model=ridge_connectivity", "report.n_resamples=100")
        assert run_here(train, "train", tmp_path / "new", *words) == 0
    assert "Reading" not in caplog.text
    assert series.stat().st_mtime_ns == before
    assert rows(tmp_path / "new" / "splits.csv") == rows(outputs / "train" / "ridge" / "splits.csv")
    found = [float(row["predicted_age"]) for row in rows(tmp_path / "new" / "predictions.csv")]
    expected = [float(row["predicted_age"]) for row in rows(outputs / "train" / "ridge" / "predictions.csv")]
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("target", ["brainage.multirun.JobFolders", "hydra_plugins.brainage_sweeper.BrainageSweeper"])
def test_saved_targets_are_found(target: str) -> None:
    assert get_class(target).__name__ == target.rpartition(".")[2]


@pytest.mark.more
def test_the_best_trial_of_a_sweep_trains(outputs: Path, tmp_path: Path) -> None:
    folder = "outputs/sweeps/variable1dcnn-ica25"
    ended = run_command(tmp_path, "train.py", "--config-dir", folder, "experiment=best", "hydra.run.dir=new")
    assert ended.code == 0, ended.text
    found = summary(tmp_path / "new")
    assert (found["status"], found["seed"]) == ("finished", 1)


@pytest.mark.parametrize("cohort", [(), ("cohort=ukb", "cohort.phenotypes=x"), ("cohort=bids",)])
def test_new_keys_of_the_config_have_the_values_of_a_former_sweep(
    cohort: tuple[str, ...], outputs: Path, composed: Callable[..., DictConfig]
) -> None:
    database = outputs / "sweeps" / "variable1dcnn-ica25" / "study.db"
    with closing(sqlite3.connect(database)) as connection:
        found = connection.execute("SELECT value_json FROM study_user_attributes WHERE key = 'brainage'").fetchone()
    former = {*json.loads(found[0])["fixed"]}
    former |= {f"cohort.{name}" for name in ("root", "phenotypes", "pattern", "instance", "member")}
    config = composed(*cohort, *(["cohort.root=x"] if cohort else []))
    for group in ("modality", "cohort", "recipe", "trainer"):
        values = leaves(OmegaConf.to_container(config[group], resolve=True), f"{group}.")
        new = {key: json.dumps(value) for key, value in values.items() if key not in former and value is not None}
        assert {item for item in new.items() if not storage.FREE.match(item[0])} <= storage._SINCE.items()


@pytest.mark.slow
def test_a_sweep_continues(outputs: Path, tmp_path: Path) -> None:
    ended = run_command(tmp_path, "train.py", "--multirun", *SWEEP, "hydra.sweeper.n_trials=3")
    assert ended.code == 0, ended.text
    sweep = outputs / "sweeps" / "variable1dcnn-ica25"
    former = rows(WRITTEN / "sweeps" / "variable1dcnn-ica25" / "trials.csv")
    trials = rows(sweep / "trials.csv")
    assert len([row for row in trials if row["state"] in ("COMPLETE", "PRUNED")]) == 3
    assert [row["value"] for row in trials[: len(former)]] == [row["value"] for row in former]
    assert (sweep / "experiment" / "best.yaml").is_file()
