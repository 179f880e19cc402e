"""The store: every participant's series, parsed once, in one array that all runs map into memory.

A store is a folder named by a fingerprint of what it was made of. It holds ``series.npy``, float32 of shape
(n_participants, n_components, n_times), and ``index.txt``: who is in which row, who was excluded and why, checksums.
It appears whole or not at all: it is made under a lock in a folder of another name, which is renamed at the end.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import zlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from brainage.console import log, track
from brainage.data.series import Scan, checked_series
from brainage.errors import SeriesError, StoreError

# Raise it whenever what a store holds, or how series are checked, changes.
FORMAT = 1

# Below this many scans, starting worker processes takes longer than the work.
_FEWEST_FOR_WORKERS = 128

# A file that changes while it is read makes another store; this often, then somebody must look.
_ATTEMPTS = 3

Reasons = dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Store:
    """An opened store.

    Parameters
    ----------
    folder : Path
        Where it lies.
    participant_ids : tuple of str
        Who is in which row, sorted.
    excluded : dict of str to (str, str)
        Who could not be used: the reason's kind and its detail.
    series : array of shape (n_participants, n_components, n_times)
        float32, z-scored over time; mapped, not read.
    checksums : array of shape (n_participants,)
        CRC-32 of each row.
    """

    folder: Path
    participant_ids: tuple[str, ...]
    excluded: Reasons
    series: NDArray[np.float32]
    checksums: NDArray[np.uint32]

    @property
    def fingerprint(self) -> str:
        """What the store was made of."""
        return self.folder.name


class DamagedStoreError(StoreError):
    """A store that is not what was written."""


def open_store(root: Path, scans: Mapping[str, Scan], *, n_components: int, n_times: int) -> Store:
    """Open the store of these scans; make it first where there is none, or where it is damaged.

    Parameters
    ----------
    root : Path
        Folder of all stores.
    scans : mapping of str to Scan
        A scan a `participant_id`.
    n_components, n_times : int
        What every scan must have; longer ones are cut.

    Returns
    -------
    Store
        Whole and checked.

    Raises
    ------
    StoreError
        It cannot be written; nothing of it is left behind.
    """
    for _ in range(_ATTEMPTS):
        fingerprint = fingerprint_of(scans, n_components=n_components, n_times=n_times)
        folder = root / fingerprint
        try:
            return load_store(folder)
        except FileNotFoundError:
            pass
        except DamagedStoreError:
            log.warning("The store %s is damaged; it is made again.", folder)
        with _lock(root, fingerprint):
            try:
                return load_store(folder)  # another process may have made it meanwhile
            except (FileNotFoundError, DamagedStoreError):
                _make(folder, scans, n_components=n_components, n_times=n_times)
    raise StoreError(
        f"`cohort`: participants' files changed while they were read, {_ATTEMPTS} times. Wait until nobody writes to "
        "them, and run again."
    )


def fingerprint_of(scans: Mapping[str, Scan], *, n_components: int, n_times: int) -> str:
    """Return 16 hexadecimal characters that change whenever a store of these scans would.

    Parameters
    ----------
    scans : mapping of str to Scan
        A scan a `participant_id`.
    n_components, n_times : int
        The settings that scans are read with.

    Raises
    ------
    StoreError
        A file vanished since it was found.
    """
    try:
        stamps = [[person, *scans[person].stamp()] for person in sorted(scans)]
    except OSError as error:
        raise StoreError(
            f"`cohort`: a participant's file vanished or cannot be read any more ({error.strerror}). Look whether the "
            "folder is complete and still mounted, and run again."
        ) from None
    content = json.dumps([FORMAT, n_components, n_times, stamps], separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def load_store(folder: Path) -> Store:
    """Open a store that exists.

    Parameters
    ----------
    folder : Path
        The store.

    Returns
    -------
    Store
        Its index is checked always; its series are read through only when the file is not the one that was written
        (another size or modification time).

    Raises
    ------
    FileNotFoundError
        There is none.
    DamagedStoreError
        It is not what was written.
    """
    index_path, series_path = folder / "index.txt", folder / "series.npy"
    if not folder.exists():
        raise FileNotFoundError(folder)
    try:
        index = _unseal(index_path.read_bytes())
        status = series_path.stat()
        ids = tuple(index["participant_ids"])
        series = np.load(series_path, mmap_mode="r" if ids else None, allow_pickle=False)
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise DamagedStoreError(f"The store {folder} cannot be read ({type(error).__name__}).") from None
    checksums = np.array(index["checksums"], dtype=np.uint32)
    if list(series.shape) != index["shape"] or series.dtype != np.float32 or len(checksums) != len(series):
        raise DamagedStoreError(f"The store {folder} has another shape than it was written with.")
    excluded = {person: (kind, detail) for person, kind, detail in index["excluded"]}
    store = Store(folder, ids, excluded, series, checksums)
    if [status.st_size, status.st_mtime_ns] != index["written"]:
        verify(store, range(len(ids)))
    return store


def verify(store: Store, rows: Iterable[int]) -> None:
    """Compare rows with their checksums.

    Parameters
    ----------
    store : Store
        An opened store.
    rows : iterable of int
        The rows to read.

    Raises
    ------
    DamagedStoreError
        A row is not what was written.
    """
    for row in rows:
        if zlib.crc32(store.series[row].data) != store.checksums[row]:
            raise DamagedStoreError(f"The store {store.folder} is damaged in row {row}; it must be made again.")


def discard(store: Store) -> None:
    """Remove a store, so that the next opening makes it again.

    Parameters
    ----------
    store : Store
        One whose rows are not what was written.
    """
    with _lock(store.folder.parent, store.fingerprint):
        shutil.rmtree(store.folder, ignore_errors=True)


def _make(folder: Path, scans: Mapping[str, Scan], *, n_components: int, n_times: int) -> None:
    """Read every scan and write the store, unless one changed meanwhile; the caller holds the lock."""
    partial_folder = folder.with_name(f".{folder.name}.partial")
    needed = len(scans) * n_components * n_times * 4
    try:
        shutil.rmtree(partial_folder, ignore_errors=True)  # of a process that was killed
        partial_folder.mkdir(parents=True)
        free = shutil.disk_usage(partial_folder).free
        if needed > free:
            raise StoreError(
                f"`store.root={folder.parent}` needs {needed / 1e9:.1f} GB, but {free / 1e9:.1f} GB are free there. "
                "Free some space, or choose another place with store.root=DIR."
            )
        log.info("Reading %d participants' series once, into %s", len(scans), folder)
        _write(partial_folder, scans, n_components, n_times)
        if fingerprint_of(scans, n_components=n_components, n_times=n_times) != folder.name:
            log.warning("A participant's file changed while it was read; all are read again.")
            return
        shutil.rmtree(folder, ignore_errors=True)  # a damaged one
        partial_folder.rename(folder)
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(
            f"`store.root={folder.parent}` cannot be written: {error.strerror or error}. Nothing was left there. Make "
            "room or get permission, or choose another place with store.root=DIR."
        ) from None
    finally:
        shutil.rmtree(partial_folder, ignore_errors=True)


def _write(folder: Path, scans: Mapping[str, Scan], n_components: int, n_times: int) -> None:
    """Write rows as they come, and the index at the end."""
    ids: list[str] = []
    excluded: list[tuple[str, str, str]] = []
    checksums: list[int] = []
    path = folder / "series.npy"
    with path.open("wb") as file:
        header_length = _write_header(file, (len(scans), n_components, n_times))
        for person, result in track(_read_all(scans, n_components, n_times), len(scans), "Participants read"):
            if isinstance(result, SeriesError):
                excluded.append((person, result.kind, result.detail))
                continue
            ids.append(person)
            checksums.append(zlib.crc32(result.data))
            file.write(result.data)
        # Only now it is known how many rows there are.
        file.seek(0)
        if _write_header(file, (len(ids), n_components, n_times)) != header_length:
            raise AssertionError("the header of series.npy changed its length")
        file.flush()
        os.fsync(file.fileno())
    status = path.stat()
    index = {
        "participant_ids": ids,
        "checksums": checksums,
        "excluded": excluded,
        "shape": [len(ids), n_components, n_times],
        "written": [status.st_size, status.st_mtime_ns],
    }
    with (folder / "index.txt").open("wb") as file:
        file.write(_seal(index))
        file.flush()
        os.fsync(file.fileno())


def _write_header(file: Any, shape: tuple[int, ...]) -> int:
    """Write NumPy's header, padded so that its length does not depend on the number of rows."""
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return int(file.tell())


