"""Version 2 of the simulated cohort: participants as difficult to predict as real ones."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from brainage.config.groups.cohort import SimulatedParts
from brainage.data.cohorts.simulated2_brain import Person, Strengths
from brainage.data.cohorts.simulated2_people import MEAN_AGE, PHENOTYPE_CAUSES_2, SITES, at_second_visit, draw_people
from brainage.data.cohorts.simulated2_scan import SimulatedScan2
from brainage.data.cohorts.visits import SeveralVisits

VISITS = ("first", "second")

# How sites measure where they differ: the repetition time in seconds, None for that of the modality, and how much
# longer than needed.
_PROTOCOLS = {"Cheadle": (None, 1.0), "Reading": (0.8, 1.2), "Newcastle": (2.0, 1.05), "Bristol": (1.5, 1.1)}


@dataclass(frozen=True, kw_only=True)
class SimulatedCohort2:
    """Participants with a known brain-age gap, whose series depend on brain age in several ways; see CohortReader.

    Participant number i depends only on `seed` and i, and is the same at every dimensionality and repetition time.

    Parameters
    ----------
    n_participants : int, default=1500
        Number of participants.
    seed : int, default=0
        Seed of the participants.
    signal : float, default=1.0
        Strength of brain age in the series; at 0, series, head motion and site are independent of age.
    parts : SimulatedParts
        Strength of each part, as multiples of `signal`.
    sites : {"alike", "different"}, default="alike"
        Whether all sites have `t_r` and `n_times`, or each its own: scans are as long then, or longer.
    good_components : tuple of int, default=()
        Numbers, from 1, of the components that are not artefacts. Empty means parcels, whose means are not 0.
    visit : {"first", "second"}, default="first"
        Which visit; only some have a second one.
    n_times : int, default=490
        Time points of a scan.
    t_r : float, default=0.735
        Repetition time, in seconds.
    """

    n_participants: int = 1500
    seed: int = 0
    signal: float = 1.0
    parts: SimulatedParts = field(default_factory=SimulatedParts)
    sites: str = "alike"
    visit: str = "first"
    good_components: tuple[int, ...] = ()
    n_times: int = 490
    t_r: float = 0.735

    @property
    def label(self) -> str:
        """The table's name in messages."""
        return "the simulated cohort"

    def read_table(self, columns: Collection[str] = ()) -> pd.DataFrame:
        """Return the table with all phenotypes, and ``true_gap`` in years; see CohortReader."""
        return self._people().drop(columns=["head_motion_2", "years_between"]).reset_index(drop=True)

    def phenotype_names(self) -> list[str]:
        """Return the columns that are phenotypes; see CohortReader."""
        return list(PHENOTYPE_CAUSES_2)

    def find_scans(self, participant_ids: Iterable[str], dimension: int) -> dict[str, SimulatedScan2]:
        """Return scans in the order of the ids; see CohortReader."""
        people = self._people()
        rows = dict(zip(people["participant_id"], people.itertuples(), strict=True))
        return {one: self._scan(rows[one], dimension) for one in participant_ids if one in rows}

    def _people(self) -> pd.DataFrame:
        """Return the participants at the visit; their numbers, from 0, are the index."""
        people = draw_people(self.seed, self.n_participants, age_matters=self.signal != 0)
        return people if self.visit == "first" else at_second_visit(people)

    def _scan(self, row: Any, dimension: int) -> SimulatedScan2:
        brain_age = (row.age + row.true_gap - MEAN_AGE) / 10
        visit, site = VISITS.index(self.visit), SITES.index(row.site)
        person = Person(self.seed, row.Index, visit, brain_age, row.sex, site, row.head_motion)
        strengths = Strengths(
            **{part: self.signal * value for part, value in vars(self.parts).items()}, amplitude=self.signal
        )
        t_r, n_times = self.acquisition(row.site)
        return SimulatedScan2(person, strengths, dimension, tuple(sorted(set(self.good_components))), n_times, t_r)

    def acquisition(self, site: str) -> tuple[float, int]:
        """Return the repetition time of a site, in seconds, and its time points: enough also if they are resampled."""
        if self.sites == "alike":
            return self.t_r, self.n_times
        t_r, longer = _PROTOCOLS[site]
        t_r = t_r or self.t_r
        return t_r, math.ceil(longer * self.n_times * max(1.0, self.t_r / t_r)) + 1


def both_visits(first: SimulatedCohort2) -> SeveralVisits:
    """Return the participants of the first visit with the scans of both, each at its own age."""
    return SeveralVisits({f"visit-{visit}": replace(first, visit=visit) for visit in VISITS})
