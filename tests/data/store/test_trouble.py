"""Files that the system cannot read for a while."""

from __future__ import annotations

import errno
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from brainage.data.store import open as opening
from brainage.data.store.purge import purge_store
from brainage.data.store.series import FileScan
from tests.data.store.scans import N_TIMES, FakeScan, flip_a_byte, make


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "PAUSE", 0.0)


@dataclass(frozen=True)
class TroubledScan(FakeScan):
    """A file of which the next `count` readings fail; `count` is in a file."""

    count: Path = Path()

    def read(self) -> np.ndarray:
        left = int(self.count.read_text())
        self.count.write_text(str(left - 1))
        if left > 0:
            raise OSError(errno.ESTALE, "Stale file handle")
        return super().read()


def troubled(tmp_path: Path, failures: int) -> dict[str, FakeScan]:
    count = tmp_path / "count"
    count.write_text(str(failures))
    numbers = {"a": 1, "c": 3, "d": -1, "e": 5}
    return {**{name: FakeScan(number) for name, number in numbers.items()}, "b": TroubledScan(2, count=count)}


def index(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "index.txt").read_bytes().partition(b"\n")[2])
    return found


def test_passing_trouble_is_tried_again_in_the_same_run(tmp_path: Path) -> None:
    store = make(tmp_path / "store", troubled(tmp_path, failures=1))
    assert store.participant_ids == ("a", "b", "c", "e")
    assert set(store.excluded) == {"d"}
    expected = make(tmp_path / "other", troubled(tmp_path, failures=0))
    np.testing.assert_array_equal(store.series, expected.series)
    np.testing.assert_array_equal(store.checksums, expected.checksums)
    assert store.fingerprint == expected.fingerprint
    assert index(store.folder) == {**index(expected.folder), "written": index(store.folder)["written"]}


def test_trouble_that_stays_excludes_from_this_run_and_not_from_the_next(tmp_path: Path) -> None:
    scans = troubled(tmp_path, failures=2)
    first = make(tmp_path / "store", scans)
    assert first.participant_ids == ("a", "c", "e")
    assert first.excluded == {"d": ("NaN or infinity", "made so"), "b": ("cannot be read now", "Stale file handle")}
    assert index(first.folder)["excluded"] == [["d", "NaN or infinity", "made so"]]
    second = make(tmp_path / "store", scans)
    assert second.fingerprint == first.fingerprint
    assert second.participant_ids == ("a", "b", "c", "e")
    assert set(second.excluded) == {"d"}
    np.testing.assert_array_equal(second.series[[0, 2, 3]], first.series)


def test_the_others_are_not_read_again(tmp_path: Path) -> None:
    scans = troubled(tmp_path, failures=2)
    store = make(tmp_path / "store", scans)
    others = {name: scan if name == "b" else Unreadable(scan.number) for name, scan in scans.items()}
    assert make(tmp_path / "store", others).participant_ids == ("a", "b", "c", "e")
    assert store.fingerprint == make(tmp_path / "store", scans).fingerprint


class Unreadable(FakeScan):
    def read(self) -> np.ndarray:
        raise AssertionError("read although it is in the store")


def test_a_store_that_was_damaged_meanwhile_is_read_from_the_files(tmp_path: Path) -> None:
    scans = troubled(tmp_path, failures=2)
    flip_a_byte(make(tmp_path / "store", scans))
    assert make(tmp_path / "store", scans).participant_ids == ("a", "b", "c", "e")


def test_purging_keeps_that_a_file_must_be_read_again(tmp_path: Path) -> None:
    scans = troubled(tmp_path, failures=2)
    store = make(tmp_path / "store", scans)
    assert purge_store(store.folder, {"a"}).participants == {"a"}
    del scans["a"]
    assert make(tmp_path / "store", scans).participant_ids == ("b", "c", "e")


class LostScan(FakeScan):
    """Its folder answers every question about the file with an error, `failures` times."""

    failures = 0

    def stamp(self) -> tuple[str | int | float, ...]:
        if LostScan.failures > 0:
            LostScan.failures -= 1
            raise PermissionError(errno.EACCES, "Permission denied")
        return super().stamp()


@pytest.mark.parametrize(("failures", "kept"), [(1, ("a", "b")), (99, ("a",))])
def test_a_file_without_size_and_time_is_asked_for_again_and_then_excluded(
    failures: int, kept: tuple[str, ...], tmp_path: Path
) -> None:
    LostScan.failures = failures
    scans = {"a": FakeScan(1), "b": LostScan(2)}
    store = make(tmp_path, scans)
    assert store.participant_ids == kept
    if failures > 1:
        assert store.excluded == {"b": ("cannot be read now", "Permission denied")}
        LostScan.failures = 0
        assert make(tmp_path, scans).participant_ids == ("a", "b")


def test_who_was_excluded_by_a_rule_that_no_longer_holds_is_read_again(tmp_path: Path) -> None:
    text = tmp_path / "files" / "b.txt"
    text.parent.mkdir()
    text.write_text("#1\t#2\t#3\n" + "1 2 4\n3 1 2\n" * N_TIMES)
    scans = {"a": FakeScan(1), "b": FileScan(text, text.parent), "d": FakeScan(-1)}
    new = make(tmp_path / "new", scans)  # type: ignore[arg-type]
    # As the version before wrote it.
    old = make(tmp_path / "old" / "others", {"a": FakeScan(1), "d": FakeScan(-1)})
    content = index(old.folder)
    content.pop("rules")
    content["excluded"] = [["b", "not a number where a number belongs", "text in line 1"], *content["excluded"]]  # type: ignore[misc]
    content["stamps"] = index(new.folder)["stamps"]
    body = json.dumps(content).encode()
    (old.folder / "index.txt").write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    old.folder.rename(tmp_path / "old" / new.fingerprint)

    again = make(tmp_path / "old", scans)  # type: ignore[arg-type]
    assert again.participant_ids == new.participant_ids == ("a", "b")
    np.testing.assert_array_equal(again.series, new.series)
    assert set(again.excluded) == {"d"}
    assert index(again.folder)["rules"] == index(new.folder)["rules"]
