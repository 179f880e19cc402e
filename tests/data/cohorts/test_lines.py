"""Lines of tables: the values that the csv module would find, also where they are found without it."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from brainage.data.cohorts.lines import _picked, read_lines
from brainage.errors import CohortError
from tests.data.cohorts.test_readers_hypothesis import often

VALUES = st.sampled_from(
    ["", "1", "-0.5", "a b", "é", '""', '"', '"a"', '"1,5"', '"a""b"', 'a"b', '","', " ", '"é" ', '"\n"']
)
POSITIONS = [1, 0, 4]


@often
@given(st.lists(VALUES, min_size=4, max_size=6))
@example(['"",""', "1", "2", "3"])
@example(['"a', 'b"', "1", "2", "3"])
@example(['"""', '"""', "1", "2", "3"])
@example(['""'] * 5)
def test_a_line_is_picked_as_the_csv_module_reads_it_or_left_to_it(values: list[str]) -> None:
    line = ",".join(values) + "\r\n"
    picked = _picked(line, ",", 5, POSITIONS)
    if picked is not None:
        fields = next(csv.reader([line], strict=True))
        assert len(fields) == 5 and any(fields)
        assert picked == [fields[position] for position in POSITIONS]


def test_lines_without_doubled_quotes_are_picked() -> None:
    for line in ("1,2,,é,", '"1","2","","é",""', '1,"2","",é,""\n'):
        assert _picked(line, ",", 5, [3, 0, 2]) == ["é", "1", ""]


@often
@given(st.lists(st.lists(VALUES, min_size=39, max_size=41), max_size=3))
def test_rows_of_a_wide_table_are_those_of_the_csv_module_or_refused(rows: list[list[str]]) -> None:
    text = "".join(",".join(row) + "\n" for row in rows)
    try:
        expected = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if any(row)]
    except csv.Error:
        expected = None
    try:
        found = [values for _, values in read_lines(iter(io.StringIO(text, newline="")), ",", 40, POSITIONS, Path("t"))]
    except CohortError:
        assert expected is None or {len(row) for row in expected} != {40}
    else:
        assert expected is not None
        assert found == [[row[position] for position in POSITIONS] for row in expected]
