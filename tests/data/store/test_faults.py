"""Faults around a store: concurrent and killed processes, full disks, flipped bits, removal while in use."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

from brainage.data.store import layout as store_files
from brainage.data.store import workers
from brainage.data.store.layout import DamagedStoreError, Store, load_store
from brainage.data.store.locking import locked
from brainage.data.store.open import open_store
from brainage.data.store.reading import Reading
from brainage.data.store.write import discard
from brainage.errors import StoreError
from tests.conftest import FAST, Command, run_command, wait_until
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

PROCESSES = multiprocessing.get_context("forkserver")

N_PARTICIPANTS = 20


def counted(log: str) -> dict[str, FakeScan]:
    return {f"p{i:02d}": CountedScan(i, log=log) for i in range(N_PARTICIPANTS)}


def whole(store: Store) -> bool:
    """Compare a store's rows with their checksums, and with the scans."""
    store_files.verify(store, range(N_PARTICIPANTS))
    return store.participant_ids == tuple(counted("")) and bool(np.isfinite(store.series).all())


def open_in_process(root: str, log: str, looks: bool) -> None:
    """Open the store; if `looks`, first try to load it until it exists: it must never be unfinished."""
    stamps = [[one, *scan.stamp()] for one, scan in sorted(counted(log).items())]
    fingerprint = store_files.fingerprint_of_stamps(stamps, [N_COMPONENTS, N_TIMES])

    def is_found() -> bool:
        try:
            assert whole(load_store(Path(root) / fingerprint))
        except FileNotFoundError:
            return False
        return True

    if looks:
        wait_until(is_found)
    assert whole(make(Path(root), counted(log)))


