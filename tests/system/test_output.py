"""Printing never raises: closed pipes, closed descriptors, and terminals without the characters."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

PRINT = """
import sys
from brainage.system.output import lost_output, protect_output
protect_output()
print("Spearman \\u03c1", flush=True)
print(lost_output(), file=sys.stderr)
"""


def printed(redirection: str, **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {redirection}', sys.executable, PRINT],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr.strip()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_characters_that_a_terminal_lacks_are_replaced(encoding: str) -> None:
    assert printed("", PYTHONIOENCODING=encoding) == (0, "Spearman ?\n", "None")


@pytest.mark.parametrize(
    ("redirection", "reason"), [(">/dev/full", "No space left on device"), (">&-", "None")], ids=["full", "closed"]
)
def test_what_cannot_be_printed_is_dropped_and_its_reason_is_known(redirection: str, reason: str) -> None:
    assert printed(redirection) == (0, "", reason)
