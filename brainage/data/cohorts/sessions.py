"""Ages at sessions: ``sub-XX/sub-XX_sessions.tsv`` of a BIDS tree."""

from __future__ import annotations

import math
import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from brainage.data.cohorts.folders import look_into
from brainage.data.cohorts.opening import open_table
from brainage.data.cohorts.rows import position_of
from brainage.errors import CohortError, MissingPathError
from brainage.system.console import log

# Bytes of a participant's file: hundreds of times what one has.
_LIMIT = 2**20


@dataclass(frozen=True)
class SessionAges:
    """Ages by participant and session.

    Parameters
    ----------
    ages : dict of (str, str) to float
        Ages in years, by the id without ``sub-`` and the session without ``ses-``; only those that are known.
    n_files : int
        Number of participants who have such a file.
    """

    ages: dict[tuple[str, str], float] = field(default_factory=dict)
    n_files: int = 0

    def at(self, session: str | None) -> dict[str, float]:
        """Return the age of each participant at a session; None is the only one of those who have one."""
        counts = Counter(participant for participant, _ in self.ages)
        return {
            participant: age
            for (participant, name), age in self.ages.items()
            if name == session or (session is None and counts[participant] == 1)
        }

    def means(self) -> dict[str, float]:
        """Return the mean age of each participant over all sessions."""
        found: dict[str, list[float]] = defaultdict(list)
        for (participant, _), age in self.ages.items():
            found[participant].append(age)
        return {participant: sum(ages) / len(ages) for participant, ages in found.items()}


def session_ages(root: Path, participants: Iterable[str], column: str = "age") -> SessionAges:
    """Read the ages at all sessions of participants, from a column of their files.

    A participant whose file cannot be used has no ages; a warning says how many there are.
    """
    paths = {root / f"sub-{one}" / f"sub-{one}_sessions.tsv": one for one in participants if os.sep not in one}
    sizes = look_into(root, paths, lambda path: path.stat().st_size)
    ages: dict[tuple[str, str], float] = {}
    n_broken = 0
    for path, size in sizes.items():
        try:
            found = _ages_in(path, column) if size <= _LIMIT else None
        except (CohortError, MissingPathError):  # its message may quote the file
            found = None
        n_broken += found is None
        ages |= {(paths[path], session): age for session, age in (found or {}).items()}
    if n_broken:
        log.warning(
            "`cohort.root=%s`: %d of %d files sub-*/sub-*_sessions.tsv are ignored. Each must be a table separated by "
            "tabs with the columns session_id and %s, and have a session in one row.",
            *(root, n_broken, len(sizes), column),
        )
    return SessionAges(ages, len(sizes))


def _ages_in(path: Path, column: str) -> dict[str, float] | None:
    """Return the known ages by session; None if the file cannot be used."""
    with open_table(path) as table:
        if not {"session_id", column} <= set(table.header):
            return None
        positions = [position_of(name, table.header, path) for name in ("session_id", column)]
        rows = [values for _, values in table.rows(positions)]
    ages = {session.strip().removeprefix("ses-"): _number(age) for session, age in rows}
    return {session: age for session, age in ages.items() if not math.isnan(age)} if len(ages) == len(rows) else None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
