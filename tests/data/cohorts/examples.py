"""A table for tests of cohorts."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import Any

import openpyxl
import pandas as pd

IDS = ("1000044", "1000011", "1000033", "1000022")


def cohort_table(**columns: list[object]) -> pd.DataFrame:
    """Four participants in rows 2 to 5; the ids are not in order."""
    table = {
        "participant_id": list(IDS),
        "age": [50.0, 60.0, math.nan, 70.0],
        "sex": [0.0, 1.0, 1.0, math.nan],
        "site": pd.Series(["11025", "11026", None, "x`y & z"], dtype="str"),
        "21001-2.0": [20.0, 30.0, 25.0, 40.0],
    }
    return pd.DataFrame(table | columns).set_axis(pd.RangeIndex(2, 6))


def check_no_id(error: BaseException) -> None:
    """Check that a message contains no id."""
    assert not [one for one in IDS if one in str(error)]


def arrow_bytes(write: Callable[[Any, Any], None], table: Any) -> bytes:
    """Return a table as `write` of pyarrow writes it."""
    file = io.BytesIO()
    write(table, file)
    return file.getvalue()


def book(*sheets: list[list[Any]], state: str = "visible") -> bytes:
    """Return a workbook with these rows in its sheets; `state` is that of all but the first."""
    content = openpyxl.Workbook()
    content.remove(content.active)
    for number, rows in enumerate(sheets):
        sheet = content.create_sheet(f"s{number}")
        sheet.sheet_state = state if number else "visible"
        for row in rows:
            sheet.append(row)
    file = io.BytesIO()
    content.save(file)
    return file.getvalue()
