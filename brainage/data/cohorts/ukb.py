"""UK Biobank: a table in any of its column styles, and the bulk files of field 20227."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from brainage.data.cohorts.tables import (
    STANDARD_COLUMNS,
    check_columns,
    people_without_ages,
    phenotype,
    read_columns,
    read_header,
    standard_table,
)
from brainage.data.store.series import FileScan, Scan, ZipScan
from brainage.errors import CohortError, MissingPathError

_AGE, _AGE_AT_RECRUITMENT = 21003, 21022
_FIELDS = {"sex": 31, "site": 54, "head_motion": 25741}
_ZIP = 2
_UNKNOWN = (-1, -3)
_SPECIAL_CODES = frozenset({-1, -2, -3, -7, -10})
_UNKNOWN_WORDS = frozenset({"do not know", "prefer not to answer"})


@dataclass(frozen=True)
class _Style:
    """How a table spells its columns."""

    eid: str
    column: str
    pattern: str

    def name(self, field: int, instance: int) -> str:
        return self.column.format(field=field, instance=instance)

    def names_of(self, fields: Collection[int], header: Iterable[str]) -> list[str]:
        """Return the columns of these fields, at whatever instance."""
        matches = (re.fullmatch(self.pattern, name) for name in header)
        return [match[0] for match in matches if match and int(match[1]) in fields]


_RAP_SUFFIX = r"p(\d+)(?:_i\d+)?(?:_a\d+)?"
_STYLES = (
    _Style("eid", "{field}-{instance}.0", r"(\d+)-\d+\.\d+"),
    _Style("f.eid", "f.{field}.{instance}.0", r"f\.(\d+)\.\d+\.\d+"),
    _Style("eid", "p{field}_i{instance}", _RAP_SUFFIX),
    # `dx extract_dataset` puts the entity's name before each column.
    _Style("participant.eid", "participant.p{field}_i{instance}", rf"participant\.{_RAP_SUFFIX}"),
)


@dataclass(frozen=True, kw_only=True)
class UkbCohort:
    """UK Biobank's bulk files and table; see `brainage.data.cohorts.readers.CohortReader`.

    Parameters
    ----------
    root : Path
        Folder of ``<eid>_20227_<instance>_0.zip`` files or folders of that name (at instance 2 also ``<eid>``),
        directly or in two-digit folders as on the Research Analysis Platform.
    phenotypes : Path or None
        The table, comma or tab separated, gzipped or not, in any of the column styles. None where ages are not
        needed: whoever has a scan takes part.
    instance : int, default=2
        2 is the first imaging visit, 3 the repeat.
    member : str
        The series' path inside a zip or folder; ``{dimension}`` is 25 or 100. The same path with or without its
        ``fMRI/`` level is found too.
    need_ages : bool, default=True
        Whether the table must have ages at this imaging visit.
    """

    root: Path
    phenotypes: Path | None
    instance: int = 2
    member: str = "fMRI/rfMRI_{dimension}.dr/dr_stage1.txt"
    need_ages: bool = True

    @property
    def label(self) -> str:
        """What messages call the table."""
        return f"`{self.root if self.phenotypes is None else self.phenotypes}`"

    def read_table(self, columns: Collection[str] = ()) -> pd.DataFrame:
        """Read the people; those who were not imaged have no age.

        Sex (31), centre (54) and head motion (25741) are read where they are, or else columns of the names ``sex``,
        ``site`` and ``head_motion``. In a column of `columns` the words "Do not know" and "Prefer not to answer" become
        NaN. So do -1 and -3, which mean the same, if the column looks like a questionnaire's: its values are whole
        numbers, and the negative ones are among UK Biobank's special codes (-1, -2, -3, -7, -10). A continuous column
        with other negative values stays as it is.

        Parameters
        ----------
        columns : collection of str
            Columns wanted beyond the standard ones, as the header spells them.

        Returns
        -------
        DataFrame
            See `CohortReader.read_table`.

        Raises
        ------
        CohortError
            The style is unknown or mixed; there is no eid, no age at this imaging visit, or no column asked for; or a
            column that is needed cannot be used.
        MissingPathError
            The table does not exist or cannot be read.
        """
        asked = [name for name in dict.fromkeys(columns) if name not in STANDARD_COLUMNS]
        if self.phenotypes is None:
            check_columns(asked, [], "`cohort.phenotypes` names no table, which")
            return people_without_ages(self._people_with_scans())
        header = read_header(self.phenotypes)
        sources = self._sources(header)
        check_columns(asked, {*header, *STANDARD_COLUMNS}, self.label)
        text = read_columns(self.phenotypes, [*sources.values(), *asked])
        table = standard_table({standard: text[name] for standard, name in sources.items()}, self.label)
        table = table.assign(**{name: _without_unknown(text[name]) for name in asked})
        return table if "age" in table else table.assign(age=math.nan)

    def phenotype_names(self) -> list[str]:
        """Return the columns that are phenotypes: ids, and ages, sex, centre and motion of any visit, are none."""
        if self.phenotypes is None:
            return []
        header = read_header(self.phenotypes)
        used = {*self._sources(header).values(), *STANDARD_COLUMNS}
        used.update(self._style(header).names_of({_AGE, _AGE_AT_RECRUITMENT, *_FIELDS.values()}, header))
        return [name for name in header if name and name not in used and header.count(name) == 1]

    def find_scans(self, participant_ids: Iterable[str], dimension: int) -> dict[str, Scan]:
        """Find these participants' scans; an extracted folder comes before a zip.

        A folder without the file of this dimension is no scan. A zip is one even if reading it will show that the file
        is not in it: opening every zip here would take as long as reading them.

        Parameters
        ----------
        participant_ids : iterable of str
            As in the table.
        dimension : int
            Dimensionality of the decomposition: 25 or 100.

        Raises
        ------
        MissingPathError
            The root does not exist, is no folder, or cannot be read.
        """
        people = list(participant_ids)
        members = self._members(dimension)
        with self._listing():
            places = self._places(frozenset(people))
        scans = ((person, self._scan(places.get(person, []), members)) for person in people)
        return {person: scan for person, scan in scans if scan is not None}

    @contextmanager
    def _listing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise MissingPathError(
                f"`cohort.root` must be a folder that can be read, but `{self.root}` cannot: {error.strerror}. Name "
                "the folder of the bulk files with `cohort.root=DIR`."
            ) from None

    def _people_with_scans(self) -> list[str]:
        """Return who has a zip or a folder of this visit; a folder that is named by the eid alone is one of digits."""
        pattern = re.compile(rf"(.+)_20227_{self.instance}_0(\.zip)?")
        with self._listing():
            names = [entry.name for entry in _entries(self.root, frozenset())]
        matches = ((pattern.fullmatch(name), name) for name in names)
        bare = self.instance == 2
        people = {
            match[1] if match else name for match, name in matches if match or (bare and re.fullmatch(r"\d{5,}", name))
        }
        return sorted(people)

    def _sources(self, header: list[str]) -> dict[str, str]:
        """Return the header's name for each standard column that is there."""
        style = self._style(header)
        if style.eid not in header:
            raise CohortError(
                f"{self.label} has no column `{style.eid}`, which must hold the participants' ids beside "
                f"`{style.name(_AGE, self.instance)}`. Export the table again with it, all columns in one style."
            )
        age = style.name(_AGE, self.instance)
        if age not in header and self.need_ages:
            raise CohortError(self._no_age(age, style.names_of({_AGE, _AGE_AT_RECRUITMENT}, header)))
        sources = {"participant_id": style.eid, **({"age": age} if age in header else {})}
        for standard, field in _FIELDS.items():
            # Sex has no instance on the Research Analysis Platform, and only instance 0 elsewhere.
            spelled = style.name(field, 0 if standard == "sex" else self.instance)
            names = (spelled.removesuffix("_i0"), spelled, standard)
            sources.update((standard, name) for name in reversed(names) if name in header)
        if "family_id" in header:
            sources["family_id"] = "family_id"
        return sources

    def _style(self, header: list[str]) -> _Style:
        needed = {_AGE, _AGE_AT_RECRUITMENT, *_FIELDS.values()}
        found = {style: names[0] for style in _STYLES if (names := style.names_of(needed, header))}
        if len(found) == 1:
            return next(iter(found))
        by_id = [style for style in _STYLES if style.eid in header]
        if not found and by_id and not self.need_ages:
            return by_id[0]
        age = ", ".join(f"`{style.name(_AGE, self.instance)}`" for style in _STYLES[:3])
        if found:
            raise CohortError(
                f"{self.label} mixes column styles: {', '.join(f'`{name}`' for name in found.values())}. All columns "
                f"must be in one, so that the age at imaging is one of {age}. Rename the others."
            )
        raise CohortError(
            f"{self.label} has none of the columns {age}, the age at imaging visit {self.instance} in UK Biobank's "
            f"three column styles. The first line must hold the column names (got {len(header)} of them). Export field "
            "21003 at this instance, with the fields' numbers as column names."
        )

    def _no_age(self, age: str, others: list[str]) -> str:
        message = f"{self.label} has no column `{age}`, the age at imaging visit {self.instance}."
        if others:
            message += (
                f" It has {', '.join(f'`{name}`' for name in others[:5])}, but age at recruitment (21022) or at "
                "another visit is not the age at the scan and is not used instead."
            )
        return f"{message} Export field 21003 at instance {self.instance}, or choose the visit with `cohort.instance`."

    def _members(self, dimension: int) -> tuple[str, str]:
        member = self.member.replace("{dimension}", str(dimension))
        bare = member.removeprefix("fMRI/")
        return member, f"fMRI/{bare}" if bare == member else bare

    def _places(self, people: frozenset[str]) -> dict[str, list[tuple[int, str]]]:
        """Return where each of these people may have a scan, as (rank, path), from one pass over the folder."""
        pattern = re.compile(rf"(.+)_20227_{self.instance}_0(\.zip)?")
        places: dict[str, list[tuple[int, str]]] = {}
        for entry in _entries(self.root, people):
            match = pattern.fullmatch(entry.name)
            person = match[1] if match else entry.name
            # A folder that is named by the eid alone does not say which visit it is; it is taken for the first.
            if person not in people or (match is None and self.instance != 2):
                continue
            zipped = match is not None and match[2] is not None
            if entry.is_file() if zipped else entry.is_dir():
                rank = _ZIP if zipped else 1 if match is None else 0
                places.setdefault(person, []).append((rank, entry.path))
        return places

    def _scan(self, places: list[tuple[int, str]], members: tuple[str, str]) -> Scan | None:
        for rank, place in sorted(places):
            path = Path(place)
            if rank == _ZIP:
                return ZipScan(path, self.root, members[0], members[1:])
            for member in members:
                if (path / member).is_file():
                    return FileScan(path / member, self.root)
        return None


def _entries(root: Path, people: frozenset[str]) -> Iterator[os.DirEntry[str]]:
    """List the folder and its two-digit folders; nothing else is looked at, so 40,000 scans take one listing."""
    with os.scandir(root) as entries:
        for entry in entries:
            if re.fullmatch(r"\d\d", entry.name) and entry.name not in people and entry.is_dir():
                with os.scandir(entry) as shard:
                    yield from shard
            else:
                yield entry


def _without_unknown(column: pd.Series) -> pd.Series:
    """Return a phenotype in which "do not know" and "prefer not to answer" are missing."""
    values = phenotype(column.mask(column.str.casefold().isin(_UNKNOWN_WORDS)))
    if not pd.api.types.is_numeric_dtype(values):
        return values
    known = values.dropna()
    coded = (known % 1 == 0).all() and set(known[known < 0]) <= _SPECIAL_CODES
    return values.mask(values.isin(_UNKNOWN)) if coded else values
