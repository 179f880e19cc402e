"""Making and removing stores: under a lock, whole or not at all.

A store is made in a folder of another name, which is renamed at the end; it disappears likewise.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import re
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from filelock import FileLock, Timeout

from brainage.data.store.ingest import Result, Rows
from brainage.data.store.layout import FORMAT, DamagedStoreError, Stamps, Store, folders, load_store, verify_all
from brainage.errors import SeriesError, StoreError
from brainage.system.console import bytes_text, log


class BusyStoreError(StoreError):
    """A store that another process is making or removing."""


def list_unfinished(root: Path) -> list[Path]:
    """Return the names that stores which are unfinished would have had; see `list_stores`."""
    matches = (re.fullmatch(r"\.([0-9a-f]{16})\.partial", path.name) for path in folders(root))
    return sorted(root / match[1] for match in matches if match)


def discard(store: Store) -> None:
    """Remove a store that is damaged, so that the next opening makes it again.

    Parameters
    ----------
    store : Store
        One whose rows are not what was written. It stays if another process has made it again meanwhile.

    Raises
    ------
    StoreError
        It cannot be removed.
    """
    folder = store.folder
    with locked(folder.parent, folder.name):
        try:
            verify_all(load_store(folder))
        except FileNotFoundError:
            pass
        except DamagedStoreError:
            remove_store(folder)


def remove_store(folder: Path) -> None:
    """Remove a store, and what a killed process left of one; the caller holds the lock.

    Who has mapped it keeps it; who opens it finds all of it or nothing.

    Parameters
    ----------
    folder : Path
        The store; it need not exist.

    Raises
    ------
    StoreError
        It cannot be removed.
    """
    unfinished = unfinished_folder(folder)
    with _writing(folder.parent):
        if unfinished.exists():
            shutil.rmtree(unfinished)
        if folder.exists():
            folder.rename(unfinished)
            shutil.rmtree(unfinished)


def unfinished_folder(folder: Path) -> Path:
    """Return where a store is written, and what it is renamed to before it is removed.

    Parameters
    ----------
    folder : Path
        The store.
    """
    return folder.with_name(f".{folder.name}.partial")


def rows_of(folder: Path, n_rows: int, n_components: int, n_times: int) -> Rows:
    """Return the rows of a store that is being written.

    Parameters
    ----------
    folder : Path
        The store.
    n_rows, n_components, n_times : int
        Its shape, if nobody is excluded.
    """
    shape = (n_components, n_times)
    return Rows(unfinished_folder(folder) / "series.npy", len(_header((n_rows, *shape))), shape)


def write_store(
    folder: Path,
    stamps: Stamps,
    results: Iterable[Result],
    *,
    n_components: int,
    n_times: int,
    still_true: Callable[[], bool] = lambda: True,
) -> bool:
    """Write a store, whole or not at all; the caller holds the lock.

    Parameters
    ----------
    folder : Path
        The store; what is there is removed first.
    stamps : sequence of (str, ...)
        What the fingerprint was made of.
    results : iterable of (str, array of shape (n_components, n_times), int or SeriesError)
        A participant's series, or the checksum of what is already in the row of this number, or the reason against
        them.
    n_components, n_times : int
        The shape of one participant's series.
    still_true : callable
        Asked at the end whether the store is what its name says.

    Returns
    -------
    bool
        Whether it was, and the store is there.

    Raises
    ------
    StoreError
        It cannot be written; nothing unfinished is left behind.
    """
    remove_store(folder)
    unfinished = unfinished_folder(folder)
    with _writing(folder.parent):
        try:
            unfinished.mkdir(parents=True)
            _check_space(unfinished, len(stamps) * n_components * n_times * 4)
            _write(unfinished, stamps, results, rows_of(folder, len(stamps), n_components, n_times))
            if not still_true():
                return False
            unfinished.rename(folder)
            return True
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StoreError(
            f"`store.root={folder.parent}` needs {bytes_text(needed)}, but {bytes_text(free)} are free there. "
            "Free some space, or choose another place with store.root=DIR."
        )


def _write(folder: Path, stamps: Stamps, results: Iterable[Result], rows: Rows) -> None:
    """Write rows as they come, close the gaps of the excluded, and write the index at the end."""
    kept: dict[int, tuple[str, int]] = {}
    excluded: list[tuple[str, str, str]] = []
    with _synced(rows.path) as file:
        file.write(_header((len(stamps), *rows.shape)))
        file.flush()
        for row, (person, result) in enumerate(results):
            if isinstance(result, SeriesError):
                excluded.append((person, result.kind, result.detail))
            else:
                kept[row] = (person, result if isinstance(result, int) else rows.write(row, result))
        _close_gaps(file, list(kept), rows)
        # Only now it is known how many rows there are.
        shape = (len(kept), *rows.shape)
        header = _header(shape)
        if len(header) != rows.offset:
            raise AssertionError("the header of series.npy changed its length")
        file.seek(0)
        file.write(header)
    status = rows.path.stat()
    index = {
        "format": FORMAT,
        "participant_ids": [person for person, _ in kept.values()],
        "checksums": [checksum for _, checksum in kept.values()],
        "excluded": excluded,
        "stamps": stamps,
        "shape": shape,
        "header": [rows.offset, zlib.crc32(header)],
        "written": [status.st_size, status.st_mtime_ns],
    }
    with _synced(folder / "index.txt") as file:
        file.write(_seal(index))


def _close_gaps(file: BinaryIO, kept: Sequence[int], rows: Rows) -> None:
    """Move rows up to where the ones before them were left empty, and cut the end off."""
    size = 4 * math.prod(rows.shape)
    for row, former in enumerate(kept):
        if row != former:
            file.seek(rows.offset + former * size)
            data = file.read(size)
            file.seek(rows.offset + row * size)
            file.write(data)
    file.truncate(rows.offset + len(kept) * size)


@contextmanager
def _synced(path: Path) -> Iterator[BinaryIO]:
    """Open a new file that is on the disk once it is closed."""
    with path.open("w+b") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _header(shape: tuple[int, ...]) -> bytes:
    """Return NumPy's header, padded so that its length does not depend on the number of rows."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return header.getvalue()


@contextmanager
def locked(root: Path, fingerprint: str, *, wait: bool = True) -> Iterator[None]:
    """Hold the right to make or remove a store; it is given back even by a process that is killed.

    Parameters
    ----------
    root : Path
        Folder of all stores.
    fingerprint : str
        The store's name.
    wait : bool, default=True
        Wait for a process that holds the right.

    Raises
    ------
    BusyStoreError
        Another process holds it, and `wait` is false.
    StoreError
        The folder of all stores cannot be written.
    """
    with _writing(root):
        root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(root / f".{fingerprint}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if not wait:
                raise BusyStoreError(f"Another process is making the store {root / fingerprint}.") from None
            log.info("Another process is making the store %s; waiting for it.", root / fingerprint)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _writing(root: Path) -> Iterator[None]:
    """Turn what a full disk or missing permission raises into one message."""
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(
            f"`store.root={root}` cannot be written: {error.strerror or error}. Nothing was left there. Make room or "
            "get permission, or choose another place with store.root=DIR."
        ) from None


def _seal(content: dict[str, Any]) -> bytes:
    """Return the content as JSON behind its own checksum."""
    body = json.dumps(content, separators=(",", ":")).encode()
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body
