"""``channels.csv`` of a run: written where channels have names, and checked when it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from brainage.errors import EvaluationError
from brainage.runs.channels import read_channel_names, shown_names


def test_names_are_those_of_the_file(tmp_path: Path) -> None:
    assert read_channel_names(tmp_path) is None
    (tmp_path / "channels.csv").write_text("number,name\n3,NA\n1,7\n2,NA\n")
    assert read_channel_names(tmp_path, 3) == ("NA", "7", "NA")


@pytest.mark.parametrize("text", ["number\n1\n", "number,name\n1,\n", "number,name\n1,a\n2,b\n", "number,name\n", ""])
def test_a_damaged_file_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "channels.csv").write_text(text)
    with pytest.raises(EvaluationError, match="channels.csv` (must have a column|cannot be read)"):
        read_channel_names(tmp_path, 3)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("name\na\n")
    (tmp_path / "channels.csv").symlink_to("secret")
    with pytest.raises(EvaluationError, match="is a link"):
        read_channel_names(tmp_path, 1)


def test_of_many_names_the_first_and_the_last_are_shown() -> None:
    assert shown_names(["a", "b\n"]) == "a, b?"
    assert shown_names([f"P{number}" for number in range(1, 101)]) == "P1, P2, P3, ..., P100"
