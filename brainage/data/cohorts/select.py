"""Select the participants of a cohort, and find their scans."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from brainage.config.groups.cohort import CohortConfig, FilesCohortConfig
from brainage.config.groups.modality import ModalityConfig
from brainage.data.cohorts.checks import check_ages_of_scanned, usable_rows
from brainage.data.cohorts.columns import STANDARD_COLUMNS
from brainage.data.cohorts.query import columns_of_query, refuse_participants
from brainage.data.cohorts.readers import CohortReader, DescribesSearch, reader_of
from brainage.data.cohorts.withdrawn import Withdrawn
from brainage.data.participants import RESERVED_COLUMNS
from brainage.data.store.series import Scan
from brainage.data.t_r import own_t_rs, with_t_r
from brainage.errors import CohortError
from brainage.system.console import log
from brainage.system.redaction import register

Choice = Callable[[Sequence[str]], Iterable[str]]
"""Returns the phenotypes to read, given the columns of a cohort's table; raises if it lacks one."""


@dataclass(frozen=True)
class Selection:
    """The participants of a cohort that a config selects, sorted by id, over whom the split is drawn.

    Where ages are needed, all have one. `scans` are those of participants who have one and did not withdraw. The column
    ``t_r`` of `select_from` has the scans' repetition times, in seconds, where they are known.
    """

    table: pd.DataFrame
    scans: dict[str, Scan]

    @property
    def scanned(self) -> pd.DataFrame:
        """``participant_id`` and ``t_r``, in seconds, of all scans."""
        table = self.table.loc[self.table["participant_id"].isin(list(self.scans)), ["participant_id", "t_r"]]
        scans = [(one, known) for one, t_r in table.to_numpy() for known in own_t_rs(self.scans[one], t_r)]
        return pd.DataFrame(scans, columns=["participant_id", "t_r"])

    @property
    def phenotypes(self) -> pd.DataFrame:
        """The table without ages and repetition times, and without columns that this project adds."""
        return self.table.drop(columns=["age", "t_r", *RESERVED_COLUMNS], errors="ignore")


def select_from(
    cohort: CohortConfig,
    modality: ModalityConfig,
    *,
    stores: Sequence[str],
    phenotypes: Choice | None = None,
    need_ages: bool = True,
    is_new: bool = True,
) -> Selection:
    """Return the participants that a config selects, without those marked in the folders `stores`.

    See `select_participants`; the config of a run that has begun is not new.
    """
    selection = select_participants(
        reader_of(cohort, modality, need_ages=need_ages),
        dimension=modality.dimension,
        include=cohort.include,
        withdrawn=withdrawn_from(cohort, stores),
        phenotypes=phenotypes,
        need_ages=need_ages,
        is_new=is_new,
    )
    stated = cohort.t_r if isinstance(cohort, FilesCohortConfig) else None
    return replace(selection, table=with_t_r(selection.table, selection.scans, stated))


def check_query(cohort: CohortConfig, modality: ModalityConfig) -> None:
    """Raise if the query of a config names participants, before the config is written; see `refuse_participants`."""
    if cohort.include is not None:
        table = reader_of(cohort, modality, need_ages=False).read_table(sorted(columns_of_query(cohort.include)))
        refuse_participants(cohort.include, table)


def withdrawn_from(cohort: CohortConfig, stores: Sequence[str]) -> Withdrawn:
    """Return who withdrew from a cohort, by its config and the marks in the folders `stores`."""
    ids_file = None if cohort.exclude_ids is None else Path(cohort.exclude_ids)
    return Withdrawn(ids_file, cohort.allow_unmatched_ids, tuple(stores))


def select_participants(
    reader: CohortReader,
    *,
    dimension: int,
    include: str | None = None,
    withdrawn: Withdrawn | None = None,
    phenotypes: Choice | None = None,
    need_ages: bool = True,
    is_new: bool = False,
) -> Selection:
    """Read a cohort's table, find the scans, and apply the query `include` and the lists of `withdrawn`.

    Of the columns that are not standard, only those in `include` and those that `phenotypes` chooses are read. With
    `need_ages`, participants without an age are dropped, and a scan without an age is an error. A query that `is_new`
    must not name participants.
    """
    table = _read(reader, include, phenotypes, is_new=is_new)
    excluded = withdrawn.among(table["participant_id"]) if withdrawn else frozenset()
    # Not those of excluded participants, whose folders need not be readable.
    staying = [one for one in table["participant_id"] if one not in excluded]
    scans = dict(reader.find_scans(staying, dimension))
    _warn_of_lost_zeros(reader, staying, scans, dimension)
    n_aged = int(table["age"].notna().sum())
    counts = f"{len(table)} participants, {n_aged} of them with an age, {len(scans)} with a scan"
    log.info("%s: %s", reader.label, counts)
    if need_ages:
        check_ages_of_scanned(table, scans)
        table = table[table["age"].notna()].reset_index(drop=True)
    if not scans:
        needed = "both an age and a file" if need_ages else "a file"
        raise CohortError(
            f"`cohort`: at least one participant in {reader.label} must have {needed} of {dimension} components, but "
            f"none has (got {counts}, {len(excluded)} withdrawn). Check that ids in the table and in the file names "
            "are the same (spreadsheets and R remove leading zeros), and that cohort.root is the right folder."
            f"{_search(reader, staying, dimension)}"
        )
    return Selection(table, scans)


def _search(reader: CohortReader, participants: Sequence[str], dimension: int) -> str:
    """Return where a reader looked for files, if it can say it and anybody is left to look for."""
    if not isinstance(reader, DescribesSearch) or not participants:
        return ""
    return f" {reader.describe_search(participants, dimension)}"


def _warn_of_lost_zeros(reader: CohortReader, ids: Sequence[str], scans: Collection[str], dimension: int) -> None:
    """Warn of ids without a scan that would have one if they were as long as the longest id."""
    width = max((len(one) for one in ids if one.isdigit()), default=0)
    padded = {one.zfill(width) for one in ids if one.isdigit() and one not in scans}.difference(ids)
    found = reader.find_scans(sorted(padded), dimension) if padded else {}
    if found:
        log.warning(
            "%s: %d participants have no file under their id, but under the id with leading zeros, which spreadsheets "
            "and R remove: they do not take part. Export the table again with the ids as text, all of %d digits.",
            *(reader.label, len(found), width),
        )


def _read(reader: CohortReader, include: str | None, phenotypes: Choice | None, *, is_new: bool) -> pd.DataFrame:
    """Return the rows that a query selects, with the columns that it names and the chosen phenotypes."""
    columns = sorted(columns_of_query(include)) if include is not None else []
    if phenotypes is None:
        table = reader.read_table(columns)
    else:
        known = [name for name in (*columns, *reader.phenotype_names()) if name not in RESERVED_COLUMNS]
        chosen = phenotypes([*STANDARD_COLUMNS, *known])
        table = reader.read_table([*columns, *(name for name in chosen if name not in STANDARD_COLUMNS)])
        phenotypes([*(name for name in STANDARD_COLUMNS if name in table), *known])  # raises if one is missing
    register(table["participant_id"])
    if include is not None and is_new:
        refuse_participants(include, table)
    return usable_rows(table, include=include, label=reader.label)
