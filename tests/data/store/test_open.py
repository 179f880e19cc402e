"""Opening stores: written once, checked, rewritten if damaged."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from brainage.data.store import layout as store_files
from brainage.data.store import workers
from brainage.data.store.layout import DamagedStoreError, Store
from brainage.data.store.open import open_store
from brainage.data.store.reading import Reading
from brainage.data.store.series import FileScan
from brainage.errors import StoreError
from tests.data.store.scans import (
    N_COMPONENTS,
    N_TIMES,
    ChangingScan,
    CountedScan,
    FakeScan,
    flip_a_byte,
    make,
    truncate_the_index,
)


def test_rows_are_cropped_z_scored_and_in_order_of_ids(tmp_path: Path) -> None:
    store = make(tmp_path, {"b": FakeScan(2), "a": FakeScan(1), "c": FakeScan(-1)})
    assert store.participant_ids == ("a", "b")
    assert store.excluded == {"c": ("NaN or infinity", "made so")}
    assert store.series.shape == (2, N_COMPONENTS, N_TIMES)
    assert store.series.dtype == np.float32
    raw = FakeScan(2).read()[:N_TIMES].T
    expected = (raw - raw.mean(axis=1, keepdims=True)) / raw.std(axis=1, keepdims=True)
    np.testing.assert_allclose(store.series[1], expected, atol=1e-6)


def test_a_second_opening_reads_no_scan(tmp_path: Path) -> None:
    log = tmp_path / "log"
    scans = {"a": CountedScan(1, log=str(log)), "b": CountedScan(2, log=str(log))}
    first, second = make(tmp_path / "store", scans), make(tmp_path / "store", scans)
    assert log.read_text() == "read\n" * 2
    assert first.folder == second.folder
    np.testing.assert_array_equal(first.series, second.series)


def test_a_store_has_three_files(tmp_path: Path) -> None:
    store = make(tmp_path, {"a": FakeScan(1)})
    assert sorted(path.name for path in store.folder.iterdir()) == ["index.txt", "moments.npy", "series.npy"]
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {store.fingerprint}


def test_workers_write_the_same_bytes_as_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scans = {f"p{i:03d}": FakeScan(i if i % 50 else -1) for i in range(140)}
    parallel = make(tmp_path / "parallel", scans)
    monkeypatch.setattr(workers, "_MIN_SCANS_FOR_WORKERS", 1000)
    alone = make(tmp_path / "alone", scans)
    assert len(parallel.participant_ids) == 137
    assert parallel.excluded == alone.excluded
    assert (parallel.folder / "series.npy").read_bytes() == (alone.folder / "series.npy").read_bytes()


def test_a_changed_file_changes_the_fingerprint(tmp_path: Path) -> None:
    file = tmp_path / "files" / "a.txt"
    file.parent.mkdir()
    rng = np.random.default_rng(0)
    np.savetxt(file, rng.normal(size=(N_TIMES, N_COMPONENTS)))
    scans = {"a": FileScan(file, file.parent)}

    def opened() -> Store:
        return open_store(tmp_path / "store", scans, Reading(N_COMPONENTS, N_TIMES))

    first = opened()
    os.utime(file, ns=(0, 10**9))
    assert opened().fingerprint != first.fingerprint
    other_settings = open_store(tmp_path / "store", scans, Reading(N_COMPONENTS, N_TIMES - 1))
    assert len({first.fingerprint, opened().fingerprint, other_settings.fingerprint}) == 3


def lose_the_series(store: Store) -> None:
    (store.folder / "series.npy").unlink()


def cut_the_series(store: Store) -> None:
    path = store.folder / "series.npy"
    path.write_bytes(path.read_bytes()[:-4])


@pytest.mark.parametrize("harm", [flip_a_byte, truncate_the_index, lose_the_series, cut_the_series])
def test_a_damaged_store_is_noticed_logged_and_rewritten(
    harm: object, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scans = {"a": FakeScan(1), "b": FakeScan(2)}
    before = make(tmp_path, scans)
    whole = np.array(before.series)
    harm(before)  # type: ignore[operator]
    again = make(tmp_path, scans)
    np.testing.assert_array_equal(again.series, whole)
    assert "is damaged and will be rewritten" in caplog.text


def test_a_touched_but_intact_store_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    scans = {"a": CountedScan(1, log=str(log))}
    store = make(tmp_path / "store", scans)
    os.utime(store.folder / "series.npy", ns=(0, 10**9))
    make(tmp_path / "store", scans)
    assert log.read_text() == "read\n"


def test_verify_finds_a_flipped_byte_despite_an_unchanged_modification_time(tmp_path: Path) -> None:
    store = make(tmp_path, {"a": FakeScan(1), "b": FakeScan(2)})
    status = (store.folder / "series.npy").stat()
    flip_a_byte(store)
    os.utime(store.folder / "series.npy", ns=(status.st_atime_ns, status.st_mtime_ns))
    damaged = make(tmp_path, {"a": FakeScan(1), "b": FakeScan(2)})
    store_files.verify(damaged, [0])
    with pytest.raises(DamagedStoreError, match="damaged in row 1"):
        store_files.verify(damaged, [0, 1])


def test_a_store_without_rows_can_be_opened(tmp_path: Path) -> None:
    store = make(tmp_path, {"a": FakeScan(-1)})
    assert store.series.shape == (0, N_COMPONENTS, N_TIMES)
    assert make(tmp_path, {"a": FakeScan(-1)}).participant_ids == ()


def test_a_place_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"`store.root=.*file/store` cannot be written: Not a directory"):
        make(tmp_path / "file" / "store", {"a": FakeScan(1)})


def test_a_full_disk_is_refused_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: _Usage(free=10))
    with pytest.raises(StoreError, match="needs 0.1 kB, but 0.0 kB are free"):
        make(tmp_path, {"a": FakeScan(1)})
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


@dataclass(frozen=True)
class _Usage:
    free: int


def test_a_failure_while_writing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreError, match="No space left on device. Nothing was left"):
        make(tmp_path, {"a": FakeScan(1)})
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


@pytest.mark.parametrize(("times", "gives_up"), [(1, False), (99, True)])
def test_a_file_that_changes_while_it_is_read_is_noticed(
    times: int, gives_up: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ChangingScan.changes, ChangingScan.times = 0, times
    if gives_up:
        with pytest.raises(StoreError, match="changed while they were read, 3 times"):
            make(tmp_path, {"a": ChangingScan(1)})
    else:
        assert make(tmp_path, {"a": ChangingScan(1)}).participant_ids == ("a",)
    assert "changed while it was read" in caplog.text


def put_named(path: Path, names: str, columns: np.ndarray) -> FileScan:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = "".join("\t".join(map(repr, row)) + "\n" for row in columns.tolist())
    path.write_text(f"{names}\n{rows}" if names else rows)
    return FileScan(path, path.parent)


def test_named_channels_are_put_in_order_and_other_names_exclude(tmp_path: Path) -> None:
    values = np.random.default_rng(5).normal(size=(N_TIMES, N_COMPONENTS))
    scans = {
        "a": put_named(tmp_path / "files" / "a.tsv", "Vis\tMot\tDef", values),
        "b": put_named(tmp_path / "files" / "b.tsv", "Def\tVis\tMot", values[:, [2, 0, 1]]),
        "c": put_named(tmp_path / "files" / "c.tsv", "Vis\tMot\tLim", values),
        "d": put_named(tmp_path / "files" / "d.tsv", "", values),
        "e": put_named(tmp_path / "files" / "e.tsv", "Vis\tMot\tDef", values),
        "f": put_named(tmp_path / "files" / "f.tsv", "Vis\tMot\tMot", values),
    }
    store = open_store(tmp_path / "store", scans, Reading(N_COMPONENTS, N_TIMES))
    assert store.channels == ("Vis", "Mot", "Def")
    assert store.participant_ids == ("a", "b", "e")
    np.testing.assert_array_equal(store.series[0], store.series[1])
    assert {one: detail for one, (_, detail) in store.excluded.items()} == {
        "c": "1 of 3 names are not those of the other files",
        "d": "no names of channels, which the other files have",
        "f": "1 of 3 names are not those of the other files",
    }
    assert open_store(tmp_path / "store", scans, Reading(N_COMPONENTS, N_TIMES)).channels == store.channels
