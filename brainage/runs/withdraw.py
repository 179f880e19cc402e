"""Remove people who withdrew: from every store, and from the tables of every run."""

from __future__ import annotations

import csv
import os
import shutil
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from brainage.data.store.ingest import Result
from brainage.data.store.layout import (
    DamagedStoreError,
    Store,
    fingerprint_of_stamps,
    list_stores,
    list_unfinished,
    load_store,
    map_store,
    read_index,
    stream_rows,
    unfinished_folder,
)
from brainage.data.store.locking import BusyStoreError, locked
from brainage.data.store.write import remove_store, write_store
from brainage.errors import BrainageError, OutputError, SeriesError, StoreError
from brainage.system.console import track

# The files of a run, or of a multirun, that name participants.
TABLES = ("splits.csv", "predictions.csv", "pooled_predictions.csv", "exclusions.csv")

# A table that is being written is renamed after a moment; one this old, in seconds, was left by a killed process.
_ABANDONED_AFTER = 60.0


@dataclass
class _Removed:
    """What a purge has done so far."""

    people: set[str] = field(default_factory=set)
    stores: int = 0
    rows: int = 0
    excluded: int = 0
    damaged: int = 0
    unfinished: int = 0
    files: int = 0
    lines: int = 0
    failed: int = 0

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Say what cannot be purged, and go on with the rest."""
        try:
            yield
        except BrainageError as error:
            self.failed += 1
            print(f"error: {error}", file=sys.stderr)


def purge(root: Path, outputs: Path, ids_file: Path) -> int:
    """Remove people from every store and every run's tables, and print what was removed.

    Parameters
    ----------
    root : Path
        Folder of all stores.
    outputs : Path
        Folder of the runs.
    ids_file : Path
        Who withdrew, one id a line.

    Returns
    -------
    int
        The exit code: 0, or 1 where somebody could not be removed everywhere.
    """
    from brainage.data.cohorts.ids import read_ids  # imports pandas, which takes a moment

    ids = read_ids(ids_file)
    done = _Removed()
    for folder in list_unfinished(root):
        with done.going_on():
            _remove_unfinished(folder, done)
    for folder in list_stores(root):
        with done.going_on():
            _purge_store(folder, ids, done)
    for path in _tables(outputs):
        with done.going_on():
            _purge_table(path, ids, done)
    _tell(done, len(ids), root, outputs, ids_file)
    return 1 if done.failed else 0


def _tell(done: _Removed, n_ids: int, root: Path, outputs: Path, ids_file: Path) -> None:
    """Say what was removed, in counts."""
    print(f"People: {len(done.people)} of the {n_ids} in `{ids_file}` found.")
    print(f"Stores in `{root}`: {done.stores} purged of {done.rows} rows and {done.excluded} excluded participants.")
    if done.damaged or done.unfinished:
        print(
            f"Deleted there: {done.damaged} damaged and {done.unfinished} unfinished stores; a run that needs one "
            "makes it again."
        )
    print(f"Tables in `{outputs}`: {done.files} files purged of {done.lines} rows.")
    if not done.people:
        missing = [f"`{folder}` does not exist" for folder in (root, outputs) if not folder.is_dir()]
        print(
            f"warning: nobody was removed, for none of the {n_ids} ids in `{ids_file}` was found. They may be of "
            "another kind, such as those of another application: compare one of them with a run's `splits.csv`."
            + (f" Mind that {' and '.join(missing)}." if missing else ""),
            file=sys.stderr,
        )
    if done.failed:
        print(
            f"error: {done.failed} stores or tables could not be purged and are as they were; see above. Mend that, "
            "and run the command again.",
            file=sys.stderr,
        )
    else:
        print(
            f"From now on start runs with cohort.exclude_ids={ids_file}. A run that is under way writes its people at "
            "its end: purge again after it."
        )


def _remove_unfinished(folder: Path, done: _Removed) -> None:
    unfinished = unfinished_folder(folder)
    try:
        with locked(folder, wait=False):
            shutil.rmtree(unfinished)
    except FileNotFoundError:  # finished meanwhile
        return
    except BusyStoreError:
        raise BusyStoreError(
            f"The store {folder} is being made by another process, and people who withdrew may be in it. Purge again "
            "when it is done."
        ) from None
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"`{unfinished}` cannot be removed: {error.strerror or error}. Remove it by hand.") from None
    done.unfinished += 1


def _purge_store(folder: Path, ids: Collection[str], done: _Removed) -> None:
    """Replace a store that holds some of these people by one without them; delete it where it is damaged."""
    found: set[str] = set()
    with locked(folder):
        try:
            index = read_index(folder)
            store = map_store(folder, index)
            found = {stamp[0] for stamp in index["stamps"]}.intersection(ids)
            if found:
                _replace(store, index, found)
        except FileNotFoundError:  # removed meanwhile
            return
        except DamagedStoreError:
            remove_store(folder)
            done.damaged += 1
            done.people |= found
            return
    if found:
        n_rows = len(found.intersection(store.participant_ids))
        done.people |= found
        done.stores += 1
        done.rows += n_rows
        done.excluded += len(found) - n_rows


def _replace(store: Store, index: Mapping[str, Any], gone: Collection[str]) -> None:
    """Put the store of the remaining scans, under its own fingerprint, in the place of this one, whose lock is held.

    Locks are taken from more people to fewer, so that two purges never wait for each other.
    """
    root = store.folder.parent
    stamps = [stamp for stamp in index["stamps"] if stamp[0] not in gone]
    n_components, n_times = index["shape"][1:]
    if stamps:
        name = fingerprint_of_stamps(stamps, n_components=n_components, n_times=n_times)
        with locked(root / name):
            if not _is_whole(root / name):
                kept = _kept(store, gone)
                write_store(root / name, stamps, kept, (n_components, n_times))
    remove_store(store.folder)


def _is_whole(folder: Path) -> bool:
    try:
        load_store(folder)
    except (FileNotFoundError, DamagedStoreError):
        return False
    return True


def _kept(store: Store, gone: Collection[str]) -> Iterator[Result]:
    """Yield what the store holds of the others, compared with its checksums."""
    n_rows = len(store.participant_ids)
    for person, series, fits in track(stream_rows(store), n_rows, f"{store.fingerprint}: rows copied"):
        if person in gone:
            continue
        if not fits:
            raise DamagedStoreError(f"The store {store.folder} is damaged.")
        yield person, series
    for person, (kind, detail) in store.excluded.items():
        if person not in gone:
            yield person, SeriesError(kind, detail)


def _tables(outputs: Path) -> list[Path]:
    """Find runs' tables, also behind links, and the half of a table that a killed process left."""
    names = {*TABLES, *(f".{name}.partial" for name in TABLES)}
    found: set[Path] = set()
    seen: set[Path] = set()
    for place, folders, files in os.walk(outputs, followlinks=True):
        folder = Path(place).resolve()
        if folder in seen:
            folders.clear()
            continue
        seen.add(folder)
        # Resolved: to replace a link would leave the file that it leads to as it was.
        found.update((folder / name).resolve() for name in names.intersection(files))
    return sorted(found)


