"""A store on disk: its files, opening it, checking it.

A store is a folder with ``series.npy``, float32 of shape (n_participants, n_components, n_times), or flat where series
have their own lengths, ``moments.npy``, float64 of shape (n_scans, n_components, 2), means and SDs before the series
were z-scored, and ``index.txt``, JSON behind its own SHA-256: the participant of each row, exclusions with reasons, the
stamps that the fingerprint is computed from, a CRC-32 of each row and of the moments, and the lengths.
`brainage.data.store.write` writes and removes stores.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from mmap import MADV_DONTNEED, mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainage.data.store.checked import Checked
from brainage.data.store.ragged import Ragged
from brainage.errors import StoreError
from brainage.system.files import open_file
from brainage.system.redaction import register

# Increase it whenever the content of a store, or the checks of a series, change.
FORMAT = 2
# Bytes of an index: those of ten million participants.
_INDEX = 2**29

# Increase it when more files can be read: the participants excluded for these reasons are then read again.
RULES = 2
_READABLE_NOW = frozenset({"not a number where a number belongs", "not a text file"})

# A participant's id followed by the `stamp` of their scan, sorted by id.
Stamps = Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Store:
    """An opened store.

    Parameters
    ----------
    folder : Path
        Its folder.
    participant_ids : tuple of str
        The participant of each row, sorted.
    excluded : dict of str to (str, str)
        Kind and detail of the reason for each exclusion.
    series : array of shape (n_participants, n_components, n_times), or Ragged
        float32, z-scored over time; memory-mapped.
    checksums : array of shape (n_participants,)
        CRC-32 of each row.
    unread : tuple of str
        Participants whose files the system could not read when the store was written; they are read again when it is
        opened.
    channels : tuple of str or None
        Names of the channels; None if the files have none.
    repaired : sequence of (int, int)
        Missing channels, which are zero, and interpolated time points of each row; empty if there are none.
    t_r : sequence of (float,), one a row
        Repetition time, in seconds, if a participant's file itself has it; empty if none has.
    scans : sequence of (str, int), one a row
        Labels and time points of a participant's scans, which follow each other; empty if each has one.
    unused : sequence of (str, str, str), one a row
        Labels of a participant's other scans, kind and detail of the reason; empty if there are none.
    moments : array of shape (n_scans, n_channels, 2), or None
        Mean and SD of each scan's channels in the units of the files, row after row; None if an earlier version wrote
        the store.
    """

    folder: Path
    participant_ids: tuple[str, ...] = field(repr=False)
    excluded: dict[str, tuple[str, str]] = field(repr=False)
    series: NDArray[np.float32] | Ragged
    checksums: NDArray[np.uint32]
    unread: tuple[str, ...] = field(default=(), repr=False)
    channels: tuple[str, ...] | None = field(default=None, repr=False)
    repaired: Sequence[Sequence[int]] = field(default=(), repr=False)
    t_r: Sequence[Sequence[float]] = field(default=(), repr=False)
    scans: Sequence[Sequence[tuple[str, int]]] = field(default=(), repr=False)
    unused: Sequence[Sequence[tuple[str, str, str]]] = field(default=(), repr=False)
    moments: NDArray[np.float64] | None = field(default=None, repr=False)

    @property
    def fingerprint(self) -> str:
        """The folder's name: a hash of the scans, their files' times and the settings they were read with."""
        return self.folder.name

    @property
    def n_channels(self) -> int:
        """Channels of each series."""
        return self.series.n_channels if isinstance(self.series, Ragged) else int(self.series.shape[1])

    @property
    def lengths(self) -> NDArray[np.intp]:
        """Time points of each row."""
        if isinstance(self.series, Ragged):
            return self.series.lengths
        return np.full(len(self.series), self.series.shape[2], dtype=np.intp)

    def scans_of(self, row: int) -> Sequence[tuple[str, int]]:
        """Return the label and the time points of each scan in a row; one of a participant who has one has no label."""
        return (self.scans[row] if self.scans else ()) or [("", int(self.lengths[row]))]

    @cached_property
    def first_scans(self) -> NDArray[np.intp]:
        """The number of each row's first scan among all scans, and at the end that of all."""
        n_scans = [len(of) or 1 for of in self.scans] or [1] * len(self.series)
        return np.concatenate([[0], np.cumsum(n_scans, dtype=np.intp)])

    def checked(self, row: int) -> Checked[NDArray[np.float32]]:
        """Return a row as it was when it was written."""
        n_missing, n_interpolated = self.repaired[row] if self.repaired else (0, 0)
        t_r = self.t_r[row][0] if self.t_r and self.t_r[row] else None
        scans = self.scans[row] if self.scans else ()
        unused = self.unused[row] if self.unused else ()
        begin, end = self.first_scans[row : row + 2]
        moments = None if self.moments is None else self.moments[begin:end]
        return Checked(self.series[row], n_missing, n_interpolated, t_r, scans, unused, moments)

    def at_least(self, n_times: int) -> Store:
        """Return the store with shorter scans among the unused, and who has no other scan among the excluded."""

        def reason(length: int) -> tuple[str, str]:
            return "too few time points", f"{length}, expected at least {n_times}"

        lengths, store = self.lengths, self
        if self.scans:
            of_rows = [self.scans_of(row) for row in range(len(self.scans))]
            lengths = np.array([max(length for _, length in scans) for scans in of_rows], dtype=np.intp)
            short = ([(label, *reason(n)) for label, n in scans if n < n_times] for scans in of_rows)
            unused = self.unused or [()] * len(of_rows)
            store = replace(self, unused=[[*known, *new] for known, new in zip(unused, short, strict=True)])
        excluded = {self.participant_ids[row]: reason(int(lengths[row])) for row in np.flatnonzero(lengths < n_times)}
        return replace(store, excluded={**self.excluded, **excluded}) if excluded else store

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs, which maps the files again: a mapped array would be sent whole."""
        dropped = ("series", "moments") if isinstance(self.series.base, mmap) else ()
        return {name: value for name, value in vars(self).items() if name not in dropped}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Map the files again."""
        if "series" not in state:
            mapped = map_store(state["folder"], read_index(state["folder"]))
            state = {**state, "series": mapped.series, "moments": mapped.moments}
        vars(self).update(state)

    def release(self) -> None:
        """Drop the mapped pages from this process; the system's cache may keep them."""
        if isinstance(self.series.base, mmap):
            self.series.base.madvise(MADV_DONTNEED)


