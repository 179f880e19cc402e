"""A BIDS-like tree: ``participants.tsv``, and one file a participant."""

from __future__ import annotations

import math
import os
import re
import string
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath

import pandas as pd

from brainage.data.cohorts.tables import (
    STANDARD_COLUMNS,
    bare_id,
    check_columns,
    people_without_ages,
    phenotype,
    read_columns,
    read_header,
    standard_table,
)
from brainage.data.store.series import FileScan, Scan
from brainage.errors import ConfigError, MissingPathError

_EXTENSIONS = (".tsv", ".csv", ".csv.gz", ".npy")


@dataclass(frozen=True, kw_only=True)
class BidsCohort:
    """A BIDS-like tree; see `brainage.data.cohorts.readers.CohortReader`.

    Parameters
    ----------
    root : Path
        The folder.
    phenotypes : Path or None, default=None
        The table, tab or comma separated; ``participants.tsv`` of the root by default.
    pattern : str
        Path of a participant's series below the root. A file of the same name that ends in ``.tsv``, ``.csv``,
        ``.csv.gz`` or ``.npy`` is found too, if there is none with the pattern's own extension.
    need_ages : bool, default=True
        Whether the table must have ages; otherwise there need not be a ``participants.tsv`` either, and whoever has a
        file takes part.
    """

    root: Path
    phenotypes: Path | None = None
    pattern: str = "sub-{participant_id}/ses-2/func/sub-{participant_id}_ses-2_task-rest_ts-ica-{dimension}.txt"
    need_ages: bool = True

    def __post_init__(self) -> None:
        """Check the pattern."""
        rule = self._broken_rule()
        if rule:
            raise ConfigError(
                f"`cohort.pattern` {rule}, but got `{self.pattern}`. Write a path below `cohort.root` such as "
                "`sub-{participant_id}/sub-{participant_id}_ts-ica-{dimension}.txt`."
            )

    @property
    def table(self) -> Path:
        """The table's path."""
        return self.phenotypes if self.phenotypes is not None else self.root / "participants.tsv"

    @property
    def label(self) -> str:
        """What messages call the table."""
        return f"`{self.table}`"

    def read_table(self, columns: Collection[str] = ()) -> pd.DataFrame:
        """Read the people; ``n/a`` and empty cells are missing.

        Parameters
        ----------
        columns : collection of str
            Columns wanted beyond the standard ones.

        Returns
        -------
        DataFrame
            See `CohortReader.read_table`.

        Raises
        ------
        CohortError
            The table has no ``participant_id``, no ``age``, or no column asked for; or a column cannot be used.
        MissingPathError
            The table does not exist or cannot be read.
        """
        if self.phenotypes is None:
            self._check_root()
        asked = [name for name in dict.fromkeys(columns) if name not in STANDARD_COLUMNS]
        if self._tableless:
            check_columns(asked, [], f"`{self.root}` has no participants.tsv, which")
            return people_without_ages(self._people_with_files())
        header = read_header(self.table)
        needed = ["participant_id", "age"] if self.need_ages else ["participant_id"]
        check_columns([*needed, *asked], header, self.label)
        standard = [name for name in STANDARD_COLUMNS if name in header]
        text = read_columns(self.table, [*standard, *asked])
        table = standard_table({name: text[name] for name in standard}, self.label)
        table = table.assign(**{name: phenotype(text[name]) for name in asked})
        return table if "age" in table else table.assign(age=math.nan)

    def phenotype_names(self) -> list[str]:
        """Return the columns that are phenotypes; see `CohortReader`."""
        if self.phenotypes is None:
            self._check_root()
        if self._tableless:
            return []
        header = read_header(self.table)
        return [name for name in header if name and name not in STANDARD_COLUMNS and header.count(name) == 1]

    def find_scans(self, participant_ids: Iterable[str], dimension: int) -> dict[str, Scan]:
        """Find these participants' scans; an id that would lead out of the root has none.

        Parameters
        ----------
        participant_ids : iterable of str
            As in the table.
        dimension : int
            Dimensionality of the decomposition: 25 or 100.

        Raises
        ------
        MissingPathError
            The root does not exist or is no folder.
        """
        self._check_root()
        own = _extension(self.pattern)
        stem = self.pattern.removesuffix(own)
        # One listing a folder, even if all participants' files lie in the same one.
        listed: dict[Path, frozenset[str]] = {}
        scans: dict[str, Scan] = {}
        for person in participant_ids:
            if not _is_file_name(person):
                continue
            base = self.root / stem.format(participant_id=person, dimension=dimension)
            if base.parent not in listed:
                listed[base.parent] = _files(base.parent)
            for extension in dict.fromkeys((own, *_EXTENSIONS)):
                if base.name + extension in listed[base.parent]:
                    scans[person] = FileScan(base.with_name(base.name + extension), self.root)
                    break
        return scans

    @property
    def _tableless(self) -> bool:
        return not self.need_ages and self.phenotypes is None and not self.table.exists()

    def _people_with_files(self) -> list[str]:
        """Return who has a file of any dimensionality, from the pattern's first level that names people."""
        parts = PurePath(self.pattern).parts
        level = next(number for number, part in enumerate(parts) if "{participant_id}" in part)
        part = parts[level].removesuffix(_extension(self.pattern)) if level == len(parts) - 1 else parts[level]
        spelled = re.escape(part).replace(r"\{participant_id\}", "(.+?)", 1).replace(r"\{participant_id\}", r"\1")
        # The file itself may end in another extension, and names its dimension.
        pattern = re.compile(spelled.replace(r"\{dimension\}", r"\d+") + r"(?:\.[A-Za-z.]+)?")
        above = self.root.joinpath(*parts[:level])
        folders = self.root.glob("/".join(parts[:level]).replace("{dimension}", "*")) if level else [above]
        names = {entry.name for folder in folders if folder.is_dir() for entry in folder.iterdir()}
        matches = (pattern.fullmatch(name) for name in names)
        return sorted({bare_id(match[1]) for match in matches if match})

    def _check_root(self) -> None:
        if not self.root.is_dir():
            raise MissingPathError(
                f"`cohort.root` must be a folder, but `{self.root}` is none. Name the folder of the participants' "
                "files with `cohort.root=DIR`."
            )

    def _broken_rule(self) -> str | None:
        """Return the rule that the pattern breaks, if it breaks one."""
        try:
            names = {name for _, name, _, _ in string.Formatter().parse(self.pattern) if name is not None}
            if not names <= {"participant_id", "dimension"}:
                return "may hold the placeholders {participant_id} and {dimension} only"
            self.pattern.format(participant_id="01", dimension=25)
        except (ValueError, LookupError):
            return "must be a valid format with its braces in pairs"
        if "participant_id" not in names:
            return "must hold {participant_id}, or all participants would have the same file"
        path = PurePath(self.pattern)
        return "must stay below `cohort.root`" if path.is_absolute() or ".." in path.parts else None


def _extension(pattern: str) -> str:
    """Return the pattern's last suffix, two where the last is ``.gz``; none where a placeholder is in it."""
    name = PurePath(pattern)
    suffix = "".join(name.suffixes[-2:]) if name.suffix == ".gz" else name.suffix
    return "" if "{" in suffix or "}" in suffix else suffix


def _is_file_name(text: str) -> bool:
    return not (set(text) & {"/", "\\", "\0"}) and ".." not in text and text not in ("", ".")


def _files(folder: Path) -> frozenset[str]:
    """List a folder's files. Links that lead nowhere, as in a tree whose content was not fetched, are none."""
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if entry.is_file())
    except OSError:
        return frozenset()
