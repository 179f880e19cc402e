"""Width and colours of the terminal, and what is seen among other lines."""

from __future__ import annotations

import io
import logging
import sys
from pathlib import Path

import pytest

from brainage.system.console import log, show_note, show_table
from brainage.system.log_file import LogFile
from brainage.system.screen import Screen, columns, marked

LONG = "a limit that more files exceed than it allows:\n  brainage train --multirun split=kfold 'split.fold=range(5)'"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_has_no_width_and_columns_gives_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert columns() is None
    monkeypatch.setenv("COLUMNS", "93")
    assert columns() == 93


@pytest.mark.parametrize(("variable", "coloured"), [("OTHER", True), ("NO_COLOR", False)])
def test_marks_are_coloured_on_a_terminal(variable: str, coloured: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(variable, "1")
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert marked("warning", "beware") == ("\x1b[1;33mwarning:\x1b[0m beware" if coloured else "warning: beware")


def test_notes_are_wrapped_at_words_and_commands_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    lines = marked("note", LONG).splitlines()
    assert lines[:2] == ["note: a limit that more files", "  exceed than it allows:"]
    assert lines[2:] == LONG.splitlines()[1:]


def test_results_are_printed_and_logged_and_warnings_are_marked_in_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "13")
    handlers = [Screen(), LogFile(str(tmp_path / "train.log"))]
    monkeypatch.setattr(log, "handlers", handlers)
    monkeypatch.setattr(log, "level", logging.DEBUG)
    log._cache.clear()  # type: ignore[attr-defined]
    show_table("A title of words", ("", "years"), [["MAE of all", "5.25"]])
    show_note("beware")
    log.warning("rain")
    log.debug("epoch 3")
    handlers[1].close()
    table = "        years\nMAE of   5.25\nall\n"
    assert capsys.readouterr().out == f"A title of\n  words\n{table}note: beware\nwarning: rain\n"
    logged = (tmp_path / "train.log").read_text()
    assert logged == "A title of words\n            years\nMAE of all   5.25\nnote: beware\nwarning: rain\nepoch 3\n"
