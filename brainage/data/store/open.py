"""The store: every participant's series, parsed once, in one array that all runs map into memory.

It is named by a fingerprint of what it was made of; `brainage.data.store.layout` and `store_writing` know the disk.
``python -m brainage.data.store --help`` manages stores.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from brainage.data.store.ingest import Result, read_all
from brainage.data.store.layout import FORMAT, DamagedStoreError, Stamps, Store, load_store
from brainage.data.store.series import Scan
from brainage.data.store.write import locked, rows_of, write_store
from brainage.errors import StoreError
from brainage.system.console import log, track

# A file that changes while it is read makes another store; this often, then somebody must look.
_ATTEMPTS = 3


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
        It cannot be read or written; nothing unfinished is left behind.
    """
    for _ in range(_ATTEMPTS):
        stamps = _stamps(scans)
        fingerprint = fingerprint_of_stamps(stamps, n_components=n_components, n_times=n_times)
        folder = root / fingerprint
        try:
            return load_store(folder)
        except FileNotFoundError:
            pass
        except DamagedStoreError:
            log.warning("The store %s is damaged; it is made again.", folder)
        with locked(root, fingerprint):
            try:
                return load_store(folder)  # another process may have made it meanwhile
            except (FileNotFoundError, DamagedStoreError):
                if _make(folder, scans, stamps, n_components, n_times):
                    return load_store(folder)
    raise StoreError(
        f"`cohort`: participants' files changed while they were read, {_ATTEMPTS} times. Wait until nobody writes to "
        "them, and run again."
    )


def find_store(root: Path, scans: Mapping[str, Scan], *, n_components: int, n_times: int) -> Store:
    """Open the store of these scans; unlike `open_store`, write nothing.

    Raises
    ------
    StoreError
        There is no such store.
    """
    folder = root / store_fingerprint(scans, n_components=n_components, n_times=n_times)
    try:
        return load_store(folder)
    except FileNotFoundError:
        raise StoreError(
            f"The store {folder} does not exist any more. Any run on the same participants writes it."
        ) from None


def store_fingerprint(scans: Mapping[str, Scan], *, n_components: int, n_times: int) -> str:
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
    return fingerprint_of_stamps(_stamps(scans), n_components=n_components, n_times=n_times)


def fingerprint_of_stamps(stamps: Stamps, *, n_components: int, n_times: int) -> str:
    """Return the fingerprint of scans that have these stamps; see `store_fingerprint`.

    Parameters
    ----------
    stamps : sequence of (str, ...)
        A participant's id and their scan's stamp, sorted by id.
    n_components, n_times : int
        The settings that scans are read with.
    """
    content = json.dumps([FORMAT, n_components, n_times, stamps], separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _stamps(scans: Mapping[str, Scan]) -> list[list[Any]]:
    try:
        return [[person, *scans[person].stamp()] for person in sorted(scans)]
    except OSError as error:
        raise StoreError(
            f"`cohort`: a participant's file vanished or cannot be read any more ({error.strerror}). Look whether the "
            "folder is complete and still mounted, and run again."
        ) from None


def _make(folder: Path, scans: Mapping[str, Scan], stamps: Stamps, n_components: int, n_times: int) -> bool:
    """Read every scan and write the store; tell whether no scan changed meanwhile. The caller holds the lock."""

    def unchanged() -> bool:
        return store_fingerprint(scans, n_components=n_components, n_times=n_times) == folder.name

    rows = rows_of(folder, len(stamps), n_components, n_times)

    def results() -> Generator[Result, None, None]:
        log.info("Reading %d participants' series once, into %s", len(scans), folder)
        # Closed at once, so that after a failure no worker goes on reading.
        with closing(read_all(scans, rows)) as read:
            yield from track(read, len(scans), "Participants read")

    with closing(results()) as read:
        made = write_store(folder, stamps, read, n_components=n_components, n_times=n_times, still_true=unchanged)
    if not made:
        log.warning("A participant's file changed while it was read; all are read again.")
    return made
