"""UK Biobank: a table in any of its column styles, and the bulk files of field 20227."""

from __future__ import annotations

import itertools
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from brainage.data.cohorts.columns import STANDARD_COLUMNS, phenotype, table_without_ages
from brainage.data.cohorts.folders import is_kind, look_into
from brainage.data.cohorts.joined import CohortTable
from brainage.data.cohorts.tables import check_columns
from brainage.data.cohorts.ukb_columns import UkbHeader
from brainage.data.store.series import FileScan, Scan, ZipScan
from brainage.errors import MissingPathError

# Kinds of places of a scan, in order of preference.
_FOLDER, _BARE_FOLDER, _ZIP = 0, 1, 2
_UNKNOWN = (-1, -3)
_SPECIAL_CODES = frozenset({-1, -2, -3, -7, -10})
_UNKNOWN_WORDS = frozenset({"do not know", "prefer not to answer"})


@dataclass(frozen=True, kw_only=True)
class UkbCohort:
    """UK Biobank's bulk files and table; see `brainage.data.cohorts.readers.CohortReader`.

    Parameters
    ----------
    root : Path
        Folder of ``<eid>_20227_<instance>_0.zip`` files or folders of that name (at instance 2 also ``<eid>``),
        directly or in two-digit folders as on the Research Analysis Platform; or of folders
        ``sub-<eid>/ses-<instance>/``, with or without ``20227_<instance>_0/`` below; or ``<instance><eid>``, where the
        table has no participant of that number.
    phenotypes : tuple of Path
        The table, comma or tab separated, gzipped or not, in any of the column styles, or several that are joined by
        id. Without one, where ages are not needed, every participant with a scan is read.
    instance : int, default=2
        2 is the first imaging visit, 3 the repeat.
    member : str
        Path of the series inside a zip or folder; ``{dimension}`` is 25 or 100. The same path with or without its
        ``fMRI/`` level is found too.
    need_ages : bool, default=True
        Whether the table must have ages at this imaging visit.
    """

    root: Path
    phenotypes: tuple[Path, ...]
    instance: int = 2
    member: str = "fMRI/rfMRI_{dimension}.dr/dr_stage1.txt"
    need_ages: bool = True

    @property
    def label(self) -> str:
        """The table's name in messages."""
        return self._table.label if self.phenotypes else f"`{self.root}`"

    def read_table(self, columns: Collection[str] = ()) -> pd.DataFrame:
        """Read the table; participants who were not imaged have no age. See CohortReader.

        Sex (31), centre (54) and head motion (25741) are read if present, or else columns named ``sex``, ``site`` and
        ``head_motion``. In a column of `columns`, the words "Do not know" and "Prefer not to answer" become NaN. So do
        -1 and -3, which mean the same, if the column looks like a questionnaire's: its values are whole numbers, and
        the negative ones are among UK Biobank's special codes (-1, -2, -3, -7, -10).
        """
        asked = [name for name in dict.fromkeys(columns) if name not in STANDARD_COLUMNS]
        if not self.phenotypes:
            check_columns(asked, [], "`cohort.phenotypes` names no table, which")
            return table_without_ages(self._ids_of_scans())
        header = self._header
        sources = header.sources()
        check_columns(asked, {*header.names, *STANDARD_COLUMNS}, self.label)
        return self._table.read(sources, asked, _without_unknown)

    def phenotype_names(self) -> list[str]:
        """Return the columns that are phenotypes; see CohortReader."""
        return self._header.phenotypes() if self.phenotypes else []

    def find_scans(self, participant_ids: Iterable[str], dimension: int) -> dict[str, Scan]:
        """Find scans; an extracted folder comes before a zip. See CohortReader.

        A folder without the file of this dimension is ignored. Zips are not opened here; a missing member is reported
        when the scan is read.
        """
        ids = list(participant_ids)
        member = self.member.replace("{dimension}", str(dimension))
        bare = member.removeprefix("fMRI/")
        members = (member, f"fMRI/{bare}" if bare == member else bare)
        places = self._places(frozenset(ids))
        folders = [path for found in places.values() for kind, path in found if kind != _ZIP]
        paths = look_into(self.root, folders, lambda folder: _first_file(folder, members))
        scans = ((participant, self._scan(places.get(participant, []), paths, members)) for participant in ids)
        return {participant: scan for participant, scan in scans if scan is not None}

    @cached_property
    def _table(self) -> CohortTable:
        return CohortTable(self.phenotypes)

    @property
    def _header(self) -> UkbHeader:
        return UkbHeader(tuple(self._table.names), self.instance, self.need_ages, self.label)

    @property
    def _name_pattern(self) -> re.Pattern[str]:
        return re.compile(rf"(.+)_20227_{self.instance}_0(\.zip)?")

    def _ids_of_scans(self) -> set[str]:
        """Return the ids of all zips and folders of this visit; a folder named by an eid alone is visit 2."""
        owners = (self._owner(entry.name, frozenset()) for entry in self._entries(frozenset()))
        return {
            participant
            for participant, kind, _ in owners
            if participant and (kind != _BARE_FOLDER or re.fullmatch(r"\d{5,}", participant))
        }

    def _places(self, ids: frozenset[str]) -> dict[str, list[tuple[int, Path]]]:
        """Return the possible places of each participant's scan, as (kind, path), from one pass over the folder."""
        places: dict[str, list[tuple[int, Path]]] = {}
        for entry in self._entries(ids):
            participant, kind, below = self._owner(entry.name, ids)
            if participant in ids and is_kind(entry.is_file if kind == _ZIP else entry.is_dir):
                paths = (Path(entry.path, folder) for folder in below)
                places.setdefault(participant, []).extend((kind, path) for path in paths)
        return places

    def _owner(self, name: str, ids: frozenset[str]) -> tuple[str, int, tuple[str, ...]]:
        """Return the participant that a zip or folder may be of, its kind, and the folders in it to look into."""
        visit = self.instance
        if match := self._name_pattern.fullmatch(name):
            return match[1], _ZIP if match[2] else _FOLDER, ("",)
        if name.startswith("sub-"):
            return name.removeprefix("sub-"), _FOLDER, (f"ses-{visit}", f"ses-{visit}/20227_{visit}_0")
        prefixed = name[:1] == str(visit) and name[1:] in ids and name not in ids | self._ids_of_table
        if prefixed:
            return name[1:], _BARE_FOLDER, ("",)
        # The name of a bare folder does not contain the visit; it is assumed to be the first.
        return name if visit == 2 else "", _BARE_FOLDER, ("",)

    @cached_property
    def _ids_of_table(self) -> frozenset[str]:
        """The ids of all participants, also of those who are not asked for."""
        return frozenset(self.read_table()["participant_id"]) if self.phenotypes else frozenset()

    def _entries(self, ids: frozenset[str]) -> Iterator[os.DirEntry[str]]:
        """List the folder and its two-digit folders, and nothing else: 40,000 scans take one listing."""
        try:
            with os.scandir(self.root) as listing:
                entries = list(listing)
        except OSError as error:
            raise MissingPathError(
                f"`cohort.root` must be a folder that can be read, but `{self.root}` cannot: {error.strerror}. Name "
                "the folder of the bulk files with `cohort.root=DIR`."
            ) from None
        shards = [
            entry
            for entry in entries
            if re.fullmatch(r"\d\d", entry.name) and entry.name not in ids and is_kind(entry.is_dir)
        ]
        yield from (entry for entry in entries if entry not in shards)
        listed = look_into(self.root, [Path(shard.path) for shard in shards], lambda path: list(os.scandir(path)))
        yield from itertools.chain.from_iterable(listed.values())

    def _scan(
        self, places: list[tuple[int, Path]], files: Mapping[Path, Path | None], members: tuple[str, str]
    ) -> Scan | None:
        for kind, path in sorted(places):
            if kind == _ZIP:
                return ZipScan(path, self.root, members[0], members[1:])
            if (file := files.get(path)) is not None:
                return FileScan(file, self.root)
        return None


def _first_file(folder: Path, members: Iterable[str]) -> Path | None:
    """Return the first of the files that a folder has; an OSError is about the folder or what is in it."""
    for member in members:
        with suppress(FileNotFoundError, NotADirectoryError):
            if stat.S_ISREG((folder / member).stat().st_mode):
                return folder / member
    return None


def _without_unknown(column: pd.Series) -> pd.Series:
    """Return a phenotype in which "do not know" and "prefer not to answer" are missing."""
    values = phenotype(column.mask(column.str.casefold().isin(_UNKNOWN_WORDS)))
    if not pd.api.types.is_numeric_dtype(values):
        return values
    known = values.dropna()
    coded = (known % 1 == 0).all() and set(known[known < 0]) <= _SPECIAL_CODES
    return values.mask(values.isin(_UNKNOWN)) if coded else values