def _purge_table(path: Path, ids: Collection[str], done: _Removed) -> None:
    """Rewrite a table without the rows of these people; every other byte stays."""
    try:
        if path.suffix == ".partial":
            if time.time() - path.stat().st_mtime > _ABANDONED_AFTER:
                path.unlink()
            return
        kept, gone = _without(path, ids)
        if gone:
            _rewrite(path, kept)
    except FileNotFoundError:  # removed meanwhile
        return
    except OSError as error:
        raise OutputError(
            f"`{path}` cannot be purged: {error.strerror or error}. Get permission or make room, and try again."
        ) from None
    if gone:
        done.people.update(gone)
        done.files += 1
        done.lines += len(gone)


def _without(path: Path, ids: Collection[str]) -> tuple[bytes, list[str]]:
    """Return a table without the rows of these people, and whose rows were left out."""
    from brainage.data.cohorts.ids import bare_id

    kept, gone = bytearray(), []
    try:
        with path.open("rb") as file:
            records = _records(file)
            head, names = next(records, (b"", ["participant_id"]))
            position = names.index("participant_id")
            kept += head
            for raw, fields in records:
                person = bare_id(fields[position].strip()) if position < len(fields) else ""
                if person in ids:
                    gone.append(person)
                else:
                    kept += raw
    except (csv.Error, ValueError):
        raise OutputError(
            f"`{path}` must be a comma separated table with a column `participant_id`, but is not, so that nobody can "
            "be removed from it. Mend it, or remove it."
        ) from None
    return bytes(kept), gone


def _records(file: BinaryIO) -> Iterator[tuple[bytes, list[str]]]:
    """Yield the records of a CSV file, each as it stands there and as fields."""
    raw: list[bytes] = []

    def lines() -> Iterator[str]:
        for number, line in enumerate(file):
            raw.append(line)
            text = line.decode("utf-8", errors="surrogateescape")
            yield text.removeprefix("\ufeff") if number == 0 else text

    for fields in csv.reader(lines(), strict=True):
        yield b"".join(raw), fields
        raw.clear()


def _rewrite(path: Path, content: bytes) -> None:
    """Replace a file at once."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(content)
        shutil.copymode(path, partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
