"""The table of a panel as text, and the one of the documentation."""

from __future__ import annotations

import pandas as pd

from brainage.study.panel_table import markdown, text_rows
from tests.conftest import ROOT


def test_numbers_are_rounded_and_unknown_ones_are_dashes() -> None:
    columns = ("val_mae", "test_mae", "test_mae_low", "test_mae_high")
    first = dict.fromkeys(columns, 3.126) | {"parameters": 57921, "milliseconds": 0.0042, "seconds": 241.6}
    second = dict.fromkeys(columns, None) | {"parameters": 1, "milliseconds": None, "seconds": 0.013}
    for row in (first, second):
        row |= {f"minus_best{end}": None for end in ("", "_low", "_high", "_p")}
        row |= {f"minus_reference{end}": None for end in ("", "_low", "_high", "_p")}
    first |= {"minus_reference": -0.15, "minus_reference_low": -0.22, "minus_reference_high": -0.08}
    first |= {"minus_reference_p": 0.0004}
    table = pd.DataFrame([{"model": "a", **first}, {"model": "b", **second}]).assign(reference="b")
    header, rows = text_rows(table)
    assert header[3:5] == ("minus a", "minus b")
    assert rows == [
        ["a", "3.13", "3.13 (3.13 to 3.13)", "-", "-0.15 (-0.22 to -0.08), p < 0.001", "57,921", "< 0.01", "242"],
        ["b", "-", "-", "-", "-", "1", "-", "0.013"],
    ]


def test_the_table_of_the_documentation_is_that_of_its_panel() -> None:
    docs = ROOT / "docs"
    table, page = pd.read_csv(docs / "which_model.csv"), (docs / "which_model.md").read_text(encoding="utf-8")
    assert markdown(table) in page
    assert {commit for commit in table["commit"] if f"`{commit[:7]}`" not in page} == set()