def _read_all(
    scans: Mapping[str, Scan], n_components: int, n_times: int
) -> Iterator[tuple[str, NDArray[np.float32] | SeriesError]]:
    """Yield every participant's series or the reason against them, sorted by id, read in parallel over the cores."""
    ids = sorted(scans)
    read = partial(_read_one, n_components=n_components, n_times=n_times)
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if n_cores == 1 or len(ids) < _FEWEST_FOR_WORKERS:
        yield from zip(ids, map(read, (scans[person] for person in ids)), strict=True)
        return
    # Spawned, not forked: a job of a multirun may have started torch's threads already.
    with ProcessPoolExecutor(n_cores, mp_context=get_context("spawn"), initializer=_leave_interrupts) as workers:
        try:
            yield from zip(ids, workers.map(read, (scans[person] for person in ids), chunksize=8), strict=True)
        finally:
            workers.shutdown(wait=True, cancel_futures=True)


def _leave_interrupts() -> None:
    """Leave Ctrl-C, which a terminal sends to every process, to the process that waits for this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _read_one(scan: Scan, n_components: int, n_times: int) -> NDArray[np.float32] | SeriesError:
    try:
        return np.ascontiguousarray(checked_series(scan.read(), n_components, n_times))
    except SeriesError as error:
        return error


@contextmanager
def _lock(root: Path, fingerprint: str) -> Iterator[None]:
    """Hold the right to make a store; it is given back even by a process that is killed."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(root / f".{fingerprint}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info("Another process is making this store; waiting for it.")
            lock.acquire()
    except OSError as error:
        raise StoreError(
            f"`store.root={root}` cannot be written: {error.strerror or error}. Get permission, or choose another "
            "place with store.root=DIR."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _seal(content: dict[str, Any]) -> bytes:
    """Return the content as JSON behind its own checksum."""
    body = json.dumps(content, separators=(",", ":")).encode()
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def _unseal(data: bytes) -> dict[str, Any]:
    """Return sealed content; raise ValueError where the checksum does not fit."""
    checksum, _, body = data.partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != checksum:
        raise ValueError("checksum")
    content: dict[str, Any] = json.loads(body)
    return content
