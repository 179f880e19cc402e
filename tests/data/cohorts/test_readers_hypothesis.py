"""Readers read any file or refuse it with their own message, which quotes no value."""

from __future__ import annotations

import gzip
import io
import re
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from brainage.data.cohorts.bids import BidsCohort
from brainage.data.cohorts.checks import usable_rows
from brainage.data.cohorts.ids import read_ids
from brainage.data.cohorts.tables import read_columns, read_header
from brainage.data.cohorts.ukb import UkbCohort
from brainage.data.splits import PARTS
from brainage.data.splits.fixed import fixed_split
from brainage.data.store import parse
from brainage.data.store.checked import check_series
from brainage.data.store.formats import EXTENSIONS
from brainage.data.store.parse import Recording, parse_text
from brainage.data.store.reading import Reading
from brainage.data.store.series import FileScan, Scan, ZipScan
from brainage.errors import BrainageError, CohortError, MissingPathError, SeriesError, SplitError

# The same examples every time, so that a change that breaks nothing never fails.
often = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

SECRET = "7777001"
SUFFIXES = (*EXTENSIONS, "", ".TXT", ".gz")

# --- Contents of files ---

WORDS = ("", "1", "-2.5", "+3", "1e3", "1e400", "-1e-400", "nan", "NaN", "inf", "-Infinity", "0x1F", "1_000", "1,5",
         "1+2j", "#", "# comment", "x", '"', "'", '"1"', "٣", "½", "\u00a0", "\ufeff", "\0", "\x1a", "\x0c", "\u2028",
         "é", "9" * 400, "True", "None", SECRET, "a" * 3000)  # fmt: skip
SEPARATORS = (" ", "\t", ",", ";", "  ", "\r", "|")
NEWLINES = ("\n", "\r\n", "\n\n", "\r", "\x0b", "\n \n")

numbers = st.floats(-1e6, 1e6).map(repr) | st.integers(-9, 9).map(str)
fields = numbers | st.sampled_from(WORDS)


@st.composite
def near_tables(draw: st.DrawFn, fields: st.SearchStrategy[str] = fields, header: tuple[str, ...] = ()) -> bytes:
    """Text that is almost a table, sometimes with a mistake."""
    width = len(header) or draw(st.integers(1, 4))
    separator, newline = draw(st.sampled_from(SEPARATORS)), draw(st.sampled_from(NEWLINES))
    rows = draw(st.lists(st.lists(fields, min_size=width, max_size=width), max_size=6))
    lines = [*([separator.join(header)] if header else []), *(separator.join(row) for row in rows)]
    if draw(st.integers(0, 4)) == 0 and lines:
        lines[draw(st.integers(0, len(lines) - 1))] += draw(
            st.sampled_from((separator + "1", "\\", '"', separator, "\0"))
        )
    text = newline.join(lines) + draw(st.sampled_from(("", newline, " ")))
    return text.encode(draw(st.sampled_from(("utf-8", "utf-8", "utf-8", "utf-16", "utf-8-sig"))), errors="replace")


@st.composite
def packed(draw: st.DrawFn, content: st.SearchStrategy[bytes]) -> bytes:
    """Content as it is, gzipped, or a part of what was gzipped."""
    data, how = draw(content), draw(st.sampled_from(("plain", "plain", "gzip", "half")))
    if how == "plain":
        return data
    whole = gzip.compress(data, mtime=0)
    return whole if how == "gzip" else whole[: draw(st.integers(0, len(whole)))]


@st.composite
def arrays_on_disk(draw: st.DrawFn) -> bytes:
    """An ``.npy`` file of any kind of numbers, or a part of one."""
    kind = draw(st.sampled_from(("f8", "f4", "i4", "u1", "c8", "U3", "?", "f2", "M8[s]", ">f8")))
    array = draw(arrays.arrays(np.dtype(kind), arrays.array_shapes(min_dims=0, max_dims=3, max_side=4)))
    stream = io.BytesIO()
    np.save(stream, array)
    data = stream.getvalue()
    return data if draw(st.booleans()) else data[: draw(st.integers(0, len(data)))]


