"""Several visits of one cohort, each with a reader of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from brainage.data.store.series import Scan
from brainage.data.store.several import LabelledScan, SeveralScans

if TYPE_CHECKING:
    from brainage.data.cohorts.readers import CohortReader


@dataclass(frozen=True)
class SeveralVisits:
    """Participants with the scans of all visits, each at its own age; see `brainage.data.cohorts.readers.CohortReader`.

    Parameters
    ----------
    readers : dict of str to CohortReader
        By the label of the visit's scan; the first visit is first.
    need_ages : bool, default=True
        Whether a scan needs an age.
    """

    readers: Mapping[str, CohortReader]
    need_ages: bool = True

    @property
    def label(self) -> str:
        """The table's name in messages."""
        return self._first.label

    @property
    def _first(self) -> CohortReader:
        return next(iter(self.readers.values()))

    def read_table(self, columns: Collection[str] = ()) -> pd.DataFrame:
        """Return the table of the first visit, with those of later ones for participants who have no age there."""
        found, *others = (reader.read_table(columns) for reader in self.readers.values())
        for other in others:
            found = _filled(found, other)
        return found

    def phenotype_names(self) -> list[str]:
        """Return the columns that are phenotypes; see CohortReader."""
        return self._first.phenotype_names()

    def find_scans(self, participant_ids: Iterable[str], dimension: int) -> dict[str, Scan]:
        """Find the scans of all visits; those without an age at their visit are not used. See CohortReader."""
        found: dict[str, list[LabelledScan]] = {one: [] for one in participant_ids}
        for label, reader in self.readers.items():
            ages = reader.read_table().drop_duplicates("participant_id").set_index("participant_id")["age"]
            known = ages.dropna().to_dict()
            ageless = set(ages.index).difference(known) if self.need_ages else ()
            for one, scan in reader.find_scans(found, dimension).items():
                if one not in ageless:
                    found[one].append(LabelledScan(label, scan, known.get(one)))
        first = next(iter(self.readers))
        return {
            # The table has the age at the first visit.
            one: scans[0].scan if [scan.label for scan in scans] == [first] else SeveralScans(tuple(scans))
            for one, scans in found.items()
            if scans
        }


def _filled(found: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the rows of another one for participants who have no age, and for those it lacks."""
    later = other.drop_duplicates("participant_id").set_index("participant_id")
    aligned = later.reindex(found["participant_id"]).set_axis(found.index)
    missing = found["age"].isna() & aligned["age"].notna()
    if missing.any():
        taken = aligned[missing].assign(participant_id=found["participant_id"])
        found = pd.concat([found[~missing], taken[list(found)]]).reindex(found.index)
    if not (unknown := other[~other["participant_id"].isin(found["participant_id"])]).empty:
        found = pd.concat([found, unknown], ignore_index=True)
        found.index += 1
    return found
