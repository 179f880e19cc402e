"""Lists of ids."""

from __future__ import annotations

from pathlib import Path

import pytest

from brainage.data.cohorts.ids import read_ids
from brainage.data.cohorts.tables import read_header
from brainage.errors import CohortError, MissingPathError
from tests.data.cohorts.examples import check_no_id


def test_a_list_of_ids_is_read(tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    path.write_bytes(b'\xef\xbb\xbf"eid"\r\n1000011\r\n\r\n "1000022" \r\nsub-01\r\n')
    assert read_ids(path) == {"1000011", "1000022", "01"}
    path.write_text("")
    assert read_ids(path) == frozenset()


@pytest.mark.parametrize("line", ["1000022 1000033", "1000022,1", "1000022\t1", "1.00002e+06"])
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
    (tmp_path / "w").write_bytes(b"\xff\xfe1\x00")
    with pytest.raises(CohortError, match="is not UTF-8 text"):
        read_ids(tmp_path / "w")
