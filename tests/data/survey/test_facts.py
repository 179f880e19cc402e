"""What a file is like, from the numbers in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brainage.data.store.series import FileScan
from brainage.data.survey.facts import Facts, describe
from brainage.errors import SeriesError


def facts(tmp_path: Path, name: str, text: str) -> Facts:
    (tmp_path / name).write_text(text)
    found = describe(FileScan(tmp_path / name, tmp_path))
    assert isinstance(found, Facts)
    return found


def test_constant_empty_and_partly_missing_channels_are_told_apart(tmp_path: Path) -> None:
    found = facts(tmp_path, "a.tsv", "A\tB\tC\tD\n1\t5\tn/a\t1\n2\t5\tn/a\tn/a\n4\t5\tn/a\t3\n")
    assert found.shape == (3, 4)
    columns = found.columns
    assert columns.names == ("A", "B", "C", "D")
    assert (columns.constant, columns.empty, columns.partial, columns.n_missing) == ((1,), (2,), (3,), 3)
    assert (found.rows.names, found.rows.n_missing, found.rows.partial) == (None, 3, (0, 1, 2))


@pytest.mark.parametrize(
    ("name", "text", "shape", "columns", "rows"),
    [
        ("a.1D", "#afni\n#1001\t#1002\n1 2\n2 3\n4 1\n", (3, 2), ("1001", "1002"), None),
        ("a.csv", "P1,1,2,3\nP2,3,1,2\n", (2, 3), None, ("P1", "P2")),
        ("a.csv", ",P1,P2\n0,1,2\n1,3,1\n", (2, 2), ("P1", "P2"), None),
        ("a.txt", "1 2\n2 3\n", (2, 2), None, None),
    ],
)
def test_names_are_those_of_the_file(
    tmp_path: Path, name: str, text: str, shape: tuple[int, int], columns: object, rows: object
) -> None:
    found = facts(tmp_path, name, text)
    assert (found.shape, found.columns.names, found.rows.names) == (shape, columns, rows)


def test_a_channel_of_zeros_is_constant_and_a_tiny_one_is_not(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[0.0, 1e-30, 0.1], [0.0, 2e-30, 0.1]]))
    found = describe(FileScan(tmp_path / "a.npy", tmp_path))
    assert isinstance(found, Facts)
    assert found.columns.constant == (0, 2)


def test_series_are_smoother_along_time(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(size=(200, 10))
    np.save(tmp_path / "a.npy", noise[1:] + noise[:-1])  # the autocorrelation is a half
    found = describe(FileScan(tmp_path / "a.npy", tmp_path))
    assert isinstance(found, Facts)
    assert found.columns.smoothness == pytest.approx(0.5, abs=0.05)
    assert found.rows.smoothness == pytest.approx(-0.1, abs=0.05)  # of ten independent numbers minus their mean


def test_a_file_that_cannot_be_read_has_a_reason(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1,2\n3,secret\n")
    found = describe(FileScan(tmp_path / "a.csv", tmp_path))
    assert isinstance(found, SeriesError)
    assert found.kind == "not a number where a number belongs"
    assert "secret" not in str(found)
