"""A BIDS-like tree: ``participants.tsv``, and one file a participant."""

from __future__ import annotations

import os
import string
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath

import pandas as pd

from brainage.data.series import FileScan, Scan
from brainage.data.tables import (
    STANDARD_COLUMNS,
    check_columns,
    phenotype,
    read_columns,
    read_header,
    standard_table,
)
from brainage.errors import ConfigError, MissingPathError

_EXTENSIONS = (".tsv", ".csv", ".csv.gz", ".npy")


@dataclass(frozen=True, kw_only=True)
class BidsCohort:
    """A BIDS-like tree; see `brainage.data.cohort.CohortReader`.

    Parameters
    ----------
    root : Path
        The folder.
    phenotypes : Path or None, default=None
        The table, tab or comma separated; ``participants.tsv`` of the root by default.
    pattern : str
        Path of a participant's series below the root. A file of the same name that ends in ``.tsv``, ``.csv``,
        ``.csv.gz`` or ``.npy`` is found too, if there is none with the pattern's own extension.
    """

    root: Path
    phenotypes: Path | None = None
    pattern: str = "sub-{participant_id}/ses-2/func/sub-{participant_id}_ses-2_task-rest_ts-ica-{dimension}.txt"

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
        header = read_header(self.table)
        asked = [name for name in dict.fromkeys(columns) if name not in STANDARD_COLUMNS]
        check_columns(["participant_id", "age", *asked], header, self.label)
        standard = [name for name in STANDARD_COLUMNS if name in header]
        text = read_columns(self.table, [*standard, *asked])
        table = standard_table({name: text[name] for name in standard}, self.label)
        return table.assign(**{name: phenotype(text[name]) for name in asked})

    def phenotype_names(self) -> list[str]:
        """Return the columns that are phenotypes; see `CohortReader`."""
        if self.phenotypes is None:
            self._check_root()
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
