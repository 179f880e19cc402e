"""Tables as they are written."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from brainage.errors import OutputError
from brainage.system.files import cell_text, refuse_links, write_csv


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "-"])
def test_text_that_a_spreadsheet_evaluates_gets_an_apostrophe(text: str) -> None:
    assert cell_text(text) == f"'{text}"


@pytest.mark.parametrize("value", ["-0.5", "+1e3", "-inf", "p-1", "", "a=b", -0.5, None])
def test_numbers_and_other_texts_are_unchanged(value: object) -> None:
    assert cell_text(value) == value


def test_a_written_table_has_no_formulas(tmp_path: Path) -> None:
    table = pd.DataFrame({"variable": ["=HYPERLINK(1)", "speed", None], "r": [-0.5, 0.25, None]})
    write_csv(tmp_path / "a.csv", table)
    assert (tmp_path / "a.csv").read_text().splitlines() == ["variable,r", "'=HYPERLINK(1),-0.5", "speed,0.25", ","]


def test_the_folders_that_wandb_makes_are_not_searched_for_links(tmp_path: Path) -> None:
    logs = tmp_path / "run" / "wandb" / "offline-run-1" / "logs"
    logs.mkdir(parents=True)
    (logs / "debug-core.log").symlink_to(tmp_path.parent / "cache")
    refuse_links(tmp_path / "run", tmp_path / "run" / "wandb")
    (tmp_path / "run" / "wandb" / "debug.log").symlink_to(tmp_path.parent / "profile")
    for place in (tmp_path / "run", tmp_path / "run" / "wandb"):
        with pytest.raises(OutputError, match=r"wandb/debug.log` must be in the run's folder"):
            refuse_links(place)
