"""Writing and removing stores atomically.

A store is written to a folder of another name, which is renamed at the end; removal renames it first.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import shutil
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from brainage.data.store.ingest import Result, Rows
from brainage.data.store.layout import FORMAT, RULES, Stamps, Store, unfinished_folder
from brainage.data.store.locking import locked, writing
from brainage.data.store.reading import Reading
from brainage.data.store.series import UnreadableNowError
from brainage.errors import SeriesError, StoreError
from brainage.system.console import bytes_text
from brainage.system.files import make_folder


def discard(store: Store) -> None:
    """Remove a damaged store. If another process has rewritten it meanwhile, it is written once more."""
    with locked(store.folder):
        remove_store(store.folder)


def remove_store(folder: Path) -> None:
    """Remove a store, if it exists, and any unfinished one; the caller holds the lock.

    Processes that have mapped it keep it; processes that open it find all of it or nothing.
    """
    unfinished = unfinished_folder(folder)
    with writing(folder.parent):
        if unfinished.exists():
            shutil.rmtree(unfinished)
        if folder.exists():
            folder.rename(unfinished)
            shutil.rmtree(unfinished)


def rows_of(folder: Path, n_rows: int, reading: Reading) -> Rows:
    """Return the rows of a store that is being written, for `n_rows` participants before exclusions."""
    return _rows_in(unfinished_folder(folder), n_rows, reading)


def _rows_in(unfinished: Path, n_rows: int, reading: Reading) -> Rows:
    shape = (reading.n_channels, reading.n_times)
    return Rows(unfinished / "series.npy", len(_header((n_rows, *shape))), shape)


def write_store(
    folder: Path,
    stamps: Stamps,
    results: Iterable[Result],
    reading: Reading,
    is_current: Callable[[], bool] = lambda: True,
    *,
    former: Path | None = None,
) -> bool:
    """Replace a store atomically, from one result a stamp, in the same order; the caller holds the lock.

    The permissions of the store that it replaces, which is `former` if it has another folder, stay.

    `is_current` is called at the end and returns whether the files still have these stamps. It is returned; if false,
    nothing is kept. Nothing is left behind after a StoreError either.
    """
    modes = _modes(former or folder)
    remove_store(folder)
    unfinished = unfinished_folder(folder)
    with writing(folder.parent):
        try:
            make_folder(unfinished)
            _check_space(unfinished, 4 * len(stamps) * reading.n_channels * reading.n_times)
            _write(unfinished, stamps, results, reading)
            if not is_current():
                return False
            for name, mode in modes.items():
                (unfinished / name).chmod(mode)
            unfinished.rename(folder)
            return True
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def _modes(folder: Path) -> dict[str, int]:
    """Return the permissions of a store's folder and files; nothing if there is none."""
    paths = {name: folder / name for name in ("", "index.txt", "series.npy")}
    return {name: stat.S_IMODE(path.stat().st_mode) for name, path in paths.items() if path.exists()}


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StoreError(
            f"`store.root={folder.parent}` needs {bytes_text(needed)}, but {bytes_text(free)} are free there. "
            "Free some space, or choose another place with store.root=DIR."
        )


def _write(unfinished: Path, stamps: Stamps, results: Iterable[Result], reading: Reading) -> None:
    """Write rows as they come, close the gaps that exclusions leave, and write the index last."""
    rows = _rows_in(unfinished, len(stamps), reading)
    kept: dict[int, tuple[str, int]] = {}
    excluded: list[tuple[str, str, str]] = []
    unread: list[str] = []
    with _synced(rows.path) as file:
        file.write(_header((len(stamps), *rows.shape)))
        file.flush()
        for row, (participant, result) in enumerate(results):
            if isinstance(result, UnreadableNowError):
                unread.append(participant)
            elif isinstance(result, SeriesError):
                excluded.append((participant, result.kind, result.detail))
            else:
                kept[row] = (participant, result if isinstance(result, int) else rows.write(row, result))
        _close_gaps(file, list(kept), rows)
        # The number of rows is known only now. The header's length does not depend on it.
        shape = (len(kept), *rows.shape)
        header = _header(shape)
        file.seek(0)
        file.write(header)
    status = rows.path.stat()
    index = {
        "format": FORMAT,
        "rules": RULES,
        "settings": reading.settings(),
        "channels": reading.names,
        "participant_ids": [participant for participant, _ in kept.values()],
        "checksums": [checksum for _, checksum in kept.values()],
        "excluded": excluded,
        "unread": unread,
        "stamps": stamps,
        "shape": shape,
        "header": [rows.offset, zlib.crc32(header)],
        "written": [status.st_size, status.st_mtime_ns],
    }
    body = json.dumps(index, separators=(",", ":")).encode()
    with _synced(unfinished / "index.txt") as file:
        file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def _close_gaps(file: BinaryIO, kept: Sequence[int], rows: Rows) -> None:
    """Move rows up over the empty rows of excluded participants, and truncate the file."""
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
    """Open a new file that is on disk once it is closed."""
    with path.open("w+b") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _header(shape: tuple[int, ...]) -> bytes:
    """Return NumPy's header, which is padded so that its length does not depend on the number of rows."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return header.getvalue()
