"""Tables in all formats and encodings: the same values, or a message that names what is wrong."""

from __future__ import annotations

import datetime
import gzip
import io
import pickle
import struct
import sys
import zipfile
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from brainage.data.cohorts import tables, text, workbooks
from brainage.data.cohorts.bids import BidsCohort
from brainage.data.cohorts.tables import read_columns, read_header
from brainage.errors import CohortError
from tests.data.cohorts.examples import arrow_bytes, book

HEADER = ["participant_id", "age", "sex", "größe", "when", "f.eid.1"]
COLUMNS: dict[str, list[Any]] = {
    "participant_id": [9000001, 9000002, 9000003],
    "age": [63.5, 60.0, None],
    "sex": ["F", None, "M"],
    "größe": [1.75, None, 1.5],
    "when": [datetime.date(2020, 1, 2), datetime.date(2021, 3, 4), None],
    "f.eid.1": [True, False, True],
}
TEXT = """\
participant_id,age,sex,größe,when,f.eid.1
9000001,63.5,F,1.75,2020-01-02,True
9000002,60,,,2021-03-04,False
9000003,,M,1.5,,True
"""
VALUES = [line.split(",") for line in TEXT.splitlines()[1:]]


ROWS = [HEADER, *map(list, zip(*COLUMNS.values(), strict=True))]
PARQUET = arrow_bytes(lambda table, file: parquet.write_table(table, file, row_group_size=2), pa.table(COLUMNS))
FEATHER = arrow_bytes(feather.write_feather, pa.table(COLUMNS))
OFFSETS = arrow_bytes(partial(feather.write_feather, compression="uncompressed"), pa.table({"a": ["x", "yy"]})).replace(
    struct.pack("<3i", 0, 1, 3), struct.pack("<3i", 0, 1, 2**30)
)
EUROPEAN = TEXT.replace(",", ";").replace(".5;", ",5;").replace("1.75", "1,75")


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (TEXT.encode(), [2, 3, 4]),
        (b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode(), [2, 3, 4]),
        (TEXT.replace("\n", "\r").encode(), [2, 3, 4]),
        (TEXT.encode("utf-16"), [2, 3, 4]),
        (gzip.compress(b"\xfe\xff" + TEXT.replace(",", "\t").encode("utf-16-be")), [2, 3, 4]),
        (EUROPEAN.replace("f.eid.1", '"f.eid.1"').encode(), [2, 3, 4]),
        (PARQUET, [1, 2, 3]),
        (FEATHER, [1, 2, 3]),
        (book(ROWS), [2, 3, 4]),
        (book(ROWS, [], [["a list"]], state="hidden"), [2, 3, 4]),
    ],
    ids=[
        "UTF-8",
        "Windows",
        "CR",
        "UTF-16",
        "UTF-16, gzip",
        "semicolons",
        "Parquet",
        "Feather",
        "Excel",
        "hidden sheet",
    ],
)
def test_every_format_gives_the_same_table(tmp_path: Path, content: bytes, rows: list[int]) -> None:
    path = tmp_path / "t"
    path.write_bytes(content)
    assert read_header(path) == HEADER
    found = read_columns(path, reversed(HEADER))
    assert found.columns.tolist() == HEADER[::-1]
    assert found.index.tolist() == rows
    assert found[HEADER].to_numpy().tolist() == VALUES


