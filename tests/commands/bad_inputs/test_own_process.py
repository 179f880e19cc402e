"""The same messages from a command in a process of its own, and no message where everything is right."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.commands.bad_inputs.cases import BIDS, UKB
from tests.commands.bad_inputs.conftest import Run, check_files, check_message, content, whole_words
from tests.commands.bad_inputs.test_configs import CONFIG
from tests.commands.bad_inputs.test_resume import CHECKPOINTS
from tests.commands.bad_inputs.test_tables import TABLES
from tests.conftest import run_command

CASES = {case.name: case for case in (*CONFIG, *TABLES, *CHECKPOINTS)}


@pytest.mark.parametrize(
    "name", ["an interpolation to nowhere", "ages in words", "no run", "a config that names a command"]
)
def test_a_command_in_its_own_process_gives_the_same_message(name: str, interrupted: Path, tmp_path: Path) -> None:
    case, folder = CASES[name], tmp_path / "all"
    shutil.copytree(interrupted, folder)
    if case.prepare is not None:
        case.prepare(folder)
    before = content(folder)
    ended = run_command(folder, *whole_words(case))
    assert ended.code == case.code, ended.text
    check_message(case, ended)
    check_files(ended, folder, before)


@pytest.mark.parametrize("words", [BIDS, UKB], ids=["tree", "UK Biobank"])
@pytest.mark.more
def test_the_same_command_ends_well_where_everything_is_right(
    words: tuple[str, ...], cohorts: Path, run_in: Run
) -> None:
    ended = run_in(cohorts, "train.py", *words)
    assert (ended.code, ended.err) == (0, "")
