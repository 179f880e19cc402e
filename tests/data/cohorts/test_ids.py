"""Lists of ids."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from brainage.data.cohorts.ids import read_ids
from brainage.data.cohorts.tables import read_header
from brainage.errors import CohortError, MissingPathError
from tests.data.cohorts.examples import arrow_bytes, book, check_no_id


def test_a_list_of_ids_is_read(tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    path.write_bytes(b'\xef\xbb\xbf"eid"\r\n1000011\r\n\r\n "1000022" \r\nsub-01\r\n')
    assert read_ids(path) == {"1000011", "1000022", "01"}
    path.write_text("")
    assert read_ids(path) == frozenset()


@pytest.mark.parametrize(
    "content",
    [
        "eid\r\n1000011\r\n1000022\r\n".encode("utf-16"),
        book([[1000011], [], [1000022]]),
        book([["withdrawn", "eid"], ["2020", 1000011], ["2021", "1000022"]]),
        arrow_bytes(parquet.write_table, pa.table({"eid": [1000011, 1000022]})),
        arrow_bytes(feather.write_feather, pa.table({"participant_id": ["sub-1000011", "1000022"], "x": [1, 2]})),
    ],
    ids=["UTF-16", "Excel", "Excel with columns", "Parquet", "Feather"],
)
def test_a_list_may_be_of_any_format(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w").write_bytes(content)
    assert read_ids(tmp_path / "w") == {"1000011", "1000022"}


def test_a_list_with_columns_of_other_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w.xlsx").write_bytes(book([["a", "b"], [1000011, 2]]))
    with pytest.raises(CohortError, match=r"`.*w\.xlsx` must have one column, .* but has 2 columns of other names"):
        read_ids(tmp_path / "w.xlsx")
    twice = pa.table([[1], [2]], names=["eid", "eid"])
    for write in (parquet.write_table, feather.write_feather):
        (tmp_path / "w").write_bytes(arrow_bytes(write, twice))
        with pytest.raises(CohortError, match="has 2 columns `eid`"):
            read_ids(tmp_path / "w")


@pytest.mark.parametrize("line", ["1000022 1000033", "1000022,1", "1000022\t1", "1000022;1", "1.00002e+06"])
def test_a_line_that_is_not_one_id_is_named_by_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "w.csv"
    path.write_text(f"participant_id\n1000011\n\n{line}\n")
    with pytest.raises(CohortError, match=r"^Line 4 of .* is not one id") as caught:
        read_ids(path)
    check_no_id(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no.csv"):
        with pytest.raises(MissingPathError, match=r"The list of ids `.*` cannot be read"):
            read_ids(path)
        with pytest.raises(MissingPathError, match=r"The table `.*` cannot be read"):
            read_header(path)
    (tmp_path / "w").write_bytes(b"1\xfc\n")
    with pytest.raises(CohortError, match="is not UTF-8 text, but perhaps in Latin-1"):
        read_ids(tmp_path / "w")
