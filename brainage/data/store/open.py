"""Open the store of a set of scans; write it first if it does not exist or is damaged."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from brainage.data.store.ingest import read_all
from brainage.data.store.layout import DamagedStoreError, Stamps, Store, fingerprint_of_stamps, load_store
from brainage.data.store.locking import locked
from brainage.data.store.series import Scan
from brainage.data.store.write import rows_of, write_store
from brainage.errors import StoreError
from brainage.system.console import log, track

# A file that changes while it is read leads to another store; give up after so many attempts.
_ATTEMPTS = 3


def open_store(root: Path, scans: Mapping[str, Scan], *, n_components: int, n_times: int) -> Store:
    """Open the store of one scan a participant id, below `root`; write it first if it does not exist or is damaged.

    Series longer than `n_times` are cropped. Nothing unfinished is left behind after a StoreError.
    """
    for _ in range(_ATTEMPTS):
        stamps = _stamps(scans)
        folder = root / fingerprint_of_stamps(stamps, n_components=n_components, n_times=n_times)
        try:
            return load_store(folder)
        except FileNotFoundError:
            pass
        except DamagedStoreError:
            log.warning("The store %s is damaged and will be rewritten.", folder)
        with locked(folder):
            try:
                return load_store(folder)  # another process may have written it in the meantime
            except (FileNotFoundError, DamagedStoreError):
                if _ingest(folder, scans, stamps, (n_components, n_times)):
                    return load_store(folder)
    raise StoreError(
        f"`cohort`: participants' files changed while they were read, {_ATTEMPTS} times. Wait until no process writes "
        "them, and run again."
    )


def find_store(root: Path, scans: Mapping[str, Scan], *, n_components: int, n_times: int) -> Store:
    """Open the store of these scans; unlike `open_store`, raise StoreError if it does not exist."""
    folder = root / fingerprint_of_stamps(_stamps(scans), n_components=n_components, n_times=n_times)
    try:
        return load_store(folder)
    except FileNotFoundError:
        raise StoreError(
            f"The store {folder} does not exist any more. Any run on the same participants writes it again."
        ) from None


def _stamps(scans: Mapping[str, Scan]) -> list[list[Any]]:
    try:
        return [[participant, *scans[participant].stamp()] for participant in sorted(scans)]
    except OSError as error:
        raise StoreError(
            f"`cohort`: a participant's file vanished or cannot be read any more ({error.strerror}). Check that the "
            "folder is complete and still mounted, and run again."
        ) from None


def _ingest(folder: Path, scans: Mapping[str, Scan], stamps: Stamps, shape: tuple[int, int]) -> bool:
    """Read every scan and write the store; return false if a scan changed meanwhile. The caller holds the lock."""
    log.info("Reading %d participants' series once, into %s", len(scans), folder)
    # Closed at once, so that workers stop reading after a failure.
    with closing(read_all(scans, rows_of(folder, len(stamps), *shape))) as read:
        results = track(read, len(scans), "Participants read")
        written = write_store(folder, stamps, results, shape, lambda: _stamps(scans) == stamps)
    if not written:
        log.warning("A participant's file changed while it was read; all files are read again.")
    return written
