"""A full or read-only disk is one message, whichever library met it."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch
from optuna.trial import create_trial

from brainage.commands import compare, explain, predict, report
from brainage.commands.bundle import main as bundle
from brainage.commands.simulate import main as simulate
from brainage.errors import OutputError
from brainage.reporting.page import Page, write_report
from brainage.runs.job import run_job
from brainage.sweep.results import write_trials
from brainage.system.files import ensure_writable, write_csv, write_text
from brainage.system.log_file import LogFile
from brainage.system.session import exit_code_of
from brainage.training.checkpoint import AtomicCheckpointIO
from tests.conftest import FAST, every_third, files_of_at_most, run_command, run_here, train_here


def test_a_file_that_cannot_be_written_whole_is_not_there_and_is_one_message(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": range(10_000)})
    for write in (
        lambda: write_text(tmp_path / "metrics.csv", "x" * 10_000),
        lambda: write_csv(tmp_path / "metrics.csv", table),
    ):
        with files_of_at_most(4096), pytest.raises(OutputError) as raised:
            write()
        assert f"`{tmp_path}/metrics.csv` cannot be written: {os.strerror(errno.EFBIG)}. " in str(raised.value)
        assert "hydra.run.dir=DIR" in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_the_tables_of_a_sweep_and_pages_name_their_file(tmp_path: Path) -> None:
    with files_of_at_most(1), pytest.raises(OutputError, match=r"trials\.csv` cannot be written: File too large"):
        write_trials(tmp_path / "trials.csv", [create_trial(value=1.0)], ["a"], 1, reported=False)
    (tmp_path / "figures").write_text("")
    with pytest.raises(OutputError, match=r"figures` cannot be written: File exists"):
        write_report(tmp_path, Page("title", [], []))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_what_another_library_writes_to_a_full_disk_is_one_message(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> int:
        raise OSError(number, os.strerror(number), "folder/file")

    assert exit_code_of(work, "") == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: `folder/file` cannot be written: {os.strerror(number)}. ") and said.count("\n") == 1


def test_other_errors_of_the_system_stay_what_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        raise ConnectionResetError(errno.ECONNRESET, "reset")

    assert exit_code_of(work, "") == 1
    assert "ConnectionResetError: [Errno 104] reset" in capsys.readouterr().err


def test_simulate_on_a_full_disk_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with files_of_at_most(4096):
        assert simulate(["--layout", "bids", "--out", str(tmp_path / "new"), "--participants", "1"]) == 2
    assert "cannot be written: File too large" in capsys.readouterr().err


@pytest.mark.more
def test_reports_predictions_and_exports_on_a_full_disk_are_one_message_and_can_be_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train_here(tmp_path / "run", *FAST, "model.depth=1", "model.start_out=2")
    folder = tmp_path / "bundle"
    capsys.readouterr()
    with files_of_at_most(1500):
        assert bundle(["export", "--run", str(run), "--out", str(folder)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and "cannot be written: File too large" in said and said.count("\n") == 1
    (folder / "config.yaml").write_text("left by a killed export")
    (folder / ".weights.safetensors.0123.partial").write_text("")
    assert bundle(["export", "--run", str(run), "--out", str(folder)]) == 0
    assert not list(folder.glob(".*"))
    assert bundle(["export", "--run", str(run), "--out", str(folder)]) == 2
    assert "must be a new or an empty folder" in capsys.readouterr().err
    for words in (("report.py",), ("predict.py", "cohort=simulated", "cohort.n_participants=6")):
        ended = run_command(tmp_path, *words, f"run={run}", "hydra.run.dir=/proc/nowhere")
        assert ended.code == 2 and "Traceback" not in ended.text, ended.text
        assert "/proc/nowhere` cannot be written: No such file or directory" in ended.err


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two finished runs of the same participants."""
    folder = tmp_path_factory.mktemp("runs")
    small = (*FAST, "cohort.n_participants=100", "model.depth=1", "model.start_out=2")
    return train_here(folder / "first", *small), train_here(folder / "second", *small, "seed=1")


@pytest.mark.parametrize("name", ["tables", "page"])
@pytest.mark.parametrize("verb", every_third(["report", "compare", "predict", "explain"]))
def test_a_command_on_a_full_disk_is_one_message(
    verb: str, name: str, runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = f"store.root={runs[0].parent / 'store'}"
    work, words = {
        "report": (report.report, (f"run={runs[0]}",)),
        "compare": (compare.compare, (f"runs=[{runs[0]},{runs[1]}]",)),
        "predict": (predict.predict, (f"run={runs[0]}", "cohort=simulated", "cohort.n_participants=100", store)),
        "explain": (explain.explain, (f"run={runs[0]}", "participants=2", store)),
    }[verb]
    capsys.readouterr()
    # The tables of a comparison have no participants.
    with files_of_at_most(100 if name == "tables" else 3_000 if verb == "compare" else 7_000):
        code = run_here(work, verb, tmp_path / "out", *words)
    said = capsys.readouterr().err
    assert code == 2
    assert said.startswith(f"error: `{tmp_path}/out/") and "cannot be written: File too large. " in said
    assert said.count("\n") == 1
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.parametrize("n_bytes", [120, 4096], ids=["metrics.csv", "checkpoint"])
def test_a_training_on_a_full_disk_is_one_message(
    n_bytes: int, runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(runs[0], run)
    capsys.readouterr()
    words = (f"resume={run}", "trainer.max_epochs=2", f"store.root={runs[0].parent / 'store'}")
    with files_of_at_most(n_bytes):
        code = run_here(run_job, "train", run, *words)
    said = capsys.readouterr()
    assert code == 2
    assert said.err.startswith("error: `") and "cannot be written: File too large. " in said.err
    assert (said.out + said.err).count("Traceback") == 0 and said.err.count("\n") == 1


def test_a_checkpoint_on_a_full_disk_is_the_systems_error_and_the_last_one_stays(tmp_path: Path) -> None:
    path, large = tmp_path / "last.ckpt", {"state_dict": {"w": torch.zeros(10_000)}}
    AtomicCheckpointIO().save_checkpoint({"epoch": 1}, path)
    before = path.read_bytes()
    with files_of_at_most(8192), pytest.raises(OSError, match="File too large"):
        AtomicCheckpointIO().save_checkpoint(large, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_log_that_cannot_be_written_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = LogFile(str(tmp_path / "train.log"))
    with files_of_at_most(20):
        for number in range(3):
            handler.handle(logging.makeLogRecord({"msg": f"line {number}, which is longer than twenty characters"}))
    handler.close()
    said = capsys.readouterr().err
    assert said.startswith(f"warning: `{tmp_path}/train.log` cannot be written: File too large. ")
    assert said.count("\n") == 1


def test_a_folder_on_a_full_disk_is_refused_before_hydra_writes_there(tmp_path: Path) -> None:
    with files_of_at_most(900), pytest.raises(OutputError, match=r"new` cannot be written: File too large"):
        ensure_writable(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
