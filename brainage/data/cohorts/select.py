"""Select the participants of a cohort, and find their scans."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from brainage.config.schema import CohortConfig, ModalityConfig
from brainage.data.cohorts.checks import check_ages_of_scanned, usable_rows
from brainage.data.cohorts.ids import read_ids
from brainage.data.cohorts.query import columns_of_query
from brainage.data.cohorts.readers import CohortReader, reader_of
from brainage.data.participants import RESERVED_COLUMNS
from brainage.data.store.series import Scan
from brainage.errors import CohortError
from brainage.system.console import log
from brainage.system.redaction import register


@dataclass(frozen=True)
class Selection:
    """The participants of a cohort that a config selects, sorted by id, over whom the split is drawn.

    Where ages are needed, all have one. `scans` are those of participants who have one and did not withdraw.
    """

    table: pd.DataFrame
    scans: dict[str, Scan]

    @property
    def phenotypes(self) -> pd.DataFrame:
        """The table without ages, and without columns that this project adds."""
        return self.table.drop(columns=["age", *RESERVED_COLUMNS], errors="ignore")


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
    """Read a cohort's table, find the scans, and apply the query `include` and the list of ids `exclude_ids`.

    Every phenotype is read, or only the columns in `include`. With `need_ages`, participants without an age are
    dropped, and a scan without an age is an error.
    """
    withdrawn = read_ids(exclude_ids) if exclude_ids is not None else frozenset()
    table = _read(reader, include, phenotypes)
    scans = reader.find_scans(table["participant_id"], dimension)
    kept = {participant: scan for participant, scan in scans.items() if participant not in withdrawn}
    n_aged = int(table["age"].notna().sum())
    log.info(
        "%s: %d participants, %d of them with an age, %d with a scan", reader.label, len(table), n_aged, len(scans)
    )
    if need_ages:
        check_ages_of_scanned(table, kept)
        table = table[table["age"].notna()].reset_index(drop=True)
    if exclude_ids is not None:
        _log_withdrawn(withdrawn, table, exclude_ids)
    if not kept:
        needed, with_age = ("both an age and a file", " with an age") if need_ages else ("a file", "")
        raise CohortError(
            f"`cohort`: at least one participant in {reader.label} must have {needed} of {dimension} components, but "
            f"none has (got {len(table)} participants{with_age}, {len(scans)} of them with a file, {len(withdrawn)} "
            "withdrawn). Check that ids in the table and in the file names are the same, and that cohort.root is the "
            "right folder."
        )
    return Selection(table, kept)


def _read(reader: CohortReader, include: str | None, phenotypes: bool) -> pd.DataFrame:
    """Return the rows that a query selects, with the columns that it names and, if wanted, all phenotypes."""
    columns = columns_of_query(include) if include is not None else set()
    table = reader.read_table([*sorted(columns), *(reader.phenotype_names() if phenotypes else ())])
    register(table["participant_id"])
    return usable_rows(table, include=include, label=reader.label)


def _log_withdrawn(withdrawn: frozenset[str], table: pd.DataFrame, path: Path) -> None:
    n_known = len(withdrawn & set(table["participant_id"]))
    if withdrawn and not n_known:  # usually ids of another application
        log.warning("None of the %d ids in `%s` is in the table: no participant is left out", len(withdrawn), path)
    else:
        log.info("%d of the %d ids in `%s` are in the table and left out", n_known, len(withdrawn), path)
