"""Means and SDs in a store: written with it, compared with their checksum, purged with it, added to earlier stores."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from brainage.data.store.layout import DamagedStoreError, Store, load_store
from brainage.data.store.open import open_store
from brainage.data.store.purge import purge_store
from brainage.data.store.reading import Reading
from brainage.data.store.series import UnreadableNowError
from brainage.errors import StoreError
from tests.conftest import Command
from tests.data.store.scans import N_COMPONENTS, N_TIMES, FakeScan

READING = Reading(N_COMPONENTS, N_TIMES)
SCANS = {f"secret-{name}": FakeScan(number) for number, name in enumerate("abcde", 1)} | {"secret-0": FakeScan(-1)}


def opened(root: Path, *, moments: bool = True) -> Store:
    return open_store(root, SCANS, READING, moments=moments)


def expected(*numbers: int) -> np.ndarray:
    raw = np.stack([FakeScan(number).read()[:N_TIMES] for number in numbers])
    return np.stack([raw.mean(axis=1), raw.std(axis=1)], axis=2)


def as_earlier_versions_wrote_it(store: Store) -> None:
    index = json.loads((store.folder / "index.txt").read_text().partition("\n")[2])
    del index["moments"]
    body = json.dumps(index, separators=(",", ":")).encode()
    (store.folder / "index.txt").write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    (store.folder / "moments.npy").unlink()


def flip(store: Store) -> None:
    path = store.folder / "moments.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\x55")


def test_a_store_has_the_means_and_sds_of_the_time_points_that_are_used(tmp_path: Path) -> None:
    store = opened(tmp_path)
    assert store.moments is not None and store.moments.dtype == np.float64
    np.testing.assert_allclose(store.moments, expected(1, 2, 3, 4, 5), rtol=1e-12)
    restored = store.series * store.moments[..., 1:] + store.moments[..., :1]
    np.testing.assert_allclose(restored[2], FakeScan(3).read()[:N_TIMES].T, rtol=1e-5)


@pytest.mark.parametrize("n_written", [0, 1, 2])
def test_a_disk_that_is_full_at_any_file_leaves_nothing(
    n_written: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = iter([True] * n_written + [False])

    def fsync(_: int) -> None:
        if not next(synced):
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(StoreError, match=r"No space left.*Nothing was left there"):
        patch.setattr("os.fsync", fsync)
        opened(tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_purged_participants_are_dropped_from_them(tmp_path: Path) -> None:
    purge_store(opened(tmp_path).folder, {"secret-b", "secret-d"})
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    store = load_store(folder, moments=True)
    np.testing.assert_allclose(store.moments, expected(1, 3, 5), rtol=1e-12)
    assert store.participant_ids == ("secret-a", "secret-c", "secret-e")


@pytest.mark.parametrize("harm", [flip, lambda store: (store.folder / "moments.npy").unlink()], ids=["bit", "missing"])
def test_damage_is_found_and_repaired(harm: Callable[[Store], None], tmp_path: Path, store_command: Command) -> None:
    harm(opened(tmp_path / "store"))
    ended = store_command("verify", "--root", "store")
    assert ended.code == 1 and "damaged" in ended.out
    np.testing.assert_allclose(opened(tmp_path / "store").moments, expected(1, 2, 3, 4, 5), rtol=1e-12)
    assert store_command("verify", "--root", "store").code == 0


def test_a_purge_never_gives_damaged_moments_a_new_checksum(tmp_path: Path) -> None:
    store = opened(tmp_path)
    flip(store)
    assert purge_store(store.folder, {"secret-b"}).damaged
    assert not store.folder.exists()


def test_a_store_of_an_earlier_version_is_completed_only_where_they_are_needed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = opened(tmp_path)
    before = {path.name: path.read_bytes() for path in store.folder.iterdir()}
    as_earlier_versions_wrote_it(store)
    changed = (store.folder / "series.npy").stat().st_mtime_ns
    assert opened(tmp_path, moments=False).moments is None
    assert (store.folder / "series.npy").stat().st_mtime_ns == changed
    with caplog.at_level(logging.INFO):
        completed = opened(tmp_path)
    assert "has no means and SDs: an earlier version wrote it" in caplog.text and "secret" not in caplog.text
    assert completed.fingerprint == store.fingerprint
    for name in ("series.npy", "moments.npy"):
        assert (store.folder / name).read_bytes() == before[name]


def test_a_purge_of_a_store_of_an_earlier_version_leaves_one_without_them(tmp_path: Path) -> None:
    store = opened(tmp_path)
    as_earlier_versions_wrote_it(store)
    purge_store(store.folder, {"secret-b"})
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert {path.name for path in folder.iterdir()} == {"index.txt", "series.npy"}
    with pytest.raises(DamagedStoreError, match="no means and SDs"):
        load_store(folder, moments=True)


class LostScan(FakeScan):
    """Cannot be read while the class says so."""

    lost = True

    def read(self) -> np.ndarray:
        if LostScan.lost:
            raise UnreadableNowError
        return super().read()


def test_what_is_read_later_has_them_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brainage.data.store.open.PAUSE", 0.0)
    scans = {"a": FakeScan(1), "b": LostScan(2), "c": FakeScan(3)}
    assert open_store(tmp_path, scans, READING).participant_ids == ("a", "c")
    monkeypatch.setattr(LostScan, "lost", False)
    np.testing.assert_allclose(open_store(tmp_path, scans, READING, moments=True).moments, expected(1, 2, 3))