def run_together(arguments: list[tuple[str, str, bool]]) -> list[int | None]:
    processes = [PROCESSES.Process(target=open_in_process, args=words) for words in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    return [process.exitcode for process in processes]


def folders(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.is_dir())


def test_concurrent_processes_write_a_store_once_and_never_read_an_unfinished_one(tmp_path: Path) -> None:
    root, log = tmp_path / "store", tmp_path / "log"
    # Some open it at once, some try to load it while the others write it.
    codes = run_together([(str(root), str(log), i >= 2) for i in range(4)])
    assert codes == [0] * 4
    assert log.read_text() == "read\n" * N_PARTICIPANTS
    assert len(folders(root)) == 1


@pytest.mark.parametrize("harm", [flip_a_byte, pytest.param(truncate_the_index, marks=pytest.mark.more)])
def test_concurrent_processes_rewrite_a_damaged_store_once(harm: Callable[[Store], None], tmp_path: Path) -> None:
    root, log = tmp_path / "store", tmp_path / "log"
    harm(make(root, counted(str(log))))
    log.unlink()
    assert run_together([(str(root), str(log), False)] * 3) == [0] * 3
    assert log.read_text() == "read\n" * N_PARTICIPANTS


def kill_a_writer(root: Path, log: Path, delay: float) -> bool:
    """Kill a process that writes a store after a delay from its first scan; return whether it was still running."""
    log.unlink(missing_ok=True)
    writer = PROCESSES.Process(target=open_in_process, args=(str(root), str(log), False))
    writer.start()
    wait_until(lambda: log.exists() or not writer.is_alive())
    writer.join(delay)
    writer.kill()
    writer.join(60)
    for name in folders(root):
        if not name.startswith("."):
            assert whole(load_store(root / name))
            shutil.rmtree(root / name)
    return writer.exitcode == -signal.SIGKILL


# Reading the scans takes about 0.4 s.
@pytest.mark.parametrize("n_kills", [2, pytest.param(40, marks=pytest.mark.slow)])
def test_a_killed_writer_leaves_nothing_that_loads_as_a_store(n_kills: int, tmp_path: Path) -> None:
    root, log = tmp_path / "store", tmp_path / "log"
    rng = np.random.default_rng(n_kills)
    early, late = rng.uniform(0, 0.4, n_kills // 2), rng.uniform(0.38, 0.46, n_kills - n_kills // 2)
    assert sum(kill_a_writer(root, log, delay) for delay in [*early, *late]) >= n_kills // 2
    log.unlink(missing_ok=True)
    open_in_process(str(root), str(log), False)
    assert log.read_text() == "read\n" * N_PARTICIPANTS
    assert len(folders(root)) == 1


def make_large(root: str, log: str) -> None:
    make(Path(root), {f"p{i:04d}": CountedScan(i, log=log) for i in range(2000)})


def test_the_workers_of_a_killed_writer_exit_and_the_lock_is_free(tmp_path: Path) -> None:
    root, log = tmp_path / "store", tmp_path / "log"
    writer = PROCESSES.Process(target=make_large, args=(str(root), str(log)))
    writer.start()
    wait_until(lambda: log.exists() or not writer.is_alive())
    workers = psutil.Process(writer.pid).children(recursive=True)
    assert workers
    writer.kill()
    writer.join(60)
    _, alive = psutil.wait_procs(workers, timeout=20)
    for worker in alive:
        worker.kill()
    assert alive == []
    [unfinished] = folders(root)
    with locked(root / unfinished.removeprefix(".").removesuffix(".partial"), wait=False):
        pass


@dataclass(frozen=True)
class FatalScan(FakeScan):
    """Ends the process that reads it, as the kernel does when memory runs out."""

    def read(self) -> np.ndarray:
        os.kill(os.getpid(), signal.SIGKILL)
        return super().read()


def test_a_killed_worker_is_one_message_and_leaves_nothing(tmp_path: Path) -> None:
    scans = {f"p{i:03d}": FatalScan(i) if i == 77 else FakeScan(i) for i in range(140)}
    with pytest.raises(StoreError, match=r"processes that read participants' files was killed.*memory.*taskset"):
        make(tmp_path, scans)
    assert folders(tmp_path) == []


def test_files_that_stop_changing_before_the_last_attempt_are_read(tmp_path: Path) -> None:
    ChangingScan.changes, ChangingScan.times = 0, 2
    assert make(tmp_path, {"a": ChangingScan(1)}).participant_ids == ("a",)


class VanishingScan(FakeScan):
    """Its file is removed after it was read."""

    read_before = False

    def read(self) -> np.ndarray:
        VanishingScan.read_before = True
        return super().read()

    def stamp(self) -> tuple[str | int | float, ...]:
        if VanishingScan.read_before:
            raise FileNotFoundError(2, "No such file or directory")
        return super().stamp()


@pytest.mark.more
def test_a_file_that_vanishes_while_it_is_read_excludes_its_participant_once(tmp_path: Path) -> None:
    VanishingScan.read_before = False
    store = make(tmp_path, {"a": VanishingScan(1), "b": FakeScan(2)})
    assert store.participant_ids == ("b",)
    assert store.excluded == {"a": ("cannot be read now", "No such file or directory")}
    VanishingScan.read_before = False
    assert make(tmp_path, {"a": VanishingScan(1)}).excluded == {
        "a": ("cannot be read now", "No such file or directory")
    }


def test_an_unreadable_store_is_not_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make(tmp_path, {"a": FakeScan(1)})

    def denied(*arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("brainage.data.store.layout.open_file", denied)
    with pytest.raises(StoreError, match=r"the store .* cannot be read: Permission denied. Get permission"):
        make(tmp_path, {"a": FakeScan(1)})
    monkeypatch.undo()
    assert load_store(store.folder).participant_ids == ("a",)


def test_an_index_that_would_need_memory_or_time_is_not_read(tmp_path: Path) -> None:
    folder = make(tmp_path, {"a": FakeScan(1)}).folder
    body = b"[" * 10**5
    (folder / "index.txt").write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    with pytest.raises(DamagedStoreError, match="RecursionError"):
        load_store(folder)
    os.truncate(folder / "index.txt", 3 * 2**30)
    with pytest.raises(StoreError, match="3,221,225,472 bytes"):
        load_store(folder)
    (folder / "index.txt").unlink()
    os.mkfifo(folder / "index.txt")
    with pytest.raises(StoreError, match="no regular file"):
        load_store(folder)


@pytest.mark.parametrize("removal", ["purge", "discard"])
def test_a_mapped_store_stays_readable_while_it_is_purged_or_rewritten(
    removal: str, tmp_path: Path, command: Command
) -> None:
    scans = {f"p{i}": FakeScan(i) for i in range(6)}
    used = make(tmp_path / "store", scans)
    assert isinstance(used.series, np.memmap)
    if removal == "purge":
        (tmp_path / "ids").write_text("p3\n")
        ended = command("-m", "brainage.data.store", "purge", "--root", "store", "--ids", "ids")
        assert "1 purged of 1 rows" in ended.out
        assert not used.folder.exists()
    else:
        (used.folder / "index.txt").unlink()
        discard(used)
        assert not used.folder.exists()
        make(tmp_path / "store", scans)
    store_files.verify(used, range(6))
    expected = make(tmp_path / "again", scans)
    np.testing.assert_array_equal(used.series, expected.series)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("there is no `mount`")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def fill(ballast: Path, keep: int) -> None:
    free = shutil.disk_usage(ballast.parent).free
    ballast.write_bytes(bytes(max(0, free - keep)))


# A row of 100 kB: 15 of them fit, 25 do not.
READING = Reading(5, 5_000)


def large_scans(n_participants: int) -> dict[str, FakeScan]:
    return {f"secret{i:02d}": FakeLargeScan(i, READING.n_times) for i in range(n_participants)}


@dataclass(frozen=True)
class FakeLargeScan(FakeScan):
    def read(self) -> np.ndarray:
        return np.random.default_rng(self.number).normal(size=(self.n_times, READING.n_channels))


@dataclass(frozen=True)
class FillingScan(FakeLargeScan):
    """Another file takes the rest of the disk while this is read."""

    ballast: str = ""

    def read(self) -> np.ndarray:
        fill(Path(self.ballast), keep=0)
        return super().read()


def left_on(disk: Path) -> list[str]:
    return sorted(path.relative_to(disk).as_posix() for path in disk.rglob("*") if path.suffix != ".lock")


def test_a_disk_that_is_too_small_is_one_message_before_any_work(small_disk: Path) -> None:
    with pytest.raises(StoreError, match=r"`store.root=.*/disk/store` needs 2.5 MB, but 2.1 MB are free there"):
        open_store(small_disk / "store", large_scans(25), READING)
    assert left_on(small_disk) == ["store"]


@pytest.mark.parametrize("taken_while", ["rows", "index"])
def test_a_disk_that_fills_up_is_one_message_and_the_run_can_be_repeated(taken_while: str, small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    scans = large_scans(15)
    if taken_while == "rows":
        scans["secret03"] = FillingScan(3, READING.n_times, ballast=str(ballast))
    else:  # Pages of 4096 bytes: there is room for the rows and their header, and not for the index.
        fill(ballast, keep=367 * 4096)
    with pytest.raises(StoreError, match=r"cannot be written: No space left on device\. Nothing was left there\. Make"):
        open_store(small_disk / "store", scans, READING)
    assert left_on(small_disk) == ["ballast", "store"]
    ballast.unlink()
    store = open_store(small_disk / "store", large_scans(15), READING)
    store_files.verify(store, range(15))


def test_a_damaged_store_is_removed_before_it_is_rewritten(small_disk: Path) -> None:
    # No variable: a mapped store keeps its space.
    truncate_the_index(open_store(small_disk / "store", large_scans(15), READING))
    again = open_store(small_disk / "store", large_scans(15), READING)
    assert len(again.participant_ids) == 15
    store_files.verify(again, range(15))


def test_a_purge_without_room_leaves_the_store_as_it_was_and_can_be_repeated(small_disk: Path, tmp_path: Path) -> None:
    store = open_store(small_disk / "store", large_scans(15), READING)
    (tmp_path / "ids").write_text("secret04\n")
    words = ("-m", "brainage.data.store", "purge", "--root", str(small_disk / "store"), "--ids", "ids")
    ended = run_command(tmp_path, *words)
    assert ended.code == 1
    assert "needs 1.4 MB, but 585.7 kB are free there" in ended.err
    assert "1 stores or tables could not be purged and are as they were" in ended.err
    assert "secret" not in ended.text
    assert folders(small_disk / "store") == [store.fingerprint]
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    assert run_command(tmp_path, *words).code == 0
    assert folders(small_disk / "store") != [store.fingerprint]


@pytest.mark.slow
def test_a_run_on_a_full_disk_ends_with_one_message_and_can_be_repeated(small_disk: Path, tmp_path: Path) -> None:
    # 43 participants x 25 components x 490 time points x 4 bytes are more than 2 MiB.
    words = ("train.py", *FAST, "cohort.n_participants=43", f"store.root={small_disk}")
    ended = run_command(tmp_path, *words)
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert ended.err.startswith("error: `store.root=")
    assert left_on(small_disk) == []
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    assert run_command(tmp_path, *words).code == 0


def test_without_shared_memory_one_process_reads_and_a_message_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def without_semaphores(*arguments: object, **keywords: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))  # as Linux answers without a /dev/shm that can be written

    monkeypatch.setattr(workers, "ProcessPoolExecutor", without_semaphores)
    monkeypatch.setattr(workers, "_MIN_SCANS_FOR_WORKERS", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2})
    store = make(tmp_path, {"a": FakeScan(1), "b": FakeScan(2)})
    assert store.participant_ids == ("a", "b")
    assert "/dev/shm, cannot be used (Read-only file system), so one process reads" in caplog.text
    assert "instead of 3" in caplog.text
