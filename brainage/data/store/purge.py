"""Removing participants from stores."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from brainage.data.store.ingest import Result
from brainage.data.store.layout import (
    DamagedStoreError,
    Store,
    fingerprint_of_stamps,
    load_store,
    map_store,
    read_index,
    stream_rows,
    unfinished_folder,
)
from brainage.data.store.locking import locked
from brainage.data.store.reading import Reading
from brainage.data.store.series import UnreadableNowError
from brainage.data.store.write import remove_store, write_store
from brainage.errors import SeriesError, StoreError
from brainage.system.console import track


@dataclass(frozen=True)
class PurgedStore:
    """The participants removed from a store, `n_rows` of them with a row; a damaged store is deleted as a whole."""

    participants: frozenset[str] = frozenset()
    n_rows: int = 0
    damaged: bool = False


def purge_store(folder: Path, ids: Collection[str]) -> PurgedStore:
    """Replace a store that has any of these participants by one without them; delete it if it is damaged."""
    found: frozenset[str] = frozenset()
    with locked(folder):
        try:
            index = read_index(folder)
            store = map_store(folder, index)
            found = frozenset(stamp[0] for stamp in index["stamps"]).intersection(ids)
            if found:
                _replace(store, index, found)
        except FileNotFoundError:  # another process has removed it
            return PurgedStore()
        except DamagedStoreError:
            remove_store(folder)
            return PurgedStore(found, damaged=True)
    return PurgedStore(found, n_rows=len(found.intersection(store.participant_ids)))


def remove_unfinished(folder: Path) -> bool:
    """Delete what a killed process left of a store; return whether there was anything."""
    unfinished = unfinished_folder(folder)
    with locked(folder, wait=False):
        if not unfinished.exists():  # completed in the meantime
            return False
        try:
            shutil.rmtree(unfinished)
        except OSError as error:
            message = f"`{unfinished}` cannot be removed: {error.strerror or error}. Remove it by hand."
            raise StoreError(message) from None
    return True


def _replace(store: Store, index: Mapping[str, Any], gone: Collection[str]) -> None:
    """Write the store of the remaining scans under its own fingerprint, then remove this one, whose lock is held.

    A store with fewer participants is locked after one with more, so two purges cannot block each other.
    """
    stamps = [stamp for stamp in index["stamps"] if stamp[0] not in gone]
    # Not in stores of version 0.1.
    reading = Reading.of(index.get("settings", index["shape"][1:]), store.channels)
    if stamps:
        folder = store.folder.with_name(fingerprint_of_stamps(stamps, reading.settings()))
        with locked(folder):
            try:
                load_store(folder)
            except (FileNotFoundError, DamagedStoreError):
                write_store(folder, stamps, _kept(store, gone), reading, former=store.folder)
    remove_store(store.folder)


def _kept(store: Store, gone: Collection[str]) -> Iterator[Result]:
    """Yield the other participants' series, compared with their checksums, and exclusions."""
    n_rows = len(store.participant_ids)
    rows = track(stream_rows(store), n_rows, f"{store.fingerprint}: rows copied")
    for row, (participant, series, intact) in enumerate(rows):
        if participant in gone:
            continue
        if not intact:
            raise DamagedStoreError(f"The store {store.folder} is damaged.")
        yield participant, replace(store.checked(row), series=series)
    others = {participant: SeriesError(*reason) for participant, reason in store.excluded.items()}
    others.update((participant, UnreadableNowError()) for participant in store.unread)
    yield from ((participant, error) for participant, error in others.items() if participant not in gone)