text_files = packed(near_tables() | st.binary(max_size=300))
any_files = text_files | arrays_on_disk()


@st.composite
def zips(draw: st.DrawFn) -> bytes:
    """A zip archive, whole or with some bytes changed or cut off."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", draw(st.sampled_from((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))) as archive:
        archive.writestr(
            draw(st.sampled_from(("a/b.txt", "b.txt", "c.txt"))), draw(near_tables() | st.binary(max_size=60))
        )
    data = bytearray(stream.getvalue())
    for position in draw(st.lists(st.integers(0, len(data) - 1), max_size=3)):
        data[position] ^= draw(st.integers(1, 255))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.integers(0, 4)) == 0 else data)


# --- What a reader must do ---


def read_or_refused(read: Callable[[], Any], *refusals: type[BrainageError]) -> Any:
    """Return what was read; None where it was refused, by one of these errors and without quoting a value.

    Anything else, a warning included, fails the test.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return read()
        except refusals as error:
            message = str(error)
            assert SECRET not in message
            assert not re.search(r"\d\.\d{4,}|a{99}|[\0\x1b]", message), message
            assert message
            assert error.__cause__ is None or error.__suppress_context__
            return None


def is_table_of_numbers(found: Recording) -> bool:
    n_rows, n_columns = found.values.shape
    fitting = [
        names is None or len(names) == n for names, n in ((found.row_names, n_rows), (found.column_names, n_columns))
    ]
    return all(fitting) and found.values.dtype == np.float64


def in_a_file(name: str, content: bytes, read: Callable[[Path], Any]) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return read(path)


# --- Series ---


@often
@given(content=near_tables() | st.binary(max_size=200), delimiter=st.sampled_from((None, ",", "\t")))
@example(content=b"1 2\n" + b"9" * 100_000, delimiter=None)
@example(content=b"\xef\xbb\xbf1 2\n", delimiter=None)
@example(content=b"a,b", delimiter=",")
@example(content=b"a,b\n\x1c\n", delimiter=",")
@example(content=b"\x1c\x1d\n", delimiter=None)
@example(content=b"\x0b\n", delimiter=None)
@example(content=b",\n", delimiter=",")
def test_text_is_parsed_into_a_table_or_refused(content: bytes, delimiter: str | None) -> None:
    found = read_or_refused(lambda: parse_text(content, delimiter), SeriesError)
    assert found is None or (is_table_of_numbers(found) and found.values.size > 0)


long_numbers = st.floats(width=64).map("{:.17e}".format) | st.sampled_from(("1e", "1" * 40, "-0.000000000000000000"))


@settings(often, max_examples=400)
@given(content=near_tables(long_numbers) | near_tables(), delimiter=st.sampled_from((None, ",", "\t")))
@example(content=b"1 2\r3 4\n5 6\n", delimiter=None)
@example(content=b'"1 "\n2\n', delimiter=None)
@example(content=b"1 2\n3\n", delimiter=None)
def test_the_parser_of_long_numbers_reads_what_the_other_reads(content: bytes, delimiter: str | None) -> None:
    def outcome(shortest: float) -> object:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(parse, "_LONG", shortest)
            try:
                found = parse_text(content, delimiter)
            except SeriesError as error:
                return str(error)
        return found.values.shape, found.values.tobytes(), found.column_names, found.row_names

    assert outcome(0) == outcome(np.inf)


@often
@given(content=any_files, suffix=st.sampled_from(SUFFIXES))
def test_a_file_of_any_kind_under_any_name_is_read_or_refused(content: bytes, suffix: str) -> None:
    def read(path: Path) -> Any:
        return read_or_refused(FileScan(path, path.parent).read, SeriesError)

    found = in_a_file(f"{SECRET}{suffix}", content, read)
    assert found is None or is_table_of_numbers(found)


