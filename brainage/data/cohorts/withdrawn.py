"""Withdrawn participants: lists of ids, and marks beside the stores that every command heeds and that contain no id.

A mark is an HMAC (RFC 2104) of an id. Its key is in the user's config folder, so that the marks alone cannot be
compared with a list of all possible ids.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from brainage.data.cohorts.ids import read_ids
from brainage.errors import BrainageError, CohortError, StoreError
from brainage.system.console import log
from brainage.system.files import OWN_CONFIGS, write_text
from brainage.system.keys import make_key, read_key
from brainage.system.locks import acquire

MARKS = "withdrawn.txt"
KEY = OWN_CONFIGS / "withdrawal.key"
# How long to wait, in seconds, for another process that writes the marks.
_PATIENCE = 60.0


@dataclass(frozen=True)
class Withdrawn:
    """Whose series may not be used.

    Parameters
    ----------
    ids_file : Path or None
        A list of ids, ``cohort.exclude_ids``.
    allow_unmatched : bool
        Whether that list may contain no participant of the cohort.
    marked_in : tuple of str
        Folders of stores with marks.
    """

    ids_file: Path | None = None
    allow_unmatched: bool = False
    marked_in: tuple[str, ...] = ()

    def among(self, participant_ids: Iterable[str]) -> frozenset[str]:
        """Return the withdrawn participants of a cohort.

        Raises
        ------
        CohortError
            The list cannot be read, or matches none of them.
        StoreError
            There are marks of another user.
        """
        known = frozenset(participant_ids)
        listed = self._listed(known)
        marked = withdrawn_of(self.marked_in, known)
        if marked - listed:
            log.info("%d participants of the table withdrew (brainage store purge) and are excluded", len(marked))
        return listed | marked

    def of(self, participant_ids: Iterable[str]) -> frozenset[str]:
        """Return those who are listed or marked, who need not be in the cohort; raises as `among`."""
        ids = frozenset(participant_ids)
        listed = read_ids(self.ids_file) if ids and self.ids_file is not None else frozenset()
        return (ids & listed) | withdrawn_of(self.marked_in, ids)

    def _listed(self, known: frozenset[str]) -> frozenset[str]:
        if self.ids_file is None:
            return frozenset()
        ids = read_ids(self.ids_file)
        if ids and not ids & known and not self.allow_unmatched:
            raise CohortError(
                f"`cohort.exclude_ids={self.ids_file}` must contain participants of the table, but none of its "
                f"{len(ids)} ids is among the {len(known)} there. They may be of another application, or without their "
                "leading zeros. If the list is right, add cohort.allow_unmatched_ids=true."
            )
        log.info("%d of the %d ids in `%s` are in the table and excluded", len(ids & known), len(ids), self.ids_file)
        return ids & known


def mark_withdrawn(root: Path, ids: Collection[str]) -> int:
    """Mark participants in a folder of stores; return how many were already marked.

    Raises
    ------
    StoreError
        The marks or their key cannot be written.
    """
    path = root / MARKS
    try:
        root.mkdir(parents=True, exist_ok=True)
        if not (key := make_key(KEY)):
            raise StoreError(f"`{KEY}` must contain a key, but is empty. Remove it, and run the command again.")
        new = {_mark(key, one) for one in ids}
        with acquire(root / f".{MARKS}.lock", f"`{path}`", StoreError, wait=_PATIENCE):
            known = _read(path)
            write_text(path, "".join(f"{mark}\n" for mark in sorted(known | new)))
    except BrainageError:
        raise
    except OSError as error:
        raise StoreError(
            f"`{path}` or its key `{KEY}` cannot be written: {error.strerror or error}. Get permission or make room, "
            "and run the command again."
        ) from None
    return len(new & known)


def withdrawn_of(roots: Iterable[str | Path], ids: Iterable[str]) -> frozenset[str]:
    """Return those of the ids that are marked in one of the folders of stores.

    Raises
    ------
    StoreError
        There are marks that were made with another key.
    """
    known = {root: marks for root in map(Path, roots) if (marks := _read(root / MARKS))}
    if not known:
        return frozenset()
    key = read_key(KEY) or b""
    for root, marks in known.items():
        if n_foreign := sum(not mark.startswith(f"{_name(key)} ") for mark in marks):
            raise StoreError(
                f"`{root / MARKS}` marks {n_foreign} withdrawn participants with another key than `{KEY}`, so they "
                "cannot be recognised. Copy the key of the user who ran `brainage store purge`, or remove that file "
                "and run the purge again with the list of ids."
            )
    everything = frozenset().union(*known.values())
    return frozenset(one for one in ids if _mark(key, one) in everything)


def _read(path: Path) -> frozenset[str]:
    try:
        return frozenset(path.read_text(encoding="utf-8").split("\n")) - {""}
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(
            f"`{path}` marks withdrawn participants, but cannot be read: {error}. Get permission, or restore the file."
        ) from None


def _mark(key: bytes, participant: str) -> str:
    return f"{_name(key)} {hmac.digest(key, participant.encode(), 'sha256').hex()}"


def _name(key: bytes) -> str:
    """Return a name of the key, by which marks of another key are recognised."""
    return hmac.digest(key, b"", "sha256").hex()[:8]
