"""A BIDS-like tree: ``participants.tsv``, and one file a participant."""

from __future__ import annotations

import os
import re
import string
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath

import pandas as pd

from brainage.data.cohorts.columns import STANDARD_COLUMNS, phenotype, table_without_ages
from brainage.data.cohorts.folders import file_names, look_into
from brainage.data.cohorts.ids import bare_id
from brainage.data.cohorts.joined import CohortTable
from brainage.data.cohorts.tables import check_columns, unique_names
from brainage.data.store.formats import EXTENSIONS
from brainage.data.store.series import FileScan, Scan
from brainage.errors import ConfigError, MissingPathError


@dataclass(frozen=True, kw_only=True)
class BidsCohort:
    """A BIDS-like tree; see `brainage.data.cohorts.readers.CohortReader`.

    Parameters
    ----------
    root : Path
        The folder.
    phenotypes : tuple of Path, default=()
        The table, tab or comma separated, or several that are joined by id. By default ``participants.tsv`` in the
        root.
    pattern : str
        Path of a participant's series below the root. If that file does not exist, one of the same name in another of
        `brainage.data.store.formats.EXTENSIONS` is used.
    key : str or None
        The variable of MATLAB files that have several tables of numbers.
    need_ages : bool, default=True
        Whether the table must have ages. If not, ``participants.tsv`` may be missing too; every participant with a
        file is then read.
    """

    root: Path
    phenotypes: tuple[Path, ...] = ()
    pattern: str = "sub-{participant_id}/ses-2/func/sub-{participant_id}_ses-2_task-rest_ts-ica-{dimension}.txt"
    key: str | None = None
    need_ages: bool = True

    def __post_init__(self) -> None:
        """Check the pattern."""
        rule = _broken_rule(self.pattern)
        if rule:
            raise ConfigError(
                f"`cohort.pattern` {rule}, but got `{self.pattern}`. Write a path below `cohort.root` such as "
                "`sub-{participant_id}/sub-{participant_id}_ts-ica-{dimension}.txt`."
            )

    @property
    def label(self) -> str:
        """The table's name in messages."""
        return self._table.label

    def read_table(self, columns: Collection[str] = ()) -> pd.DataFrame:
        """Read the table; ``n/a`` and empty cells are missing. See CohortReader."""
        asked = [name for name in dict.fromkeys(columns) if name not in STANDARD_COLUMNS]
        if self._has_no_table():
            check_columns(asked, [], f"`{self.root}` has no participants.tsv, which")
            return table_without_ages(self._ids_of_files())
        header = self._table.names
        needed = ["participant_id", "age"] if self.need_ages else ["participant_id"]
        check_columns([*needed, *asked], header, self.label)
        standard = {name: name for name in STANDARD_COLUMNS if name in header}
        return self._table.read(standard, asked, phenotype)

    def phenotype_names(self) -> list[str]:
        """Return the columns that are phenotypes; see CohortReader."""
        if self._has_no_table():
            return []
        return unique_names(self._table.names, STANDARD_COLUMNS, self.label)

    def find_scans(self, participant_ids: Iterable[str], dimension: int) -> dict[str, Scan]:
        """Find scans; an id that would lead out of the root has none. See CohortReader."""
        self._check_root()
        own = _extension(self.pattern)
        stem = self.pattern.removesuffix(own)
        bases = {
            participant: self.root / stem.format(participant_id=participant, dimension=dimension)
            for participant in participant_ids
            if _is_file_name(participant)
        }
        # Each folder is listed once, even if it has the files of all participants.
        listed = look_into(self.root, (base.parent for base in bases.values()), file_names)
        scans: dict[str, Scan] = {}
        for participant, base in bases.items():
            for extension in dict.fromkeys((own, *EXTENSIONS)):
                if base.name + extension in listed.get(base.parent, ()):
                    scans[participant] = FileScan(base.with_name(base.name + extension), self.root, self.key)
                    break
        return scans

    @cached_property
    def _table(self) -> CohortTable:
        return CohortTable(self.phenotypes or (self.root / "participants.tsv",))

    def _has_no_table(self) -> bool:
        if self.phenotypes:
            return False
        self._check_root()
        return not self.need_ages and not self._table.paths[0].exists()

    def _ids_of_files(self) -> set[str]:
        """Return the ids of all files, of any dimensionality, from the first level of the pattern that has an id."""
        parts = PurePath(self.pattern).parts
        level = next(number for number, part in enumerate(parts) if "{participant_id}" in part)
        folders = [self.root]
        for part in parts[:level]:
            folders = [path for path in self._listed(folders) if re.fullmatch(_regex(part), path.name)]
        part = parts[level].removesuffix(_extension(self.pattern)) if level == len(parts) - 1 else parts[level]
        # The file may have another extension than the pattern.
        pattern = re.compile(_regex(part) + r"(?:\.[A-Za-z.]+)?")
        return {bare_id(match[1]) for path in self._listed(folders) if (match := pattern.fullmatch(path.name))}

    def _listed(self, folders: Iterable[Path]) -> list[Path]:
        listed = look_into(self.root, folders, os.listdir)
        return [folder / name for folder, names in listed.items() for name in names]

    def _check_root(self) -> None:
        if not os.path.isdir(self.root):  # noqa: PTH112 (Path.is_dir raises where the folder above cannot be entered)
            raise MissingPathError(
                f"`cohort.root` must be a folder, but `{self.root}` is none. Name the folder of the participants' "
                "files with `cohort.root=DIR`."
            )


def _broken_rule(pattern: str) -> str | None:
    """Return the rule that a pattern breaks, or None."""
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(pattern) if name is not None}
        if not names <= {"participant_id", "dimension"}:
            return "may have the placeholders {participant_id} and {dimension} only"
        pattern.format(participant_id="01", dimension=25)
    except (ValueError, LookupError):
        return "must be a valid format with its braces in pairs"
    if "participant_id" not in names:
        return "must have {participant_id}, or all participants would have the same file"
    path = PurePath(pattern)
    return "must stay below `cohort.root`" if path.is_absolute() or ".." in path.parts else None


def _extension(pattern: str) -> str:
    """Return the last suffix of a pattern, two if it ends in ``.gz``; none if it contains a placeholder."""
    name = PurePath(pattern)
    suffix = "".join(name.suffixes[-2:]) if name.suffix == ".gz" else name.suffix
    return "" if "{" in suffix or "}" in suffix else suffix


def _regex(part: str) -> str:
    """Return the regular expression of names that a level of a pattern stands for; its first group is the id."""
    regex = re.escape(part).replace(r"\{participant_id\}", "(.+?)", 1).replace(r"\{participant_id\}", r"\1")
    return regex.replace(r"\{dimension\}", r"\d+")


def _is_file_name(text: str) -> bool:
    return not (set(text) & {"/", "\\", "\0"}) and ".." not in text and text not in ("", ".")
