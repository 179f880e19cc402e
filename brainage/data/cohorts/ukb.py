"""UK Biobank: a table in any of its column styles, and the bulk files of a field."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from brainage.data.cohorts.columns import STANDARD_COLUMNS, phenotype, table_without_ages
from brainage.data.cohorts.joined import CohortTable
from brainage.data.cohorts.own_columns import OwnColumns
from brainage.data.cohorts.tables import check_columns
from brainage.data.cohorts.ukb_columns import UkbHeader
from brainage.data.cohorts.ukb_files import ICA_FIELD, UkbFiles
from brainage.data.cohorts.visits import SeveralVisits
from brainage.data.store.series import Scan

_UNKNOWN = (-1, -3)
_SPECIAL_CODES = frozenset({-1, -2, -3, -7, -10})
_UNKNOWN_WORDS = frozenset({"do not know", "prefer not to answer"})


@dataclass(frozen=True, kw_only=True)
class UkbCohort:
    """UK Biobank's bulk files and table; see `brainage.data.cohorts.readers.CohortReader`.

    Parameters
    ----------
    root : Path
        Folder of the bulk files; see `brainage.data.cohorts.ukb_files.UkbFiles`.
    phenotypes : tuple of Path
        The table, of any format of `opening`, in any of the column styles, or several that are joined by
        id. Without one, where ages are not needed, every participant with a scan is read.
    instance : int, default=2
        2 is the first imaging visit, 3 the repeat.
    field : int, default=20227
        The bulk field.
    member : str
        Path of the series inside a zip or folder; ``{dimension}`` is replaced. The same path with or without its
        ``fMRI/`` level is found too.
    own : OwnColumns
        The table's own names of standard columns, which come before the fields; and codes of sex.
    need_ages : bool, default=True
        Whether the table must have ages at this imaging visit.
    """

    root: Path
    phenotypes: tuple[Path, ...]
    instance: int = 2
    field: int = ICA_FIELD
    member: str = "fMRI/rfMRI_{dimension}.dr/dr_stage1.txt"
    own: OwnColumns = OwnColumns()
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
            return table_without_ages(self.ids_of_files())
        header = self._header
        sources = header.sources()
        check_columns(asked, {*header.names, *STANDARD_COLUMNS}, self.label)
        return self._table.read(sources, asked, _without_unknown)

    def phenotype_names(self) -> list[str]:
        """Return the columns that are phenotypes; see CohortReader."""
        return self._header.phenotypes() if self.phenotypes else []

    def find_scans(self, participant_ids: Iterable[str], dimension: int) -> dict[str, Scan]:
        """Find scans; an extracted folder comes before a zip. See CohortReader."""
        return self._files(dimension).find(participant_ids)

    def ids_of_files(self) -> set[str]:
        """Return the ids of all zips and folders of this visit."""
        return self._files().ids()

    def describe_search(self, participant_ids: Sequence[str], dimension: int) -> str:
        """Return where files were looked for, and what is there instead."""
        return self._files(dimension).describe(participant_ids)

    @cached_property
    def _table(self) -> CohortTable:
        return CohortTable(self.phenotypes, self.own)

    @property
    def _header(self) -> UkbHeader:
        return UkbHeader(tuple(self._table.names), self.instance, self.need_ages, self.label, self.own)

    @cached_property
    def _ids_of_table(self) -> frozenset[str]:
        """The ids of all participants, also of those who are not asked for."""
        return frozenset(self.read_table()["participant_id"]) if self.phenotypes else frozenset()

    def _files(self, dimension: int | None = None) -> UkbFiles:
        member = self.member if dimension is None else self.member.replace("{dimension}", str(dimension))
        return UkbFiles(self.root, self.field, self.instance, member, lambda: self._ids_of_table)


@dataclass(frozen=True)
class UkbVisits(SeveralVisits):
    """Several imaging visits; see `SeveralVisits`."""

    readers: Mapping[str, UkbCohort]

    def ids_of_files(self) -> set[str]:
        """Return the ids of all zips and folders of these visits."""
        return set().union(*(reader.ids_of_files() for reader in self.readers.values()))

    def describe_search(self, participant_ids: Sequence[str], dimension: int) -> str:
        """Return where files of the first visit were looked for, and what is there instead."""
        return next(iter(self.readers.values())).describe_search(participant_ids, dimension)


def _without_unknown(column: pd.Series) -> pd.Series:
    """Return a phenotype in which "do not know" and "prefer not to answer" are missing."""
    values = phenotype(column.mask(column.str.casefold().isin(_UNKNOWN_WORDS)))
    if not pd.api.types.is_numeric_dtype(values):
        return values
    known = values.dropna()
    coded = (known % 1 == 0).all() and set(known[known < 0]) <= _SPECIAL_CODES
    return values.mask(values.isin(_UNKNOWN)) if coded else values
