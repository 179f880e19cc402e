"""Where a cohort's files are, for a survey: of which modality, and by which pattern if the config's own finds none."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from brainage.config.groups.cohort import BidsCohortConfig, CohortConfig
from brainage.config.groups.modality import ModalityConfig
from brainage.data.cohorts.checks import usable_rows
from brainage.data.cohorts.ids import bare_id
from brainage.data.cohorts.query import columns_of_query
from brainage.data.cohorts.readers import CohortReader, DescribesSearch, ListsFiles, reader_of
from brainage.data.cohorts.withdrawn import Withdrawn
from brainage.data.store.series import Scan
from brainage.data.survey.facts import Facts, describe
from brainage.data.survey.tree import Proposal, files_below, ids_in_names, proposals
from brainage.errors import CohortError, MissingPathError
from brainage.system.redaction import register

# Scans of a modality that are read to know whether it has any.
_N_PROBED = 3


@dataclass(frozen=True)
class Found:
    """A cohort's table and files.

    Parameters
    ----------
    cohort : CohortConfig
        With the pattern by which files were found.
    modality : ModalityConfig
        That of the files that were looked for.
    is_expected : bool
        Whether only files of this modality were looked for, or any.
    table : DataFrame or None
        The table's participants, as `usable_rows` returns them; None if it cannot be used.
    scans : mapping of str to Scan
        The scans of participants, who need not be in the table.
    counts : dict of str to int
        Scans of each modality that was looked for, where there is more than one.
    patterns : sequence of Proposal
        Patterns that were proposed because the config's own found nothing, the chosen one first.
    problems : list of str
        Why something cannot be used as it is.
    """

    cohort: CohortConfig
    modality: ModalityConfig
    is_expected: bool
    table: pd.DataFrame | None
    scans: Mapping[str, Scan]
    counts: Mapping[str, int] = field(default_factory=dict)
    patterns: Sequence[Proposal] = ()
    problems: Sequence[str] = ()


def find(
    cohort: CohortConfig, modalities: Sequence[ModalityConfig], withdrawn: Withdrawn, *, is_given: bool = False
) -> Found:
    """Find the files of a cohort, of the modality that most participants have; `is_given` if the user chose it.

    Raises CohortError if there are none, and MissingPathError if there is no such folder.
    """
    reader, problems = reader_of(cohort, modalities[0]), list[str]()
    files = set().union(*(_ids_of_files(reader_of(cohort, one)) for one in _one_a_field(modalities)))
    table = _table(reader, cohort, problems)
    ids = files | (set() if table is None else set(table["participant_id"]))
    gone = withdrawn.among(ids)
    table = _without(table, gone)
    candidates = [_Candidate(one, *_scans(cohort, one, sorted(ids - gone))) for one in modalities]
    candidates = [one for one in candidates if one.scans]
    if len(candidates) > 1:
        # A zip of UK Biobank may have other files.
        candidates = [one for one in candidates if one.is_readable()] or candidates
    if not candidates:
        found_elsewhere = _found_elsewhere(cohort, modalities, table, withdrawn, problems, reader)
        return replace(_with_own_ages(found_elsewhere, cohort, withdrawn), is_expected=is_given)
    best = max(candidates, key=lambda one: len(one.scans))
    any_modality = isinstance(cohort, BidsCohortConfig) and "{dimension}" not in cohort.pattern
    counts = {_label(one.modality): len(one.scans) for one in candidates}
    is_expected = is_given or not any_modality
    found = Found(best.cohort, best.modality, is_expected, table, best.scans, counts, problems=problems)
    return _with_own_ages(found, cohort, withdrawn)


def _with_own_ages(found: Found, given: CohortConfig, withdrawn: Withdrawn) -> Found:
    """Read the table again if files are chosen in another way than given: ages may be those of their sessions."""
    if found.cohort == given:
        return found
    problems = list[str]()
    table = _table(reader_of(found.cohort, found.modality), found.cohort, problems)
    gone = frozenset() if table is None else withdrawn.of(table["participant_id"])
    return replace(found, table=_without(table, gone), problems=problems)


def _without(table: pd.DataFrame | None, gone: Collection[str]) -> pd.DataFrame | None:
    """Return a table without participants who withdrew."""
    return None if table is None else table[~table["participant_id"].isin(gone)].reset_index(drop=True)


@dataclass(frozen=True)
class _Candidate:
    """A modality, the cohort's config that finds its scans, and these."""

    modality: ModalityConfig
    cohort: CohortConfig
    scans: dict[str, Scan]

    def is_readable(self) -> bool:
        """Return whether one of the first scans can be read."""
        return any(isinstance(describe(scan), Facts) for scan in itertools.islice(self.scans.values(), _N_PROBED))


def _one_a_field(modalities: Sequence[ModalityConfig]) -> list[ModalityConfig]:
    """Return one modality of each bulk field."""
    return list({one.ukb_field: one for one in modalities}.values())


def _found_elsewhere(
    cohort: CohortConfig,
    modalities: Sequence[ModalityConfig],
    table: pd.DataFrame | None,
    withdrawn: Withdrawn,
    problems: list[str],
    reader: CohortReader,
) -> Found:
    """Find files by patterns that names of files have in common."""
    known = set() if table is None else set(table["participant_id"])
    paths = files_below(Path(cohort.root)) if isinstance(cohort, BidsCohortConfig) else []
    patterns = proposals(paths, known)
    if not isinstance(cohort, BidsCohortConfig) or not patterns:
        where = (
            reader.describe_search(sorted(known), modalities[0].dimension)
            if isinstance(reader, DescribesSearch)
            else ""
        )
        raise CohortError(
            f"`cohort`: participants must have files, but none has one that this command can find, of {len(known)} in "
            f"the table. {where}".rstrip()
        )
    own = replace(cohort, pattern=patterns[0].pattern, entities=None)
    files = ids_in_names(paths)
    register(files)
    ids = {bare_id(one) for one in files} | known
    chosen, scans = _scans(own, modalities[0], sorted(ids - withdrawn.of(ids)))
    return Found(chosen, modalities[0], False, table, scans, {}, patterns, problems)


def _ids_of_files(reader: CohortReader) -> set[str]:
    found = reader.ids_of_files() if isinstance(reader, ListsFiles) else set()
    register(found)
    return found


def _table(reader: CohortReader, cohort: CohortConfig, problems: list[str]) -> pd.DataFrame | None:
    try:
        table = reader.read_table(sorted(columns_of_query(cohort.include)) if cohort.include else [])
        register(table["participant_id"])
        return usable_rows(table, include=cohort.include, label=reader.label)
    except (CohortError, MissingPathError) as error:
        problems.append(str(error))
        return None


def _scans(cohort: CohortConfig, modality: ModalityConfig, ids: Sequence[str]) -> tuple[CohortConfig, dict[str, Scan]]:
    """Return scans, and the config that finds them: the first of several, if it does not say which."""
    try:
        return cohort, dict(reader_of(cohort, modality).find_scans(ids, modality.dimension))
    except CohortError:
        if not isinstance(cohort, BidsCohortConfig) or cohort.scans is not None:
            raise
        first = replace(cohort, scans="first")
        return first, dict(reader_of(first, modality).find_scans(ids, modality.dimension))


def _label(modality: ModalityConfig) -> str:
    return modality.name if modality.good_components else f"{modality.name}, {modality.dimension} channels"
