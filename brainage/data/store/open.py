"""Open the store of a set of scans; write it first if it does not exist or is damaged."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any, NoReturn

from brainage.data.store.ingest import Result, read_all
from brainage.data.store.layout import (
    DamagedStoreError,
    IncompleteStoreError,
    Stamps,
    Store,
    fingerprint_of_stamps,
    load_store,
    verify,
)
from brainage.data.store.locking import locked
from brainage.data.store.parse import Recording
from brainage.data.store.reading import Reading, common_names
from brainage.data.store.series import FileScan, Scan, TimedScan, UnreadableNowError, ZipScan
from brainage.data.store.several import first_of, read_scan
from brainage.data.store.write import rows_of, write_store
from brainage.errors import SeriesError, StoreError
from brainage.system.console import log, track

# A file that changes while it is read leads to another store; give up after so many attempts.
_ATTEMPTS = 3

# Files whose names of channels are compared before all are read.
_N_COMPARED = 9

# Seconds before what the system could not read is read again.
PAUSE = 1.0


def open_store(root: Path, scans: Mapping[str, Scan], reading: Reading, *, moments: bool = False) -> Store:
    """Open the store of one scan a participant id, below `root`; write it first if it does not exist or is damaged.

    One without moments is also written, if `moments` are needed.
    Longer series are cropped. A file that the system cannot read, not even a second time, excludes its participant from
    what is returned and is read again at the next opening. Nothing unfinished is left behind after a StoreError.
    """
    for _ in range(_ATTEMPTS):
        stamped = _stamped(scans)
        folder = root / stamped.fingerprint(reading)
        store = _load_or_write(folder, stamped, reading, moments=moments)
        if store is not None and store.unread:
            store = _read_again(store, stamped, reading)
        if store is not None:
            return store
        log.warning("A participant's file changed while it was read; all files are read again.")
    raise StoreError(
        f"`cohort`: participants' files changed while they were read, {_ATTEMPTS} times. Wait until no process writes "
        "them, and run again."
    )


def find_store(root: Path, scans: Mapping[str, Scan], reading: Reading, *, moments: bool = False) -> Store:
    """Open the store of these scans; unlike `open_store`, raise StoreError if it does not exist."""
    folder = root / _stamped(scans).fingerprint(reading)
    try:
        return load_store(folder, moments=moments)
    except FileNotFoundError:
        raise StoreError(
            f"The store {folder} does not exist any more. Any run on the same participants writes it again."
        ) from None


@dataclass(frozen=True)
class _Stamped:
    """Scans with their stamps, sorted by participant."""

    scans: dict[str, Scan]
    stamps: Stamps

    def fingerprint(self, reading: Reading) -> str:
        return fingerprint_of_stamps(self.stamps, reading.settings())

    def is_current(self) -> bool:
        return _stamped(self.scans).stamps == self.stamps


@dataclass(frozen=True)
class _LostScan:
    """A scan whose file was found, but whose stamp the system cannot give."""

    scan: Scan
    reason: str

    def read(self) -> NoReturn:
        raise UnreadableNowError(detail=self.reason)

    def stamp(self) -> tuple[str | int | float, ...]:
        return self.scan.stamp()


def _stamped(scans: Mapping[str, Scan]) -> _Stamped:
    found: dict[str, Scan] = {}
    stamps: list[list[Any]] = []
    pause = PAUSE
    for participant in sorted(scans):
        scan = scans[participant]
        try:
            stamp = scan.stamp()
        except OSError:
            time.sleep(pause)
            pause = 0.0  # once for all: a server that answers again answers for all of them
            try:
                stamp = scan.stamp()
            except OSError as error:
                scan, stamp = _LostScan(scan, error.strerror or type(error).__name__), ()
        found[participant] = scan
        stamps.append([participant, *stamp])
    return _Stamped(found, stamps)


def _load_or_write(folder: Path, stamped: _Stamped, reading: Reading, *, moments: bool) -> Store | None:
    """Return the store, or None if a scan changed while the store was written."""
    try:
        return load_store(folder, moments=moments)
    except FileNotFoundError:
        pass
    except IncompleteStoreError as error:
        log.info("%s It is written once more, because `modality.scale` needs them.", error)
    except DamagedStoreError:
        log.warning("The store %s is damaged and will be rewritten.", folder)
    with locked(folder):
        try:
            return load_store(folder, moments=moments)  # another process may have written it in the meantime
        except (FileNotFoundError, DamagedStoreError):
            log.info("Reading %d participants' series once, into %s", len(stamped.scans), folder)
            reading = replace(reading, names=_common_names(stamped.scans, reading))
            rows = rows_of(folder, len(stamped.stamps), reading)
            # Closed at once, so that workers stop reading after a failure.
            with closing(read_all(stamped.scans, rows, reading)) as read:
                results = track(read, len(stamped.scans), "Participants read")
                written = write_store(folder, stamped.stamps, results, reading, stamped.is_current)
            return load_store(folder) if written else None


def _common_names(scans: Mapping[str, Scan], reading: Reading) -> tuple[str, ...] | None:
    """Return the names of channels that most of the first readable files have."""
    recordings: list[Recording] = []
    for scan in map(first_of, scans.values()):
        if not isinstance(scan, FileScan | ZipScan | TimedScan):
            continue
        with suppress(SeriesError):
            recordings.append(scan.read())
        if len(recordings) == _N_COMPARED:
            break
    return common_names(recordings, reading.rows_are_channels)


def _read_again(store: Store, stamped: _Stamped, reading: Reading) -> Store | None:
    """Read the files again that the system could not read; return the store with those that it can read now.

    Participants whose files still cannot be read are among its exclusions, though not on disk. None is as in
    `_load_or_write`.
    """
    reading = replace(reading, names=store.channels)
    time.sleep(PAUSE)
    errors = {participant: _error_of(stamped.scans[participant], reading) for participant in store.unread}
    if not all(isinstance(error, UnreadableNowError) for error in errors.values()):
        with locked(store.folder):
            try:
                store = load_store(store.folder)  # another process may have completed it in the meantime
            except (FileNotFoundError, DamagedStoreError):
                return None
            results = _completed(store, stamped.scans, reading)
            if store.unread and not write_store(store.folder, stamped.stamps, results, reading, stamped.is_current):
                return None
            store = load_store(store.folder)
    still = {participant: errors.get(participant) or UnreadableNowError() for participant in store.unread}
    reasons = {participant: (error.kind, error.detail) for participant, error in still.items()}
    return replace(store, excluded={**store.excluded, **reasons})


def _error_of(scan: Scan, reading: Reading) -> SeriesError | None:
    try:
        read_scan(scan, reading)
    except SeriesError as error:
        return error
    return None


def _completed(store: Store, scans: Mapping[str, Scan], reading: Reading) -> Iterator[Result]:
    """Yield the rows of a store, which stay mapped while its folder is replaced, and what was not read before."""

    def stored() -> Iterator[Result]:
        for row, participant in enumerate(store.participant_ids):
            verify(store, [row])
            yield participant, store.checked(row)

    def read() -> Iterator[Result]:
        for participant in store.unread:
            try:
                yield participant, read_scan(scans[participant], reading)
            except SeriesError as error:
                yield participant, error

    yield from heapq.merge(stored(), read(), key=itemgetter(0))
    yield from ((participant, SeriesError(*reason)) for participant, reason in store.excluded.items())