class DamagedStoreError(StoreError):
    """The content of a store is not what was written."""


class IncompleteStoreError(DamagedStoreError):
    """A store has no moments, because an earlier version wrote it."""


def fingerprint_of_stamps(stamps: Stamps, settings: Sequence[Any]) -> str:
    """Return the name of the store of scans with these stamps and settings of `Reading`, 16 hexadecimal characters."""
    content = json.dumps([FORMAT, *settings, stamps], separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def load_store(folder: Path, *, moments: bool = False) -> Store:
    """Open a store and check it: its index, its moments, and its rows if the size or time of ``series.npy`` changed.

    Raises FileNotFoundError if there is none, DamagedStoreError if its content is not what was written,
    IncompleteStoreError if `moments` are needed and it has none, and StoreError if it cannot be read.
    """
    index = read_index(folder)
    store = map_store(folder, index)
    if moments and store.moments is None and store.participant_ids:
        raise IncompleteStoreError(f"The store {folder} has no means and SDs: an earlier version wrote it.")
    with _reading(folder):
        status = (folder / "series.npy").stat()
    changed = [status.st_size, status.st_mtime_ns] != index["written"]
    if changed and not all(intact for _, _, intact in stream_rows(store)):
        raise DamagedStoreError(f"The store {folder} is damaged; it must be rewritten.")
    return store


def read_index(folder: Path) -> dict[str, Any]:
    """Read and check a store's index; raise as `load_store` does."""
    # Asked before the file is read: a store that is renamed into place in between is not damaged.
    if not folder.exists():
        raise FileNotFoundError(folder)
    with _reading(folder):
        with open_file(folder / "index.txt", "rb", limit=_INDEX, follow=True) as file:
            checksum, _, body = file.read().partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != checksum:
            raise ValueError("checksum")
        index: dict[str, Any] = json.loads(body)
        if index.get("format") != FORMAT:
            raise ValueError("format")
        register(stamp[0] for stamp in index["stamps"])
        return index


def map_store(folder: Path, index: Mapping[str, Any]) -> Store:
    """Map a store's array without reading its rows; raise as `load_store` does."""
    path, shape, lengths = folder / "series.npy", tuple(index["shape"]), index.get("lengths")
    length, checksum = index["header"]
    with _reading(folder):
        with open_file(path, "rb", follow=True) as file:
            header = file.read(length)
        # The header is compared instead of parsed: a flipped bit in it may parse as another array.
        if zlib.crc32(header) != checksum or path.stat().st_size != length + 4 * math.prod(shape):
            raise ValueError("header or size")
        # An empty file cannot be mapped.
        mapped = np.memmap(path, np.float32, "r", length, shape) if shape[0] else np.empty(shape, np.float32)
    series = mapped if lengths is None else Ragged(mapped, index["settings"][0], lengths)
    excluded = {participant: (kind, detail) for participant, kind, detail in index["excluded"]}
    checksums = np.array(index["checksums"], dtype=np.uint32)
    channels = tuple(index["channels"]) if index.get("channels") else None
    unread = list(index.get("unread", ()))  # not in stores of version 0.1
    if index.get("rules") != RULES:
        again = [participant for participant, (kind, _) in excluded.items() if kind in _READABLE_NOW]
        unread += [participant for participant in again if excluded.pop(participant)]
    ids = tuple(index["participant_ids"])
    of_rows = {name: index.get(name, ()) for name in ("repaired", "t_r", "scans", "unused")}
    store = Store(folder, ids, excluded, series, checksums, tuple(unread), channels, **of_rows)
    return _with_moments(store, index["moments"]) if "moments" in index else store


def _with_moments(store: Store, checksum: int) -> Store:
    """Map the moments, compared with the checksum of their file."""
    shape = (int(store.first_scans[-1]), store.n_channels, 2)
    with _reading(store.folder), open_file(store.folder / "moments.npy", "rb", follow=True) as file:
        content = np.memmap(file, np.uint8, "r")
        if zlib.crc32(content.data) != checksum:
            raise ValueError("checksum")
        return replace(store, moments=np.memmap(file, np.float64, "r", len(content) - 8 * math.prod(shape), shape))


def list_stores(root: Path) -> list[Path]:
    """Return the folders of complete stores, damaged ones included."""
    return sorted(path for path in folders(root) if re.fullmatch("[0-9a-f]{16}", path.name))


def list_unfinished(root: Path) -> list[Path]:
    """Return the folders that unfinished stores would be renamed to."""
    matches = (re.fullmatch(r"\.([0-9a-f]{16})\.partial", path.name) for path in folders(root))
    return sorted(root / match[1] for match in matches if match)


def unfinished_folder(folder: Path) -> Path:
    """Return where a store is written before, and renamed to when removed."""
    return folder.with_name(f".{folder.name}.partial")


def folders(root: Path) -> list[Path]:
    """Return the folders in a folder that need not exist."""
    try:
        return [path for path in root.iterdir() if path.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"`--root {root}` cannot be read: {error.strerror}. Get permission, and try again.") from None


def verify(store: Store, rows: Iterable[int]) -> None:
    """Compare mapped rows with their checksums; raise DamagedStoreError at the first that differs."""
    for row in rows:
        if zlib.crc32(np.ascontiguousarray(store.series[row]).data) != store.checksums[row]:
            raise DamagedStoreError(f"The store {store.folder} is damaged in row {row}; it must be rewritten.")


def stream_rows(store: Store) -> Iterator[tuple[str, NDArray[np.float32], bool]]:
    """Yield (participant id, series, whether its checksum fits) of each row, read from the file to save memory."""
    path, n_channels = store.folder / "series.npy", store.n_channels
    rows = zip(store.participant_ids, store.checksums, store.lengths.tolist(), strict=True)
    with _reading(store.folder), path.open("rb") as file:
        file.seek(path.stat().st_size - 4 * n_channels * int(store.lengths.sum()))
        for participant, checksum, n_times in rows:
            series = np.fromfile(file, np.float32, n_channels * n_times).reshape(n_channels, n_times)
            yield participant, series, zlib.crc32(series.data) == checksum


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    """Distinguish a missing store (FileNotFoundError), a damaged one, and one that cannot be read now."""
    try:
        yield
    except StoreError:
        raise
    except (FileNotFoundError, ValueError, RecursionError) as error:
        if not folder.exists():
            raise FileNotFoundError(folder) from None
        raise DamagedStoreError(f"The store {folder} is damaged or unfinished ({type(error).__name__}).") from None
    except OSError as error:
        raise StoreError(
            f"`store.root={folder.parent}`: the store {folder.name} cannot be read: {error.strerror or error}. Get "
            "permission (its owner can share it with chmod, and new ones with outputs.mode=group), check the disk, or "
            "choose another place with store.root=DIR."
        ) from None
