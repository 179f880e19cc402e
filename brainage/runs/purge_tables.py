"""Remove participants from the tables of runs, also from those that a killed process has left unfinished."""

from __future__ import annotations

import csv
import os
import re
import shutil
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from brainage.data.cohorts.ids import bare_id
from brainage.errors import OutputError
from brainage.runs.folder import lock_folder
from brainage.runs.purge_by_row import BY_ROW, is_by_row, renumbered
from brainage.runs.trained_on import FINGERPRINTS
from brainage.system.files import open_file, write_whole

# The files of a run, or of a multirun, that contain participant ids.
TABLES = ("splits.csv", "predictions.csv", "pooled_predictions.csv", "exclusions.csv", *BY_ROW)

# Names of tables that are being written, or were when the process was killed.
_UNFINISHED = re.compile(rf"\.({'|'.join(map(re.escape, TABLES))})\.(.*\.)?partial")

# Where no lock shows whether a process is at work: a table is renamed within seconds; an older one was abandoned.
ABANDONED_AFTER = 60.0


@dataclass(frozen=True)
class RunTables:
    """The runs' tables below a folder, unfinished ones, and the links in it that lead out of it."""

    tables: list[Path]
    unfinished: list[Path]
    links: list[Path]


def run_tables(outputs: Path) -> RunTables:
    """Find the tables of runs below a folder; a link to something inside is reached by its own name."""
    root, found = outputs.resolve(), RunTables([], [], [])
    for place, folders, files in os.walk(root):
        for name in sorted((*folders, *files)):
            path, is_unfinished = Path(place, name), _UNFINISHED.fullmatch(name) is not None
            is_table = name in TABLES or is_unfinished
            if path.is_symlink():
                if (name in folders or is_table) and not path.resolve().is_relative_to(root):
                    found.links.append(path)
            elif is_table and name in files:
                (found.unfinished if is_unfinished else found.tables).append(path)
    return found


def purge_table(path: Path, ids: Collection[str]) -> list[str]:
    """Rewrite a table without the lines of these participants; return the id of each removed line.

    Every other byte stays, but numbers of rows follow what they name. Raises OutputError.
    """
    with _purging(path):
        if is_by_row(path):
            return []  # purged with `predictions.csv`
        kept, gone = _without(path, ids)
        if gone and path.name == "splits.csv":
            _purge_fingerprints(path, ids)
        if gone:
            with renumbered(path, _stays(path, ids)) if path.name == "predictions.csv" else nullcontext():
                write_whole(path, partial(_write_as, path, kept))
        return gone
    return []


def _stays(path: Path, ids: Collection[str]) -> list[bool]:
    """Return whether each row of a table stays, without its header."""
    with open_file(path, "rb") as file:
        return [participant not in ids for _, participant in _participants(file)][1:]


def _purge_fingerprints(splits: Path, ids: Collection[str]) -> None:
    """Rewrite the fingerprints beside a split, which have the order of its lines, without those of participants."""
    path = splits.with_name(FINGERPRINTS)
    if path.is_file():
        with open_file(splits, "rb") as file:
            leave = [participant in ids for _, participant in _participants(file)]
        with open_file(path, "rb") as file:
            lines = file.readlines()
        # Of other lengths, they were purged by a process that was killed then.
        if len(lines) == len(leave):
            kept = b"".join(line for line, gone in zip(lines, leave, strict=True) if not gone)
            write_whole(path, partial(_write_as, path, kept))


def purge_unfinished_table(path: Path, ids: Collection[str]) -> list[str]:
    """Delete a table that a killed process has left; return those of the ids that it had.

    Raises OutputError if a process has locked its folder. Without a lock, a process may be at work until the file is
    a minute old: wait for that.
    """
    with _purging(path):
        if (path.parent / ".lock").is_file():
            with lock_folder(path.parent, str(path.parent)):
                return _removed(path, ids)
        waited_since = time.monotonic()
        while time.time() - path.stat().st_mtime < ABANDONED_AFTER > time.monotonic() - waited_since:
            time.sleep(0.1)
        return _removed(path, ids)
    return []


def _removed(path: Path, ids: Collection[str]) -> list[str]:
    gone: list[str] = []
    with suppress(OutputError):  # it ends anywhere
        _, gone = _without(path, ids)
    path.unlink()
    return gone


@contextmanager
def _purging(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:  # another process has removed it
        pass
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
        with open_file(path, "rb") as file:
            for raw, participant in _participants(file):
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


def _participants(file: Iterable[bytes]) -> Iterator[tuple[bytes, str]]:
    """Yield the records of a table, each with its participant; the first is the header, and has none."""
    records = _records(file)
    head, names = next(records, (b"", ["participant_id"]))
    position = names.index("participant_id")
    yield head, ""
    for raw, fields in records:
        yield raw, bare_id(fields[position].strip()) if position < len(fields) else ""


def _records(file: Iterable[bytes]) -> Iterator[tuple[bytes, list[str]]]:
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