def test_tables_of_all_formats_are_joined(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(PARQUET)
    (tmp_path / "b.xlsx").write_bytes(book([["score", "eid"], [7, "9000003"], [], [4, 9000001]]))
    (tmp_path / "c.csv").write_text("eid;iq\n9000002;101,5\n")
    cohort = BidsCohort(root=tmp_path, phenotypes=tuple(tmp_path / name for name in ("a.parquet", "b.xlsx", "c.csv")))
    found = cohort.read_table(["score", "iq"]).set_index("participant_id").fillna(-1)
    assert found[["age", "sex", "score", "iq"]].T.to_dict("list") == {
        "9000001": [63.5, 0.0, 4.0, -1.0],
        "9000002": [60.0, -1.0, -1.0, 101.5],
        "9000003": [-1.0, 1.0, 7.0, -1.0],
    }


def test_rows_of_other_formats_are_named_as_their_users_see_them(tmp_path: Path) -> None:
    (tmp_path / "t.xlsx").write_bytes(book([["participant_id", "age"], [11, 60], [], [12, "old"]]))
    with pytest.raises(CohortError, match=r"`age`: 1 of 2 values .* row 4: text"):
        BidsCohort(root=tmp_path, phenotypes=(tmp_path / "t.xlsx",)).read_table()
    parquet.write_table(pa.table({"participant_id": ["11", "12"], "age": ["60", "old"]}), tmp_path / "t")
    with pytest.raises(CohortError, match=r"`age`: 1 of 2 values .* row 2: text"):
        BidsCohort(root=tmp_path, phenotypes=(tmp_path / "t",)).read_table()


def test_an_index_of_pandas_without_a_name_is_no_column(tmp_path: Path) -> None:
    pd.DataFrame({"age": [60]}, index=["x"]).to_parquet(tmp_path / "t")
    assert read_header(tmp_path / "t") == ["age", ""]


def test_values_of_all_types_are_text_as_in_a_text_table(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "category": pd.Categorical(["x", None]),
            "nullable": pd.array([7, None], dtype="Int64"),
            "float32": pd.array([0.5, 3], dtype="float32"),
            "seconds": pd.to_datetime(["2020-01-02 03:04:05", None]),
            "decimal": [Decimal("1.50"), None],
            "time": [datetime.time(1, 2), None],
        }
    )
    expected = [["x", "7", "0.5", "2020-01-02 03:04:05", "1.50", "01:02:00"], ["", "", "3", "", "", ""]]
    for write in (table.to_parquet, table.to_feather):
        write(tmp_path / "t")
        assert read_columns(tmp_path / "t", list(table)).to_numpy().tolist() == expected


class Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("unpickled",))


def with_field(content: Any, **metadata: bytes) -> Any:
    """Return a table with one column whose field has metadata."""
    names = {name.replace("_", ":"): value for name, value in metadata.items()}
    return pa.table([content], schema=pa.schema([pa.field("a", content.type, metadata=names)]))


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    hostile = with_field(
        pa.array(["1"]),
        ARROW_extension_name=b"arrow.py_extension_type",
        ARROW_extension_metadata=pickle.dumps(Payload()),
    )
    for write in (parquet.write_table, feather.write_feather):
        (tmp_path / "t").write_bytes(arrow_bytes(write, hostile))
        assert read_columns(tmp_path / "t", ["a"])["a"].tolist() == ["1"]


