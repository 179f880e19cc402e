"""Reading tables as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from brainage.data.cohorts.tables import read_columns, read_header
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
        (b"a;b\n1;2\n", r"neither tabs nor commas"),
        ("a,b\n1,2\n".encode("utf-16"), r"is not UTF-8 text"),
        (b"PK\x03\x04\x00,\x00", r"is not UTF-8 text"),
        (b"a,b\n1,2\n1,2,3\n", r"^Row 3 of .* has 3 values, but the header has 2 names"),
        (b"a,b\n1\n", r"^Row 2 of .* has 1 values"),
        (b'a,b\n1,2\n1,"2\n3,4\n', r"^Row 3 of .* cannot be parsed: unexpected end of data"),
        (b"a,a,b\n1,2,3\n", r"has 2 columns `a`"),
        (b"\x1f\x8b\x08\x00rubbish", r"is not a whole gzip file"),
    ],
    ids=["empty", "blank", "no rows", "semicolons", "UTF-16", "xlsx", "long", "short", "quote", "twice", "gzip"],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(CohortError, match=message):
        read_columns(path, ["a"])
