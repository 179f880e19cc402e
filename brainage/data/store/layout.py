"""How a store lies on the disk, and how it is read.

A store is a folder. It holds ``series.npy``, float32 of shape (n_participants, n_components, n_times), and
``index.txt``, sealed with its own checksum: who is in which row, who was excluded and why, the stamps that the
fingerprint is made of, a checksum of each row. `brainage.data.store.write` makes and removes it.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from mmap import MADV_DONTNEED, mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainage.errors import StoreError

# Raise it whenever what a store holds, or how series are checked, changes.
FORMAT = 2

# Who could not be used: the reason's kind and its detail.
Reasons = dict[str, tuple[str, str]]

# A participant's id and what their scan's `stamp` returned, sorted by id.
Stamps = Sequence[Sequence[Any]]

# A participant's series, or the reason against them.


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

    def release(self) -> None:
        """Let go of the rows that were read through the mapping; the system may keep them, this process does not."""
        mapping = self.series.base
        if isinstance(mapping, mmap) and hasattr(mapping, "madvise"):
            mapping.madvise(MADV_DONTNEED)


class DamagedStoreError(StoreError):
    """A store that is not what was written."""


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
    StoreError
        It cannot be read.
    """
    index = read_index(folder)
    store = map_store(folder, index)
    with _reading(folder):
        status = (folder / "series.npy").stat()
    if [status.st_size, status.st_mtime_ns] != index["written"]:
        verify_all(store)
    return store


def read_index(folder: Path) -> dict[str, Any]:
    """Read and check a store's index.

    Parameters
    ----------
    folder : Path
        The store.

    Returns
    -------
    dict
        ``participant_ids`` and ``checksums`` (a row each), ``excluded`` (id, kind, detail), ``stamps`` (id, stamp...)
        of both, ``shape``, and length and checksum of NumPy's ``header``.

    Raises
    ------
    FileNotFoundError, DamagedStoreError, StoreError
        See `load_store`.
    """
    if not folder.exists():  # asked first: a store that appears between two questions is not a damaged one
        raise FileNotFoundError(folder)
    with _reading(folder):
        index = _unseal((folder / "index.txt").read_bytes())
        if index.get("format") != FORMAT:
            raise ValueError("format")
        return index


def map_store(folder: Path, index: Mapping[str, Any]) -> Store:
    """Map a store's array, whose rows are not read.

    Parameters
    ----------
    folder : Path
        The store.
    index : mapping
        As `read_index` returns it.

    Raises
    ------
    FileNotFoundError, DamagedStoreError, StoreError
        See `load_store`.
    """
    path, shape = folder / "series.npy", tuple(index["shape"])
    length, checksum = index["header"]
    with _reading(folder):
        with path.open("rb") as file:
            header = file.read(length)
        # Compared, not parsed: a parser answers a flipped bit with any of many errors, or with another array.
        if zlib.crc32(header) != checksum or path.stat().st_size != length + 4 * math.prod(shape):
            raise ValueError("header or size")
        # Nothing cannot be mapped.
        series = np.memmap(path, np.float32, "r", length, shape) if shape[0] else np.empty(shape, np.float32)
    excluded = {person: (kind, detail) for person, kind, detail in index["excluded"]}
    checksums = np.array(index["checksums"], dtype=np.uint32)
    return Store(folder, tuple(index["participant_ids"]), excluded, series, checksums)


def list_stores(root: Path) -> list[Path]:
    """Return the stores that are whole or damaged; others are unfinished.

    Parameters
    ----------
    root : Path
        Folder of all stores; it need not exist.

    Raises
    ------
    StoreError
        It cannot be read.
    """
    return sorted(path for path in folders(root) if re.fullmatch("[0-9a-f]{16}", path.name))


def folders(root: Path) -> list[Path]:
    """Return the folders in the folder of all stores; see `list_stores`."""
    try:
        return [path for path in root.iterdir() if path.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"`--root {root}` cannot be read: {error.strerror}. Get permission, and try again.") from None


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    """Tell a store that is not there from one that is damaged and from one that cannot be read just now."""
    try:
        yield
    except StoreError:
        raise
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError) as error:
        if not folder.exists():
            raise FileNotFoundError(folder) from None
        raise DamagedStoreError(f"The store {folder} is damaged or unfinished ({type(error).__name__}).") from None
    except OSError as error:
        raise StoreError(
            f"`store.root={folder.parent}`: the store {folder.name} cannot be read: {error.strerror or error}. Get "
            "permission or see to the disk, or choose another place with store.root=DIR."
        ) from None


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


def verify_all(store: Store) -> None:
    """Compare every row with its checksum, as the file has it; see `verify`."""
    for row, (_, _, fits) in enumerate(stream_rows(store)):
        if not fits:
            raise DamagedStoreError(f"The store {store.folder} is damaged in row {row}; it must be made again.")


def stream_rows(store: Store) -> Iterator[tuple[str, NDArray[np.float32], bool]]:
    """Read all rows from the file, one after the other, so that they do not fill memory as mapped ones would.

    Parameters
    ----------
    store : Store
        An opened store.

    Yields
    ------
    str, array of shape (n_components, n_times), bool
        Who is in the row, their series, and whether it fits its checksum.
    """
    path, shape = store.folder / "series.npy", store.series.shape[1:]
    with _reading(store.folder), path.open("rb") as file:
        file.seek(path.stat().st_size - store.series.nbytes)
        for person, checksum in zip(store.participant_ids, store.checksums, strict=True):
            series = np.fromfile(file, np.float32, math.prod(shape)).reshape(shape)
            yield person, series, zlib.crc32(series.data) == checksum


def _unseal(data: bytes) -> dict[str, Any]:
    """Return sealed content; raise ValueError where the checksum does not fit."""
    checksum, _, body = data.partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != checksum:
        raise ValueError("checksum")
    content: dict[str, Any] = json.loads(body)
    return content
