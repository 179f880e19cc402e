"""Lists of withdrawn participants, and the marks that a purge leaves."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from brainage.data.cohorts import withdrawn
from brainage.data.cohorts.withdrawn import Withdrawn, mark_withdrawn, withdrawn_of
from brainage.errors import CohortError, StoreError

IDS = ["1000001", "1000002", "1000003"]


@pytest.fixture(autouse=True)
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config" / "withdrawal.key"
    monkeypatch.setattr(withdrawn, "KEY", path)
    return path


def test_marked_ids_are_recognised_and_not_written(tmp_path: Path, key: Path) -> None:
    assert mark_withdrawn(tmp_path / "store", IDS[:1]) == 0
    assert mark_withdrawn(tmp_path / "store", IDS[:2]) == 1
    assert withdrawn_of([tmp_path / "store", tmp_path / "none"], IDS) == set(IDS[:2])
    text = (tmp_path / "store" / "withdrawn.txt").read_text()
    assert len(text.splitlines()) == 2
    assert not any(one in text for one in IDS)
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(key.read_bytes()) == 32


def test_without_marks_no_key_is_needed_or_made(tmp_path: Path, key: Path) -> None:
    assert withdrawn_of([tmp_path], IDS) == frozenset()
    assert not key.exists()


@pytest.mark.parametrize("content", [None, bytes(32)], ids=["no key", "another key"])
def test_marks_of_another_key_are_an_error(content: bytes | None, tmp_path: Path, key: Path) -> None:
    mark_withdrawn(tmp_path, IDS[:2])
    key.unlink()
    if content is not None:
        key.write_bytes(content)
    with pytest.raises(StoreError, match=r"marks 2 withdrawn participants with another key .*withdrawal.key"):
        withdrawn_of([tmp_path], IDS)


@pytest.mark.parametrize("name", ["withdrawn.txt", "key"])
def test_a_mark_that_cannot_be_written_is_one_message(name: str, tmp_path: Path, key: Path) -> None:
    ((tmp_path / name) if name == "withdrawn.txt" else key).mkdir(parents=True)
    with pytest.raises(StoreError, match="withdrawn.txt"):
        mark_withdrawn(tmp_path, IDS)


def test_listed_and_marked_participants_of_a_cohort_are_withdrawn(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "brainage")
    (tmp_path / "list").write_text("1000002\n9\n")
    mark_withdrawn(tmp_path, IDS[:1])
    assert Withdrawn(tmp_path / "list", marked_in=(str(tmp_path),)).among(IDS) == set(IDS[:2])
    assert "1 of the 2 ids" in caplog.text
    assert "1 participants of the table withdrew" in caplog.text


def test_a_list_that_matches_nobody_is_an_error_unless_it_is_expected(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("9\n8\n")
    with pytest.raises(CohortError, match=r"none of its 2 ids is among the 3 .*allow_unmatched_ids=true"):
        Withdrawn(tmp_path / "list").among(IDS)
    assert Withdrawn(tmp_path / "list", allow_unmatched=True).among(IDS) == frozenset()