def zipped(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, "x")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (PARQUET[:-40], r"is not a whole Parquet file"),
        (PARQUET.replace(b"PAR1", b"PAR1" + bytes(30), 1), r"is not a whole Parquet file"),
        (FEATHER[:60], r"is not a whole Feather file"),
        (OFFSETS, r"is not a whole Feather file"),
        (book(ROWS)[:-100], r"is not a whole Excel workbook"),
        (zipped("content.xml"), r"is not a whole Excel workbook"),
        (b"FEA1" + bytes(40), r"is a Feather file of version 1, which is not read"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", r"\.xls, or one with a password, which is not read.*\.xlsx"),
        (b"$FL2@(#) SPSS DATA FILE", r"is an SPSS file, which is not read"),
        (book(ROWS, [["b"]]), r"must have one sheet with values, but has 2"),
        (book([]), r"is empty"),
        (book([[], ["a"]]), r"its first row is"),
        (book([["a"], [1, 2]]), r"^Row 2 of .* has 2 values, but the header has 1 names"),
        (book([["a"]]), r"a header but no rows"),
        (book([["a", "a"], [1, 2]]), r"has 2 columns `a`"),
        (arrow_bytes(parquet.write_table, pa.table({"a": [[1], [2]]})), r"`a`: values must be numbers.*got list<"),
        (arrow_bytes(feather.write_feather, pa.table({"a": [b"1"]})), r"`a`: values must be numbers.*got binary"),
        (TEXT.encode("utf-16-le"), r"perhaps UTF-16 without a byte-order mark"),
        (b"ab\0\x03c,\n", r"is not UTF-8 text, nor any other"),
        (TEXT.encode("latin-1"), r"column names are perhaps in Latin-1"),
        ("a,b\n1,ü\n2,3\n".encode("latin-1"), None),
        (b"a;b, in EUR;c\n1;2;3\n", r"both commas and semicolons.*in quotes"),
        (b"a;b\n1,5;2\n1.5;3\n", r"`a`: some numbers have a point and others a comma"),
    ],
    ids=[
        "cut Parquet", "damaged Parquet", "cut Feather", "offsets that lead out", "cut Excel", "a zip",
        "old Feather", "old Excel", "SPSS",
        "two sheets", "no values", "no header", "beside the header", "no rows", "twice", "lists", "bytes",
        "UTF-16 without a mark", "bytes in text", "Latin-1", "Latin-1 in another column", "two separators",
        "points and commas",
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_by_its_name(tmp_path: Path, content: bytes, message: str | None) -> None:
    path = tmp_path / "t"
    path.write_bytes(content)
    if message is None:
        assert read_columns(path, ["a"])["a"].tolist() == ["1", "2"]
        return
    with pytest.raises(CohortError, match=message):
        read_columns(path, read_header(path)[:1])


def test_sizes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t"
    monkeypatch.setattr(workbooks, "_MAX_BYTES", 1000)
    monkeypatch.setattr(text, "_MAX_LINE", 60)
    monkeypatch.setattr(tables, "MAX_ROWS", 2)
    bomb = gzip.compress(b"age,b\n" + bytes(10**6))
    for content, message in (
        (book(ROWS), "of content"),
        (PARQUET, "at most 2 rows"),
        (FEATHER, "at most 2 rows"),
        (bomb, "lines of at most 60 characters"),
    ):
        path.write_bytes(content)
        with pytest.raises(CohortError, match=message):
            read_columns(path, ["age"])


@pytest.mark.parametrize(
    ("content", "module"), [(PARQUET, "pyarrow"), (FEATHER, "pyarrow"), (book(ROWS), "openpyxl")],
    ids=["Parquet", "Feather", "Excel"],
)  # fmt: skip
def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, module: str) -> None:
    (tmp_path / "t").write_bytes(content)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(CohortError, match=rf'needs {module}, .*pip install "brainage\[tables\]"'):
        read_header(tmp_path / "t")


def test_a_wide_parquet_table_is_read_by_column(tmp_path: Path) -> None:
    path = tmp_path / "t"
    parquet.write_table(pa.table({f"v{number}": [number] for number in range(3000)}), path)
    assert read_columns(path, ["v7", "v70", "v2500"]).iloc[0].tolist() == ["7", "70", "2500"]


def test_decimal_commas_without_semicolons_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "t.tsv"
    path.write_text("participant_id\tage\tbmi\tcodes\n11\t60\t25,5\t1,2,3\n12\t61\t\t4\n")
    found = BidsCohort(root=tmp_path, phenotypes=(path,)).read_table(["bmi", "codes"])
    assert found["bmi"].fillna("").tolist() == ["25,5", ""]
    assert "numbers with a decimal comma are text, in `bmi`. Write points, or separate" in caplog.text
    path.write_text("participant_id\tage\n11\t60,5\n")
    with pytest.raises(CohortError, match=r"`age`: .* row 2: a decimal comma\. Write points, or"):
        BidsCohort(root=tmp_path, phenotypes=(path,)).read_table()
