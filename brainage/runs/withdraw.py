"""Remove participants who withdrew consent from every store and from the tables of every run."""

from __future__ import annotations

import csv
import os
import re
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar

from brainage.data.cohorts.ids import bare_id
from brainage.data.cohorts.withdrawn import mark_withdrawn, withdrawn_of
from brainage.data.store.layout import list_stores, list_unfinished
from brainage.data.store.purge import purge_store, remove_unfinished
from brainage.errors import BrainageError, CohortError, OutputError
from brainage.runs.folder import lock_folder
from brainage.runs.trained_on import FINGERPRINTS
from brainage.system.files import write_whole

T = TypeVar("T")

# The files of a run, or of a multirun, that contain participant ids.
TABLES = ("splits.csv", FINGERPRINTS, "predictions.csv", "pooled_predictions.csv", "exclusions.csv")

# Names of tables that are being written, or were when the process was killed.
_UNFINISHED = re.compile(rf"\.({'|'.join(map(re.escape, TABLES))})\.(.*\.)?partial")

# Where no lock shows whether a process is at work: a table is renamed within seconds; an older one was abandoned.
_ABANDONED_AFTER = 60.0


@dataclass(frozen=True)
class Withdrawal:
    """Ids that were found; rewritten stores and tables, and what they lost; deleted stores; and errors.

    Damaged and unfinished stores are deleted. A store or table with an error is unchanged.
    `n_listed` ids were given, and earlier purges had marked `n_marked_before` of them. `links` lead out of the outputs
    and are not followed.
    """

    n_listed: int
    participants: frozenset[str]
    n_stores: int
    n_rows: int
    n_excluded: int
    n_damaged: int
    n_unfinished: int
    n_files: int
    n_lines: int
    n_marked_before: int
    links: tuple[Path, ...]
    errors: tuple[str, ...]


def withdraw(root: Path, outputs: Path, ids: frozenset[str], *, allow_unmatched: bool = False) -> Withdrawal:
    """Remove participants from the stores in `root` and from the tables below `outputs`, as far as possible.

    The ids are marked in `root`, so that no command uses these participants again.

    Raises
    ------
    CohortError
        None of them was found, now or by an earlier purge.
    """
    unfinished, errors = _each(remove_unfinished, list_unfinished(root))
    stores, store_errors = _each(partial(purge_store, ids=ids), list_stores(root))
    paths, links = run_tables(outputs)
    tables, table_errors = _each(partial(purge_table, ids=ids), paths)
    participants = frozenset[str]().union(*(store.participants for store in stores), *tables)
    errors = [*errors, *store_errors, *table_errors]
    n_damaged = sum(store.damaged for store in stores)
    unmatched = ids and not participants and not (n_damaged or any(unfinished) or errors)
    if unmatched and not allow_unmatched and not withdrawn_of([root], ids):
        raise CohortError(_unmatched(root, outputs, len(ids)))
    purged = [store for store in stores if store.participants and not store.damaged]
    n_rows = sum(store.n_rows for store in purged)
    return Withdrawal(
        n_listed=len(ids),
        participants=participants,
        n_stores=len(purged),
        n_rows=n_rows,
        n_excluded=sum(len(store.participants) for store in purged) - n_rows,
        n_damaged=n_damaged,
        n_unfinished=sum(unfinished),
        n_files=sum(bool(removed) for removed in tables),
        n_lines=sum(map(len, tables)),
        n_marked_before=mark_withdrawn(root, ids),
        links=tuple(links),
        errors=tuple(errors),
    )


def _unmatched(root: Path, outputs: Path, n_ids: int) -> str:
    missing = [f"`{folder}` does not exist" for folder in (root, outputs) if not folder.is_dir()]
    return (
        f"`--ids` must name participants of the stores in `{root}` or of the runs in `{outputs}`, but none of its "
        f"{n_ids} ids is there. They may be of another application, or without their leading zeros: compare one of "
        "them with a run's `splits.csv`. If the list is right, add --allow-unmatched to exclude them from future runs."
        + (f" Note that {' and '.join(missing)}." if missing else "")
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


def run_tables(outputs: Path) -> tuple[list[Path], list[Path]]:
    """Return the runs' tables below a folder, also unfinished ones, and the links in it that lead out of it."""
    root, tables, links = outputs.resolve(), [], []
    for place, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(place, name)
            is_table = name in TABLES or _UNFINISHED.fullmatch(name) is not None
            if path.is_symlink():
                # A link to something inside is reached by its own name.
                if (name in folders or is_table) and not path.resolve().is_relative_to(root):
                    links.append(path)
            elif is_table and name in files:
                tables.append(path)
    return sorted(tables), sorted(links)


def purge_table(path: Path, ids: Collection[str]) -> list[str]:
    """Rewrite a table without the lines of these participants; return the id of each removed line.

    Every other byte stays. An unfinished table is deleted unless a process is writing it. Raises OutputError.
    """
    try:
        if path.name not in TABLES:
            _remove_unfinished_table(path)
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


def _remove_unfinished_table(path: Path) -> None:
    lock = path.parent / ".lock"
    if lock.is_file():
        with lock_folder(path.parent, str(path.parent)):
            path.unlink()
    elif time.time() - path.stat().st_mtime > _ABANDONED_AFTER:
        path.unlink()
    else:
        raise OutputError(f"`{path}` is being written and may contain participants who withdrew: purge again later.")


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
