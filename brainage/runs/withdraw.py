"""Remove participants who withdrew consent from every store and from the tables of every run."""

from __future__ import annotations

import csv
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar

from brainage.data.cohorts.ids import bare_id
from brainage.data.store.layout import list_stores, list_unfinished
from brainage.data.store.purge import purge_store, remove_unfinished
from brainage.errors import BrainageError, OutputError
from brainage.system.files import write_whole

T = TypeVar("T")

# The files of a run, or of a multirun, that contain participant ids.
TABLES = ("splits.csv", "predictions.csv", "pooled_predictions.csv", "exclusions.csv")

# Partial tables older than this, in seconds, are of killed processes: a running one renames them at once.
_ABANDONED_AFTER = 60.0


@dataclass(frozen=True)
class Withdrawal:
    """Ids that were found; rewritten stores and tables, and what they lost; deleted stores; and errors.

    Damaged and unfinished stores are deleted. A store or table with an error is unchanged.
    """

    participants: frozenset[str]
    n_stores: int
    n_rows: int
    n_excluded: int
    n_damaged: int
    n_unfinished: int
    n_files: int
    n_lines: int
    errors: tuple[str, ...]


def withdraw(root: Path, outputs: Path, ids: frozenset[str]) -> Withdrawal:
    """Remove participants from the stores in `root` and from the tables below `outputs`, as far as possible."""
    unfinished, errors = _each(remove_unfinished, list_unfinished(root))
    stores, store_errors = _each(partial(purge_store, ids=ids), list_stores(root))
    tables, table_errors = _each(partial(purge_table, ids=ids), run_tables(outputs))
    purged = [store for store in stores if store.participants and not store.damaged]
    n_rows = sum(store.n_rows for store in purged)
    return Withdrawal(
        participants=frozenset().union(*(store.participants for store in stores), *tables),
        n_stores=len(purged),
        n_rows=n_rows,
        n_excluded=sum(len(store.participants) for store in purged) - n_rows,
        n_damaged=sum(store.damaged for store in stores),
        n_unfinished=sum(unfinished),
        n_files=sum(bool(removed) for removed in tables),
        n_lines=sum(map(len, tables)),
        errors=(*errors, *store_errors, *table_errors),
    )


def _each(work: Callable[[Path], T], paths: Iterable[Path]) -> tuple[list[T], list[str]]:
    """Call `work` with each path; return the results and the messages of errors."""
    results: list[T] = []
    errors: list[str] = []
    for path in paths:
        try:
            results.append(work(path))
        except BrainageError as error:
            errors.append(str(error))
    return results, errors


def run_tables(outputs: Path) -> list[Path]:
    """Return the runs' tables below a folder, links followed, and partial tables of killed processes."""
    names = {*TABLES, *(f".{name}.partial" for name in TABLES)}
    found: set[Path] = set()
    seen: set[Path] = set()
    for place, folders, files in os.walk(outputs, followlinks=True):
        folder = Path(place).resolve()
        if folder in seen:
            folders.clear()
            continue
        seen.add(folder)
        # Resolved, because replacing a link would not change the file that it points to.
        found.update((folder / name).resolve() for name in names.intersection(files))
    return sorted(found)


def purge_table(path: Path, ids: Collection[str]) -> list[str]:
    """Rewrite a table without the lines of these participants; return the id of each removed line.

    Every other byte stays. An abandoned partial table is deleted. Raises an `OutputError`.
    """
    try:
        if path.suffix == ".partial":
            if time.time() - path.stat().st_mtime > _ABANDONED_AFTER:
                path.unlink()
            return []
        kept, gone = _without(path, ids)
        if gone:
            write_whole(path, partial(_write_as, path, kept))
        return gone
    except FileNotFoundError:  # another process has removed it
        return []
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"`{path}` cannot be purged: {error.strerror or error}. Get permission or make room, and try again."
        ) from None


def _write_as(path: Path, content: bytes, partial_path: Path) -> None:
    partial_path.write_bytes(content)
    shutil.copymode(path, partial_path)


def _without(path: Path, ids: Collection[str]) -> tuple[bytes, list[str]]:
    """Return a table without the lines of these participants, and the id of each such line."""
    kept, gone = bytearray(), []
    try:
        with path.open("rb") as file:
            records = _records(file)
            head, names = next(records, (b"", ["participant_id"]))
            position = names.index("participant_id")
            kept += head
            for raw, fields in records:
                participant = bare_id(fields[position].strip()) if position < len(fields) else ""
                if participant in ids:
                    gone.append(participant)
                else:
                    kept += raw
    except (csv.Error, ValueError):
        raise OutputError(
            f"`{path}` must be a comma separated table with a column `participant_id`, but is not, so no participant "
            "can be removed from it. Correct it, or remove it."
        ) from None
    return bytes(kept), gone


def _records(file: BinaryIO) -> Iterator[tuple[bytes, list[str]]]:
    """Yield the records of a CSV file, each as its bytes and as fields."""
    raw: list[bytes] = []

    def lines() -> Iterator[str]:
        for number, line in enumerate(file):
            raw.append(line)
            text = line.decode("utf-8", errors="surrogateescape")
            yield text.removeprefix("\ufeff") if number == 0 else text

    for fields in csv.reader(lines(), strict=True):
        yield b"".join(raw), fields
        raw.clear()
