"""A BIDS-like tree: ``participants.tsv``, and one file a participant."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from brainage.data.cohorts.columns import STANDARD_COLUMNS, phenotype, table_without_ages
from brainage.data.cohorts.finding import FileFinder, FoundFile, entities_of
from brainage.data.cohorts.folders import check_root
from brainage.data.cohorts.ids import bare_id
from brainage.data.cohorts.joined import CohortTable
from brainage.data.cohorts.looking import nothing_found, several_files
from brainage.data.cohorts.own_columns import OwnColumns, check_needed, name_unused
from brainage.data.cohorts.patterns import PathPattern
from brainage.data.cohorts.sessions import SessionAges, session_ages
from brainage.data.cohorts.sidecars import t_r_of_files
from brainage.data.cohorts.tables import check_columns, unique_names
from brainage.data.store.series import FileScan, Scan
from brainage.data.store.several import LabelledScan, SeveralScans
from brainage.errors import CohortError
from brainage.system.console import log


@dataclass(frozen=True, kw_only=True)
class BidsCohort:
    """A BIDS-like tree; see `brainage.data.cohorts.readers.CohortReader`.

    Parameters
    ----------
    root : Path
        The folder.
    phenotypes : tuple of Path, default=()
        The table, of any format of `opening`, or several that are joined by id. By default ``participants.tsv`` in the
        root.
    pattern : str
        Path of a participant's series below the root; see `brainage.data.cohorts.patterns.PathPattern`. If that file
        does not exist, one of the same name in another of `brainage.data.store.formats.EXTENSIONS` is used.
    entities : mapping of str to str
        Values of the pattern's other placeholders.
    key : str or None
        The variable of MATLAB files that have several tables of numbers.
    own : OwnColumns
        The table's own names of the standard columns, and codes of sex.
    scans : {"first", "all", "longest"} or None
        Which of several sessions and runs of a participant are used; without it, each must have one file.
    need_ages : bool, default=True
        Whether the table must have ages. If not, ``participants.tsv`` may be missing too; every participant with a
        file is then read.
    """

    root: Path
    phenotypes: tuple[Path, ...] = ()
    pattern: str = "sub-{participant_id}/ses-2/func/sub-{participant_id}_ses-2_task-rest_ts-ica-{dimension}.txt"
    entities: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    own: OwnColumns = OwnColumns()
    scans: str | None = None
    need_ages: bool = True

    def __post_init__(self) -> None:
        """Check the pattern."""
        _ = self._finder

    @property
    def label(self) -> str:
        """The table's name in messages."""
        return self._table.label

    def read_table(self, columns: Collection[str] = ()) -> pd.DataFrame:
        """Read the table; ``n/a`` and empty cells are missing. See CohortReader."""
        asked = [name for name in dict.fromkeys(columns) if name not in STANDARD_COLUMNS]
        if self._has_no_table():
            check_columns(asked, [], f"`{self.root}` has no participants.tsv, which")
            return self._with_session_ages(table_without_ages(self.ids_of_files()), None)
        header, sources = self._table.names, self._sources
        check_needed(["participant_id"], sources, header, self.label)
        check_columns(asked, header, self.label)
        name_unused(header, sources, self.label)
        table = self._table.read(sources, asked, phenotype)
        return table if "age" in sources else self._with_session_ages(table, header)

    def phenotype_names(self) -> list[str]:
        """Return the columns that are phenotypes; see CohortReader."""
        if self._has_no_table():
            return []
        return unique_names(self._table.names, {*STANDARD_COLUMNS, *self._sources.values()}, self.label)

    def find_scans(self, participant_ids: Iterable[str], dimension: int) -> dict[str, Scan]:
        """Find scans; an id that would lead out of the root has none. See CohortReader."""
        found = self.find_files(participant_ids, dimension)
        unclear = {participant: files for participant, files in found.items() if self._are_unclear(files)}
        if unclear:
            raise CohortError(several_files(unclear, len(found), self.root, self.pattern))
        if self.scans == "first":
            found = {participant: files[:1] for participant, files in found.items()}
        t_r = t_r_of_files(self.root, (file.path for files in found.values() for file in files))
        ages = self._ages_at_scans(found)

        def scan_of(participant: str, file: FoundFile) -> LabelledScan:
            scan = FileScan(file.path, self.root, self.key, t_r[file.path])
            return LabelledScan(file.label, scan, (ages or {}).get((participant, file.session or "")))

        scans = {one: [scan_of(one, file) for file in files] for one, files in found.items()}
        if ages is None:
            return {one: self._several(of) if len(of) > 1 else of[0].scan for one, of in scans.items()}
        if self.need_ages:
            scans = {one: [scan for scan in of if scan.age is not None] for one, of in scans.items()}
        return {one: self._several(of) for one, of in scans.items() if of}

    def _are_unclear(self, files: Sequence[FoundFile]) -> bool:
        """Return whether files of a participant are not one, nor sessions and runs of which some are asked for."""
        return len(files) > 1 and (self.scans is None or len({file.label for file in files}) < len(files))

    def _ages_at_scans(self, participants: Iterable[str]) -> dict[tuple[str, str], float] | None:
        """Return ages by participant and session; None if all have the age of the table, or that of one session."""
        if self.scans is None or self._session is not None:
            return None
        if self._table.paths[0].exists() and "age" in self._sources:
            return None
        return self._session_ages(participants).ages or None

    def _several(self, scans: Sequence[LabelledScan]) -> Scan:
        return SeveralScans(tuple(scans), only_longest=self.scans == "longest")

    def find_files(self, participant_ids: Iterable[str], dimension: int) -> dict[str, list[FoundFile]]:
        """Find all files of participants; see `brainage.data.cohorts.finding.FileFinder.find`."""
        check_root(self.root)
        return self._finder.find(participant_ids, dimension)

    def ids_of_files(self) -> set[str]:
        """Return the ids in the names of files, or of folders of participants."""
        check_root(self.root)
        return {bare_id(one) for one in self._finder.ids()}

    def describe_search(self, participant_ids: Sequence[str], dimension: int) -> str:
        """Return where files were looked for, and what is there instead."""
        return nothing_found(self._finder, participant_ids, dimension)

    @cached_property
    def _table(self) -> CohortTable:
        return CohortTable(self.phenotypes or (self.root / "participants.tsv",), self.own)

    @property
    def _sources(self) -> dict[str, str]:
        return self.own.sources(self._table.names, self.label, elsewhere=("age",))

    def _with_session_ages(self, table: pd.DataFrame, header: Sequence[str] | None) -> pd.DataFrame:
        """Add the ages at the session that the pattern names; raise CohortError if they are needed and none is there.

        If it names none, they are the ages of participants with one session or, where `scans` chooses among sessions,
        means over sessions.
        """
        found = self._session_ages(table["participant_id"])
        at = "the only session" if self._session is None else f"session `{self._session}`"
        if self._session is None and self.scans is not None:
            ages, at = table["participant_id"].map(found.means()), "each session"
        else:
            ages = table["participant_id"].map(found.at(self._session))
            if self._session is None and (several := {one for one, _ in found.ages} - set(found.at(None))):
                log.warning(
                    "%s: %d participants have several ages in sub-*_sessions.tsv, and none is taken. Name the session "
                    "in cohort.pattern, or use cohort.scans=first.",
                    *(self.label, len(several)),
                )
        if ages.notna().any():
            log.info("%s: %d ages are those at %s, from sub-*_sessions.tsv", *(self.label, ages.count(), at))
        elif header is not None:
            files = f", with {found.n_files} files sub-*/sub-*_sessions.tsv without an age at {at},"
            label = f"{self.label}{files if found.n_files else ''}"
            sources = self.own.sources(header, label)  # raises where `cohort.columns` names a column of ages
            check_needed(["age"] if self.need_ages else [], sources, header, label)
        return table.assign(age=ages.astype("float64"))

    def _session_ages(self, participants: Iterable[str]) -> SessionAges:
        return session_ages(self.root, participants, self.own.names.get("age", "age"))

    @property
    def _session(self) -> str | None:
        """The session that the pattern names; None if it names none, or any."""
        session = entities_of("/".join(level.text for level in self._finder.pattern.levels())).get("ses", "*")
        return None if "*" in session else session

    def _has_no_table(self) -> bool:
        if self.phenotypes:
            return False
        check_root(self.root)
        return not self.need_ages and not self._table.paths[0].exists()

    @property
    def _finder(self) -> FileFinder:
        return FileFinder(self.root, PathPattern(self.pattern, self.entities))
