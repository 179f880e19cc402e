"""Which participants of a cohort take part, and their scans."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from brainage.config.schema import CohortConfig, ModalityConfig
from brainage.data.cohorts.checks import check_ages_of_scanned, read_ids, usable_people
from brainage.data.cohorts.query import columns_of_query
from brainage.data.cohorts.readers import CohortReader, reader_of
from brainage.data.store.series import Scan
from brainage.errors import CohortError
from brainage.system.console import log
from brainage.system.redaction import register


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


def select_from(
    cohort: CohortConfig, modality: ModalityConfig, *, phenotypes: bool, need_ages: bool = True
) -> Selection:
    """Return the participants that a config selects; see `select_participants`."""
    return select_participants(
        reader_of(cohort, modality, need_ages=need_ages),
        dimension=modality.dimension,
        include=cohort.include,
        exclude_ids=Path(cohort.exclude_ids) if cohort.exclude_ids is not None else None,
        phenotypes=phenotypes,
        need_ages=need_ages,
    )


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