@often
@given(content=zips() | st.binary(max_size=100))
def test_a_zip_of_any_kind_is_read_or_refused(content: bytes) -> None:
    def read(path: Path) -> Any:
        return read_or_refused(ZipScan(path, path.parent, "a/b.txt", ("b.txt",)).read, SeriesError)

    found = in_a_file(f"{SECRET}.zip", content, read)
    assert found is None or is_table_of_numbers(found)


series_of_any_numbers = arrays.arrays(
    np.float64,
    st.tuples(st.integers(0, 6), st.integers(1, 4)),
    elements=st.floats(allow_nan=True, allow_infinity=True, width=64) | st.sampled_from((0.0, 1.0, 5e-324, 1.7e308)),
)


@often
@given(raw=series_of_any_numbers, n_components=st.integers(1, 4), n_times=st.integers(2, 6))
@example(raw=np.array([[1.7e308], [-1.7e308], [1e308]]), n_components=1, n_times=3)
@example(raw=np.array([[5e-324], [0.0], [1e-323]]), n_components=1, n_times=3)
@example(raw=np.array([[1e16], [1e16 + 2], [1e16]]), n_components=1, n_times=3)
@example(raw=np.array([[1e-300], [2e-300], [3e-300]]), n_components=1, n_times=2)
def test_checked_series_are_finite_and_z_scored_or_refused(raw: np.ndarray, n_components: int, n_times: int) -> None:
    found = read_or_refused(lambda: check_series(raw, Reading(n_components, n_times)).series, SeriesError)
    if found is None:
        return
    assert found.shape == (n_components, n_times)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.mean(axis=1, dtype=np.float64), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(axis=1, dtype=np.float64), 1, atol=1e-5)


@often
@given(
    table=arrays.arrays(np.float64, arrays.array_shapes(min_dims=2, max_dims=2, max_side=5),
                        elements=st.floats(allow_nan=False, allow_infinity=False)),
    kind=st.sampled_from((".txt", ".tsv", ".csv", ".csv.gz", ".npy", ".zip")),
)  # fmt: skip
def test_every_finite_table_that_numpy_writes_is_read_unchanged(table: np.ndarray, kind: str) -> None:
    stream = io.BytesIO()
    if kind == ".npy":
        np.save(stream, table)
    else:
        separator = {".tsv": "\t", ".csv": ",", ".csv.gz": ","}.get(kind, " ")
        np.savetxt(stream, table, fmt="%.17g", delimiter=separator)
    content = stream.getvalue()
    if kind == ".csv.gz":
        content = gzip.compress(content)
    elif kind == ".zip":
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("b.txt", content)
        content = stream.getvalue()

    def read(path: Path) -> Any:
        scan: Scan = ZipScan(path, path.parent, "b.txt") if kind == ".zip" else FileScan(path, path.parent)
        return scan.read()

    np.testing.assert_array_equal(in_a_file(f"a{kind}", content, read).values, table)


# --- Tables ---

CELLS = st.sampled_from(("7777001", "sub-7777001", "63", "63.5", "", "n/a", "F", "Male", "0", "1", "2", "-1", "inf",
                         "7.777001e+06", '"x,y"', '"', "north", "1e999", "nan", "7777002", "7777003", "٣", "\0",
                         "\ufffd", "\x1b[2J"))  # fmt: skip
COLUMNS = ("participant_id", "age", "sex", "site", "head_motion", "family_id")
UKB_COLUMNS = ("eid", "21003-2.0", "31-0.0", "54-2.0", "25741-2.0")


def table_files(*names: str) -> st.SearchStrategy[bytes]:
    """Files with these columns, some of them, or other content."""
    headers = st.permutations(names).flatmap(lambda order: st.integers(1, len(names)).map(lambda n: tuple(order[:n])))
    right = near_tables(CELLS, names)
    return packed(
        right | headers.flatmap(lambda header: near_tables(CELLS, header)) | near_tables() | st.binary(max_size=90)
    )


