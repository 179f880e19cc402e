"""The jobs of a grid in a queue."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import psutil
import pytest
import submitit

from brainage.runs.queue import _has_ended
from brainage.system.slurm import Job
from tests.conftest import FAST, wait_until


@pytest.mark.parametrize(
    ("status", "has_report", "ended"),
    [("finished", True, True), ("finished", False, False), ("impossible", False, True), ("interrupted", False, False)],
)
def test_a_job_is_not_submitted_again_if_it_would_only_be_kept(
    status: str, has_report: bool, ended: bool, tmp_path: Path
) -> None:
    (tmp_path / "summary.json").write_text(json.dumps({"status": status}))
    if has_report:
        (tmp_path / "report.html").touch()
    assert _has_ended(tmp_path) is ended


@pytest.mark.more
def test_a_job_that_is_signalled_is_requeued_and_continues_after_its_last_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["brainage"])
    words = ("train", "--multirun", *FAST, "trainer.max_epochs=80", "patience=80", "seed=1,2", "hydra.sweep.dir=grid")
    executor = submitit.LocalExecutor(tmp_path / "submitted", max_num_timeout=1)
    job = executor.submit(Job([*words, "hydra/launcher=submitit_slurm"]), 1)
    metrics = tmp_path / "grid" / "1" / "metrics.csv"
    # A row is written before its checkpoint.
    wait_until(lambda: metrics.exists() and metrics.read_text().count("\n") > 4)
    for process in psutil.Process(int(job.job_id)).children(recursive=True):
        process.send_signal(signal.SIGUSR2)
    assert job.results() == [None]
    printed = job.stdout() or ""
    assert printed.count("Job 1: seed=2") == 2
    resumed = int(printed.partition("Resuming after epoch ")[2].split()[0])
    assert 2 <= resumed < 79
    summary = json.loads((tmp_path / "grid" / "1" / "summary.json").read_text())
    assert (summary["status"], summary["epochs"]) == ("finished", 80)
    epochs = [line.partition(",")[0] for line in metrics.read_text().splitlines()[1:]]
    assert epochs == [str(epoch) for epoch in range(80)]
    # The other job of the grid, and the end of the multirun, are left to others.
    assert sorted(path.name for path in (tmp_path / "grid").iterdir()) == ["1", "multirun.yaml"]
