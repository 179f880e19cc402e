"""The survey of a cohort: its table, its files and what they say, with counts and without ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from brainage.config.groups.cohort import CohortConfig, FilesCohortConfig
from brainage.config.groups.modality import ModalityConfig
from brainage.data.cohorts.withdrawn import Withdrawn
from brainage.data.store.workers import for_each
from brainage.data.survey.facts import Facts, describe
from brainage.data.survey.ids import near_matches
from brainage.data.survey.search import Found, find
from brainage.data.survey.series import Series
from brainage.data.t_r import with_t_r
from brainage.errors import CohortError, SeriesError
from brainage.system.console import track


@dataclass(frozen=True)
class Survey:
    """What a cohort is like.

    Parameters
    ----------
    found : Found
        Its table and files.
    series : Series or None
        The files that can be read; None if none can.
    unreadable : dict of str to int
        Files that cannot be read, by reason.
    t_r : Series of float
        Repetition time by participant with a file, in seconds; NaN where unknown.
    problems : list of str
        Why something cannot be used as it is.
    """

    found: Found
    series: Series | None
    unreadable: dict[str, int]
    t_r: pd.Series[float]
    problems: Sequence[str]

    @cached_property
    def both(self) -> set[str]:
        """Participants with a file and a row in the table."""
        return set() if self.found.table is None else set(self.found.table["participant_id"]) & set(self.found.scans)

    @cached_property
    def aged(self) -> set[str]:
        """Participants with a file and an age."""
        table = self.found.table
        return (
            set() if table is None else set(table.loc[table["age"].notna(), "participant_id"]) & set(self.found.scans)
        )

    @cached_property
    def near_matches(self) -> dict[str, int]:
        """Participants without a file under their id who have one under an id like it, by the difference."""
        known = set() if self.found.table is None else set(self.found.table["participant_id"])
        return near_matches(known, set(self.found.scans))

    def lengths(self) -> list[int]:
        """Return time points of the participants with an age, a file and the channels of the others."""
        if self.series is None:
            return []
        return [
            self.series.n_times(one) for participant, one in self.series.matching.items() if participant in self.aged
        ]


def survey_of(
    cohort: CohortConfig,
    modalities: Sequence[ModalityConfig],
    withdrawn: Withdrawn,
    *,
    is_given: bool = False,
    orientation: str | None = None,
) -> Survey:
    """Look at a cohort's table and read all of its files; see `find` and `Series.of`."""
    found = find(cohort, modalities, withdrawn, is_given=is_given)
    ids = sorted(found.scans)
    read = track(for_each(describe, [found.scans[one] for one in ids]), len(ids), "Files read")
    names: dict[Any, Any] = {}
    facts = {participant: _sharing(one, names) for participant, one in zip(ids, read, strict=True)}
    usable = {participant: one for participant, one in facts.items() if isinstance(one, Facts)}
    unreadable = Counter(one.kind for one in facts.values() if not isinstance(one, Facts))
    problems = list(found.problems)
    t_r = _t_r(found, usable, problems)
    expected = found.modality if found.is_expected else None
    series = Series.of(usable, expected, orientation) if usable else None
    if series is not None and not series.orientation.is_certain:
        problems.append(_uncertain(series))
    return Survey(found, series, dict(unreadable.most_common()), t_r, problems)


def _sharing(one: Facts | SeriesError, names: dict[Any, Any]) -> Facts | SeriesError:
    """Return facts whose names are those that are known already: each process sends its own, and they take memory."""
    if isinstance(one, SeriesError):
        return one
    rows, columns = (
        replace(lines, names=names.setdefault(lines.names, lines.names)) for lines in (one.rows, one.columns)
    )
    return replace(one, rows=rows, columns=columns)


def _uncertain(series: Series) -> str:
    one, other = (
        ("channels", "rows_are_times") if series.orientation.rows_are_channels else ("time points", "rows_are_channels")
    )
    return (
        f"Rows are taken as {one}, {series.orientation.reason}: {series.n_channels} channels. If that is wrong, use "
        f"orientation={other}."
    )


def _t_r(found: Found, facts: dict[str, Facts], problems: list[str]) -> pd.Series[float]:
    """Return repetition times: of metadata, the table or the config, or else of the files themselves."""
    stated = found.cohort.t_r if isinstance(found.cohort, FilesCohortConfig) else None
    table = pd.DataFrame({"participant_id": sorted(found.scans)})
    if found.table is not None and "t_r" in found.table:
        table = table.merge(found.table[["participant_id", "t_r"]], on="participant_id", how="left")
    try:
        known = with_t_r(table, found.scans, stated)
    except CohortError as error:
        problems.append(str(error))
        known = with_t_r(table[["participant_id"]], found.scans)
    of_files = table["participant_id"].map({one: fact.t_r for one, fact in facts.items()}).astype("float64")
    return known["t_r"].astype("float64").fillna(of_files).set_axis(table["participant_id"])
