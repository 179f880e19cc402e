"""Jobs of SLURM, with commands that stand for SLURM's own."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import submitit

from brainage.config.groups.launcher import SlurmConfig
from brainage.errors import ConfigError, OutputError
from brainage.system import signals, slurm
from brainage.system.signals import Interruption, interruptible
from brainage.system.slurm import SUBMITTED, Job, check_slurm, earlier_arrays, queued, submit, wait_for
from brainage.system.tasks import array_number

WORDS = ("train", "--multirun", "seed=1,2")


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands of SLURM, as shell scripts that tests write."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    write(folder / "sbatch", "echo Submitted batch job 71")
    write(folder / "srun", "")
    write(folder / "squeue", "")
    return folder


def write(path: Path, lines: str) -> None:
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)


def submitted(folder: Path, *numbers: int, **settings: Any) -> str:
    config = SlurmConfig(**settings)
    return submit(folder, config.of_submitit, config.max_num_timeout, WORDS, numbers)


@pytest.mark.usefixtures("cluster")
def test_an_array_gets_the_settings_and_what_is_pickled_are_the_words_of_the_command(tmp_path: Path) -> None:
    folder = tmp_path / SUBMITTED
    settings = {"timeout_min": 90, "signal_delay_s": 60, "mem_gb": 1.5, "cpus_per_task": 3, "gpus_per_node": 1}
    more = {"setup": ["module load cuda"], "additional_parameters": {"mail-type": "END"}, "max_num_timeout": 4}
    assert submitted(folder, 0, 3, partition="short", **settings, **more) == "71"
    lines = (folder / "71_submission.sh").read_text().splitlines()
    options = dict(line.removeprefix("#SBATCH --").partition("=")[::2] for line in lines if line.startswith("#SBATCH"))
    expected = {"partition": "short", "time": "90", "signal": "USR2@60", "mem": "1536MB", "gpus-per-node": "1"}
    assert options.items() >= {**expected, "array": "0-1%2", "requeue": "", "mail-type": "END"}.items()
    assert options["cpus-per-task"] == "3"
    assert lines.index("module load cuda") > lines.index("# setup")
    assert "export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK" in lines
    assert earlier_arrays(folder) == ["71"]
    second = submitit.helpers.DelayedSubmission.load(folder / "71_1_submitted.pkl")
    assert second.args == (3,)
    assert isinstance(second.function, Job)
    assert vars(second.function) == {"_called": sys.argv[0], "_words": list(WORDS)}
    assert second._timeout_countdown == 4


@pytest.mark.usefixtures("cluster")
def test_the_folder_of_jobs_is_no_link(tmp_path: Path) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "grid"
    elsewhere.mkdir()
    folder.mkdir()
    (folder / SUBMITTED).symlink_to(elsewhere)
    with pytest.raises(OutputError, match=r"\.submitit` must be in the run's folder, but is a link"):
        submitted(folder / SUBMITTED, 0)
    assert list(elsewhere.iterdir()) == []


def test_what_sbatch_refuses_is_one_message_and_leaves_nothing(
    cluster: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(cluster / "sbatch", "echo sbatch: error: invalid partition specified: shrot >&2; exit 1")
    with pytest.raises(ConfigError, match=r"sbatch says: invalid partition specified: shrot\. Correct it with hydra"):
        submitted(tmp_path / SUBMITTED, 0, 1, partition="shrot")
    assert not (tmp_path / SUBMITTED).exists()
    assert capfd.readouterr() == ("", "")


def test_a_missing_command_and_a_missing_extra_are_named(cluster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_slurm()
    (cluster / "sbatch").unlink()
    monkeypatch.setenv("PATH", str(cluster))
    with pytest.raises(ConfigError, match=r"needs SLURM's commands, but sbatch cannot be found\. Start the command"):
        check_slurm()
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ConfigError, match=r'needs submitit, which is not installed: pip install "brainage\[slurm\]"'):
        check_slurm()


def test_the_queue_is_counted_by_state_and_waited_for(
    cluster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(slurm, "_PAUSE", 0.0)
    answers = tmp_path / "answers"
    # One line an answer; the first is of a controller that restarts.
    answers.write_text("fail\n7 PENDING Resources;7 RUNNING None;8 RUNNING None\n7 RUNNING None\n8 RUNNING None\n")
    answer = f'line=$(head -n 1 {answers}); sed -i 1d {answers}; [ "$line" != fail ] || exit 1; '
    answer += "printf %s \"$line\" | tr ';' '\\n'"
    write(cluster / "squeue", answer)
    caplog.set_level("INFO", "brainage")
    wait_for(["7"])
    assert caplog.messages == ["SLURM does not answer; waiting", "1 pending (Resources), 1 running", "1 running"]
    assert answers.read_text() == ""
    assert queued(["7", "8"]) == Counter()


def test_a_job_that_is_signalled_stops_in_order_before_submitit_requeues_it(monkeypatch: pytest.MonkeyPatch) -> None:
    events = []

    def command(name: str, **_: object) -> None:
        events.append((name, array_number(), sys.argv[1:]))
        try:
            with interruptible():
                os.kill(os.getpid(), signal.SIGUSR2)
                events.append("never")
        except Interruption as stop:
            events.append("stopped")
            sys.exit(stop.exit_code)

    monkeypatch.setattr("runpy.run_module", command)
    monkeypatch.setattr(signals, "_stopping", [*signals._stopping])
    monkeypatch.setattr(sys, "argv", ["brainage"])
    monkeypatch.setenv("BRAINAGE_ARRAY_NUMBER", "")  # restored
    job = Job(WORDS)
    former = signal.signal(signal.SIGUSR2, lambda *_: events.append("requeued"))
    try:
        with pytest.raises(SystemExit, match=str(128 + signal.SIGUSR2)):
            job(3)
    finally:
        signal.signal(signal.SIGUSR2, former)
    assert events == [("brainage", 3, list(WORDS)), "stopped", "requeued"]
    again = job.checkpoint(3)
    assert (again.function, again.args) == (job, (3,))
