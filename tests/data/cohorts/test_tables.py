"""Reading tables as text."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from brainage.data.cohorts.tables import read_columns, read_header, unique_names
from brainage.errors import CohortError


def test_rows_are_lines_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'\xef\xbb\xbf"a", b,c\r\n1,"x\r\ny",3\r\n\r\n,,\r\n4,5,caf\xe9\r\n')
    assert read_header(path) == ["a", "b", "c"]
    found = read_columns(path, ["b", "a"])
    assert found.to_dict("split") == {"index": [2, 6], "columns": ["b", "a"], "data": [["x\r\ny", "1"], ["5", "4"]]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is empty"),
        (b"\na,b\n", r"is empty, or its first line is"),
        (b"a,b\n", r"has a header but no rows"),
        (b"a b\n1 2\n", r"neither tabs nor commas"),
        (b"a,b\n\xc5bo,1\n\xc4bo,2\n", r"column `a`: 2 values are not UTF-8 text, in rows 2, 3.*iconv -f latin1"),
        (b"a,b\n1,2\n1,2,3\n", r"^Row 3 of .* has 3 values, but the header has 2 names"),
        (b"a,b\n1\n", r"^Row 2 of .* has 1 values"),
        (b'a,b\n1,2\n1,"2\n3,4\n', r"^Row 3 of .* cannot be parsed: unexpected end of data"),
        (b"a,a,b\n1,2,3\n", r"has 2 columns `a`"),
        (b"\x1f\x8b\x08\x00rubbish", r"is not a whole gzip file"),
    ],
    ids=[
        "empty",
        "blank",
        "no rows",
        "spaces",
        "Latin-1",
        "long",
        "short",
        "quote",
        "twice",
        "gzip",
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(CohortError, match=message):
        read_columns(path, ["a"])


def test_quotes_in_some_rows_and_blank_rows_keep_the_numbers_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('a,b,c\n1,2,3\n"4","5\n,6",7\n\n,,\n8,"9 ""x""",\n 10 ,11,12')
    found = read_columns(path, ["b", "a"])
    assert found.index.tolist() == [2, 3, 7, 8]
    assert found["a"].tolist() == ["1", "4", "8", "10"]
    assert found["b"].tolist() == ["2", "5\n,6", '9 "x"', "11"]


def test_a_wrong_number_of_values_is_noticed_behind_the_columns_that_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b,c\n1,2,3\n1,2,3,4\n")
    with pytest.raises(CohortError, match="Row 3 of .* has 4 values, but the header has 3 names"):
        read_columns(path, ["a"])


def test_a_list_of_ids_is_a_table_of_one_column(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("participant_id\n01\n\n02\n")
    assert read_columns(path, ["participant_id"])["participant_id"].tolist() == ["01", "02"]


def test_names_of_several_columns_are_left_out_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert unique_names(["id", "a", "b", "a", "", "c"], {"id"}, "`t`") == ["b", "c"]
    assert "`t` has several columns of the name `a`: none of them is used" in caplog.text


def test_few_columns_of_a_wide_table_are_read_fast_and_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    n_columns, n_rows = 5000, 400
    row = "," + ",".join(["0.123"] * n_columns) + "\n"
    path.write_text(
        "id," + ",".join(f"v{i}" for i in range(n_columns)) + "\n" + "".join(f"{i}{row}" for i in range(n_rows))
    )
    tracemalloc.start()
    found = read_columns(path, ["id", "v7", "v2500"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.shape == (n_rows, 3)
    assert peak < path.stat().st_size / 5