@often
@given(content=table_files("a", "b", "c"))
def test_a_header_and_columns_are_read_or_refused(content: bytes) -> None:
    def read(path: Path) -> None:
        header = read_or_refused(lambda: read_header(path), CohortError)
        if header is None:
            return
        assert all(isinstance(name, str) for name in header)
        asked = [name for name in header if name in ("a", "b", "c")]
        table = read_or_refused(lambda: read_columns(path, asked), CohortError)
        if table is not None:
            assert list(table.columns) == asked
            assert table.index.is_monotonic_increasing
            assert len(table) > 0

    in_a_file("t.csv", content, read)


def has_participants(table: pd.DataFrame) -> bool:
    """Return whether a cohort's table has bare ids and numeric ages, and is usable or refused."""
    rows = read_or_refused(lambda: usable_rows(table, include=None, label="t"), CohortError)
    usable = rows is None or (rows["participant_id"].is_unique and rows["age"].dropna().between(0, 120).all())
    ids = table["participant_id"]
    return bool(
        usable and ids.str.len().min() > 0 and not ids.str.startswith("sub-").any() and table["age"].dtype == float
    )


@often
@given(content=table_files(*COLUMNS))
def test_a_table_of_participants_is_read_or_refused(content: bytes) -> None:
    def read(path: Path) -> Any:
        cohort = BidsCohort(root=path.parent, phenotypes=(path,))
        return read_or_refused(cohort.read_table, CohortError)

    table = in_a_file("participants.tsv", content, read)
    assert table is None or has_participants(table)


@often
@given(content=table_files(*UKB_COLUMNS))
def test_a_table_of_uk_biobank_is_read_or_refused(content: bytes) -> None:
    def read(path: Path) -> Any:
        return read_or_refused(UkbCohort(root=path.parent, phenotypes=(path,)).read_table, CohortError)

    table = in_a_file("ukb.csv", content, read)
    assert table is None or has_participants(table)


ID_LINES = st.lists(
    st.sampled_from((SECRET, f"sub-{SECRET}", f'"{SECRET}"', "eid", "", f"{SECRET},1", "7.7e+06", "\u2028", " ", "\0"))
)


@often
@given(content=ID_LINES.map(lambda lines: "\n".join(lines).encode()) | near_tables() | st.binary(max_size=80))
def test_a_list_of_ids_is_read_or_refused(content: bytes) -> None:
    found = in_a_file("ids.txt", content, lambda path: read_or_refused(lambda: read_ids(path), CohortError))
    assert found is None or all(isinstance(one, str) and one for one in found)


TABLE = pd.DataFrame({"participant_id": ["7777001", "7777002", "7777003"], "age": [50.0, 60.0, 70.0]})
SPLIT_CELLS = st.sampled_from(
    ("7777001", "7777002", "sub-7777003", "train", "VAL", "test", "validation", "", "n/a", '"')
)


@st.composite
def split_files(draw: st.DrawFn) -> bytes:
    """A split of three participants, mostly with a wrong row."""
    ids = draw(st.permutations(["7777001", "7777002", "7777003", "9"]))
    rows = [f"{one},{draw(st.sampled_from((*PARTS, *PARTS, 'val ', 'no')))}" for one in ids]
    return ("participant_id,split\n" + "\n".join(rows[: draw(st.integers(0, 4))])).encode()


@often
@given(content=split_files() | packed(near_tables(SPLIT_CELLS, ("participant_id", "split"))) | st.binary(max_size=90))
@example(content=b"participant_id,split\n7777001,train\n7777002,val\nsub-7777003,Test\n")
def test_a_fixed_split_is_read_or_refused(content: bytes) -> None:
    def read(path: Path) -> Any:
        return read_or_refused(lambda: fixed_split(TABLE, path), CohortError, SplitError)

    split = in_a_file("split.csv", content, read)
    if split is not None:
        assert set(split) == set(PARTS)
        assert set(split.index) <= set(TABLE["participant_id"])
        assert split.index.is_unique


@pytest.mark.parametrize("read", [read_header, read_ids, lambda path: fixed_split(TABLE, path)])
@often
@given(name=st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=400))
def test_a_path_to_nothing_is_refused(read: Callable[[Path], object], name: str) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.raises(MissingPathError, match="cannot be read"):
        read(Path(folder) / name)
