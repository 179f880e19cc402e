"""What is printed and logged."""

from __future__ import annotations

import pytest

from brainage.errors import CohortError
from brainage.system.console import log, terminal_text
from brainage.system.session import exit_code_of, say


def test_control_characters_are_replaced_and_lines_kept() -> None:
    assert terminal_text("a\x1b[2Jb\x07\x9bé\n\tc") == "a?[2Jb??é\n\tc"


def test_no_escape_sequence_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        log.info("site %s, %d of %d", "\x1b]0;owned\x07", 1, 2)
    assert caplog.messages == ["site ?]0;owned?, 1 of 2"]


def test_no_escape_sequence_reaches_the_terminal_in_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    error = CohortError("column `\x1b[31mred`")
    say(error)

    def fail() -> int:
        raise error

    assert exit_code_of(fail, "") == 2
    assert capsys.readouterr().err == "error: column `?[31mred`\n" * 2
