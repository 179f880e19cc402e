"""What every cohort offers, whatever its source: a table of people and their scans."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pandas as pd

from brainage.data.cohorts.checks import check_ages_of_scanned, read_ids, usable_people
from brainage.data.cohorts.query import columns_of_query
from brainage.data.store.series import Scan
from brainage.errors import CohortError
from brainage.system.console import log
from brainage.system.redaction import register


class CohortReader(Protocol):
    """A source of participants. One module of this folder implements it, named as in ``configs/cohort/``."""

    @property
    def label(self) -> str:
        """What messages call the table."""
        ...

    def read_table(self, columns: Collection[str] = ()) -> pd.DataFrame:
        """Read the people.

        Parameters
        ----------
        columns : collection of str
            Columns wanted beyond the standard ones, by their own names; the others may be left unread.

        Returns
        -------
        DataFrame
            One row a row of the source, in its order; the index is the row's line number in the file. Columns:
            ``participant_id`` (text, no ``sub-`` prefix), ``age`` (years; NaN where empty), then where the source has
            them ``sex`` (0 female, 1 male, NaN unknown), ``site``, ``head_motion`` (mm), ``family_id``, and phenotypes
            under their own names.

        Raises
        ------
        CohortError, MissingPathError
            The table is missing or lacks what is needed.
        """
        ...

    def phenotype_names(self) -> list[str]:
        """Return the columns that are phenotypes: all that `read_table` does not give another name, or leave out.

        Raises
        ------
        CohortError, MissingPathError
            See `read_table`.
        """
        ...

    def find_scans(self, participant_ids: Iterable[str], dimension: int) -> Mapping[str, Scan]:
        """Find the scans of these participants; those without one are absent from the result.

        Parameters
        ----------
        participant_ids : iterable of str
            As in the table.
        dimension : int
            Dimensionality of the decomposition: 25 or 100.

        Raises
        ------
        MissingPathError
            The cohort's folder does not exist.
        """
        ...


@dataclass(frozen=True)
class Selection:
    """Who takes part.

    Parameters
    ----------
    table : DataFrame
        One row a participant whose age is known (or anybody, where ages are not needed), sorted by `participant_id`;
        the split is drawn over these.
    scans : dict of str to Scan
        The scans of those who have one and did not withdraw.
    """

    table: pd.DataFrame
    scans: dict[str, Scan]


def select_participants(
    reader: CohortReader,
    *,
    dimension: int,
    include: str | None = None,
    exclude_ids: Path | None = None,
    phenotypes: bool = False,
    need_ages: bool = True,
) -> Selection:
    """Read a cohort's table, find the scans, and apply the choices of who takes part.

    Parameters
    ----------
    reader : CohortReader
        The cohort.
    dimension : int
        Dimensionality of the decomposition.
    include : str or None
        A pandas query over the table.
    exclude_ids : Path or None
        A file of ids, one a line: people who withdrew consent.
    phenotypes : bool, default=False
        Whether the table is to hold every phenotype; otherwise those that `include` compares.
    need_ages : bool, default=True
        Whether people without an age are left out, and one who has a scan but no age is an error.

    Returns
    -------
    Selection
        With at least one scan.

    Raises
    ------
    CohortError, MissingPathError
        See the reader and `brainage.data.cohorts.checks`; or nobody has both a file and an age.
    """
    withdrawn = read_ids(exclude_ids) if exclude_ids is not None else frozenset()
    columns = columns_of_query(include) if include is not None else set()
    asked = [*sorted(columns), *(reader.phenotype_names() if phenotypes else ())]
    table = reader.read_table(asked)
    register(table["participant_id"])
    people = usable_people(table, include=include, label=reader.label)
    scans = reader.find_scans(people["participant_id"], dimension)
    kept = {person: scan for person, scan in scans.items() if person not in withdrawn}
    if need_ages:
        check_ages_of_scanned(people, list(kept))
        people = people[people["age"].notna()].reset_index(drop=True)
        log.info("%s: %d people with an age, %d of them with a scan", reader.label, len(people), len(scans))
    else:
        n_aged = int(people["age"].notna().sum())
        log.info("%s: %d people, %d of them with an age, %d with a scan", reader.label, len(people), n_aged, len(scans))
    if exclude_ids is not None:
        _tell_withdrawn(withdrawn, people, exclude_ids)
    if not kept:
        needed = "both an age and a file" if need_ages else "a file"
        raise CohortError(
            f"`cohort`: nobody in {reader.label} has {needed} of {dimension} components, but somebody must have "
            f"(got {len(people)} people{' with an age' if need_ages else ''}, {len(scans)} of them with a file, "
            f"{len(withdrawn)} withdrawn). Look whether the ids in the table and in the file names are the same, and "
            "whether cohort.root is the right folder."
        )
    return Selection(people, kept)


def _tell_withdrawn(withdrawn: frozenset[str], people: pd.DataFrame, path: Path) -> None:
    """Say how many are left out. None of a list usually means that its ids are of another kind."""
    n_known = len(withdrawn & set(people["participant_id"]))
    if withdrawn and not n_known:
        log.warning("None of the %d ids in `%s` is in the table: nobody is left out by it", len(withdrawn), path)
    else:
        log.info("%d of the %d ids in `%s` are in the table and left out", n_known, len(withdrawn), path)
