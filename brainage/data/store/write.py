"""Writing and removing stores atomically.

A store is written to a folder of another name, which is renamed at the end; removal renames it first.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from brainage.data.store.ingest import Result
from brainage.data.store.layout import FORMAT, RULES, Stamps, Store, unfinished_folder
from brainage.data.store.locking import locked, writing
from brainage.data.store.reading import Reading
from brainage.data.store.rows import Rows, header_of, row_writer, rows_in
from brainage.data.store.series import UnreadableNowError
from brainage.errors import SeriesError, StoreError
from brainage.system.console import bytes_text
from brainage.system.files import make_folder

# What an index has of each row, if any row has it.
_OF_ROWS = ("repaired", "t_r", "scans", "unused")


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


def rows_of(folder: Path, n_rows: int, reading: Reading) -> Rows | None:
    """Return the rows of a store that is being written, for `n_rows` participants before exclusions.

    None, if series have their own lengths: where a row begins is known only once those before it are read.
    """
    return rows_in(unfinished_folder(folder) / "series.npy", n_rows, reading)


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
            # Without a common length, how much is needed is not known.
            _check_space(unfinished, len(stamps) * reading.n_channels * (4 * (reading.n_times_of_row or 0) + 16))
            _write(unfinished, stamps, results, reading)
            if not is_current():
                return False
            for name, mode in modes.items():
                if (unfinished / name).exists():
                    (unfinished / name).chmod(mode)
            unfinished.rename(folder)
            return True
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def _modes(folder: Path) -> dict[str, int]:
    """Return the permissions of a store's folder and files; nothing if there is none."""
    paths = {"": folder, "index.txt": folder / "index.txt"}
    # Stores of earlier versions have no moments.
    paths |= dict.fromkeys(("series.npy", "moments.npy"), folder / "series.npy")
    return {name: stat.S_IMODE(path.stat().st_mode) for name, path in paths.items() if path.exists()}


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StoreError(
            f"`store.root={folder.parent}` needs {bytes_text(needed)}, but {bytes_text(free)} are free there. "
            "Free some space, or choose another place with store.root=DIR."
        )


def _write(unfinished: Path, stamps: Stamps, results: Iterable[Result], reading: Reading) -> None:
    """Write rows as they come, then their moments, and the index last."""
    path = unfinished / "series.npy"
    writer = row_writer(path, len(stamps), reading)
    index: dict[str, Any] = {name: [] for name in ("participant_ids", "checksums", "excluded", "unread", *_OF_ROWS)}
    moments: list[NDArray[np.float64] | None] = []
    with _synced(path) as file:
        file.write(header_of(writer.shape))
        file.flush()
        for row, (participant, result) in enumerate(results):
            if isinstance(result, UnreadableNowError):
                index["unread"].append(participant)
            elif isinstance(result, SeriesError):
                index["excluded"].append((participant, result.kind, result.detail))
            else:
                index["participant_ids"].append(participant)
                index["checksums"].append(writer.write(file, row, result.series))
                index["repaired"].append((result.n_missing, result.n_interpolated))
                index["t_r"].append(() if result.t_r is None else (result.t_r,))
                index["scans"].append(result.scans)
                index["unused"].append(result.unused)
                moments.append(result.moments)
        writer.finish(file)
        # The number of rows is known only now. The header's length does not depend on it.
        header = header_of(writer.shape)
        file.seek(0)
        file.write(header)
    status = path.stat()
    index |= {"format": FORMAT, "rules": RULES, "settings": reading.settings(), "channels": reading.names}
    for name in _OF_ROWS:
        if not any(map(any, index[name])):
            del index[name]
    known = [one for one in moments if one is not None]
    if known and len(known) == len(moments):
        index["moments"] = _write_moments(unfinished / "moments.npy", np.concatenate(known))
    index |= {"stamps": stamps, "shape": writer.shape, **writer.index()}
    index |= {"header": [len(header), zlib.crc32(header)], "written": [status.st_size, status.st_mtime_ns]}
    body = json.dumps(index, separators=(",", ":")).encode()
    with _synced(unfinished / "index.txt") as file:
        file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def _write_moments(path: Path, moments: NDArray[np.float64]) -> int:
    """Write the moments; return the checksum of the file."""
    content = io.BytesIO()
    np.save(content, moments, allow_pickle=False)
    with _synced(path) as file:
        file.write(content.getbuffer())
    return zlib.crc32(content.getbuffer())


@contextmanager
def _synced(path: Path) -> Iterator[BinaryIO]:
    """Open a new file that is on disk once it is closed."""
    with path.open("w+b") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
