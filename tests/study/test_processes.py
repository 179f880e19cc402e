"""Processes of a study's steps: logged, and stopped when the study was killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from brainage.study.processes import _write_note, run_command, step_error, stop_leftover


@pytest.mark.parametrize(("code", "how"), [(2, "ended with 2"), (-9, "was ended by SIGKILL")])
def test_the_error_of_a_step_has_its_name_exit_code_log_and_last_lines(code: int, how: str, tmp_path: Path) -> None:
    log_file = tmp_path / "step.log"
    log_file.write_text(
        "$ brainage train seed=1\nold\n$ brainage train seed=1\none\ntwo\nthree\n\nfour\nSet HYDRA_FULL_ERROR=1\n"
    )
    message = str(step_error("manual_search/depth", ["train", "seed=1"], code, log_file))
    assert f"step manual_search/depth: brainage train {how}" in message
    assert f"`{log_file}` are: two three four Correct" in message


def test_a_command_is_run_as_brainage_and_its_output_is_appended_to_the_log(tmp_path: Path) -> None:
    log_file, note = tmp_path / "logs" / "step.log", tmp_path / "note.json"
    assert run_command(["--version"], log_file, note) == 0
    assert run_command(["nonsense"], log_file, note) == 2
    text = log_file.read_text()
    assert text.startswith("$ brainage --version\n0.1") and "but got 'nonsense'" in text
    assert not note.exists()


def test_the_process_of_a_killed_study_is_stopped_but_no_other_process_with_its_number(tmp_path: Path) -> None:
    note = tmp_path / "note.json"
    leftover, other = (subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) for _ in range(2))
    try:
        _write_note(note, leftover.pid)
        started = json.loads(note.read_text())["begun"]
        stop_leftover(note)
        assert not psutil.pid_exists(leftover.pid) and not note.exists()
        note.write_text(json.dumps({"pid": other.pid, "begun": started - 100}))
        stop_leftover(note)
        assert other.poll() is None and not note.exists()
    finally:
        other.kill()
        other.communicate()
        leftover.communicate()


def test_a_damaged_note_is_removed(tmp_path: Path) -> None:
    (tmp_path / "note.json").write_text("{")
    stop_leftover(tmp_path / "note.json")
    assert not (tmp_path / "note.json").exists()
