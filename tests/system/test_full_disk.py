"""A full or read-only disk is one message, whichever library met it."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from optuna.trial import create_trial

from brainage.commands.bundle import main as bundle
from brainage.commands.simulate import main as simulate
from brainage.errors import OutputError
from brainage.reporting.page import Page, write_report
from brainage.sweep.results import write_trials
from brainage.system.files import write_csv, write_text
from brainage.system.session import exit_code_of
from tests.conftest import FAST, run_command, train_here


@contextmanager
def files_of_at_most(n_bytes: int) -> Iterator[None]:
    """Let no file of this process grow larger: writing fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


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


def test_other_errors_of_the_system_stay_what_they_are() -> None:
    def work() -> int:
        raise ConnectionResetError(errno.ECONNRESET, "reset")

    with pytest.raises(ConnectionResetError):
        exit_code_of(work, "")


def test_simulate_on_a_full_disk_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with files_of_at_most(4096):
        assert simulate(["--layout", "bids", "--out", str(tmp_path / "new"), "--participants", "1"]) == 2
    assert "cannot be written: File too large" in capsys.readouterr().err


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
