"""A simulated cohort: participants with a known true brain-age gap, computed when needed and reproducible."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.data.cohorts.simulated_series import TRAITS, SimulatedScan

# Components that are not artefacts, by dimensionality, numbered from 1; as published for UK Biobank.
GOOD_COMPONENTS: dict[int, tuple[int, ...]] = {
    25: tuple(c for c in range(1, 26) if c not in (4, 23, 24, 25)),
    100: (*range(2, 44), 45, 46, 48, 49, 50, 52, 53, 57, 58, 60, 63, 64, 93),
}

# The one cause of each phenotype besides chance: true_gap, age, head_motion, or nothing.
PHENOTYPE_CAUSES: dict[str, str | None] = {
    "processing_speed": "true_gap",
    "grip_strength": "age",
    "restlessness": "head_motion",
    "month_of_birth": None,
    "smoker": None,
}

SITES = ("Cheadle", "Reading", "Newcastle", "Bristol")

_MIN_AGE, _MAX_AGE, _MEAN_AGE, _SD_AGE, _SD_GAP = 46.0, 82.0, 63.4, 7.65, 4.0
_MEDIAN_MOTION, _SD_LOG_MOTION = 0.12, 0.4
# Participants are drawn in blocks: one generator each would take most of the time of a large table.
_BLOCK = 1024


@dataclass(frozen=True, kw_only=True)
class SimulatedCohort:
    """Participants with a known brain-age gap, whose series depend on their brain age; see CohortReader.

    Participant number i depends only on `seed` and i, and is the same at every dimensionality.

    Parameters
    ----------
    n_participants : int, default=1500
        Number of participants.
    seed : int, default=0
        Seed of the participants.
    signal : float, default=1.0
        Strength of brain age in the series; at 0, series, head motion and site are independent of age.
    good_components : tuple of int, default=()
        Numbers, from 1, of the components that are not artefacts. Empty means all.
    n_times : int, default=490
        Time points of a scan.
    t_r : float, default=0.735
        Repetition time, in seconds.
    """

    n_participants: int = 1500
    seed: int = 0
    signal: float = 1.0
    good_components: tuple[int, ...] = ()
    n_times: int = 490
    t_r: float = 0.735

    @property
    def label(self) -> str:
        """The table's name in messages."""
        return "the simulated cohort"

    def read_table(self, columns: Collection[str] = ()) -> pd.DataFrame:
        """Return the table with all phenotypes, and ``true_gap`` in years; see CohortReader."""
        n_blocks = -(-self.n_participants // _BLOCK)
        blocks = [self._draw_block(block) for block in range(n_blocks)]
        return pd.concat(blocks, ignore_index=True).head(self.n_participants)

    def phenotype_names(self) -> list[str]:
        """Return the columns that are phenotypes; see CohortReader."""
        return list(PHENOTYPE_CAUSES)

    def find_scans(self, participant_ids: Iterable[str], dimension: int) -> dict[str, SimulatedScan]:
        """Return scans in the order of the ids; see CohortReader."""
        table = self.read_table()
        brain_age = (table["age"] + table["true_gap"]).to_numpy()
        effect = (self.signal * (brain_age - _MEAN_AGE) / 10).tolist()
        motion = table["head_motion"].tolist()
        site = table["site"].map({name: number for number, name in enumerate(SITES)}).tolist()
        good = tuple(sorted(set(self.good_components)))
        number = {participant: i for i, participant in enumerate(table["participant_id"])}
        return {
            participant: SimulatedScan(
                self.seed, i, effect[i], motion[i], site[i], dimension, good, self.n_times, self.t_r
            )
            for participant in participant_ids
            if (i := number.get(participant)) is not None
        }

    def _draw_block(self, block: int) -> pd.DataFrame:
        """Draw the participants from number ``block * _BLOCK``; a change in the order of draws needs a new version."""
        rng = np.random.default_rng([self.seed, block, TRAITS])
        age = _draw_ages(rng)
        gap = rng.normal(scale=_SD_GAP, size=_BLOCK).round(3)
        z_age = (age - _MEAN_AGE) / _SD_AGE if self.signal != 0 else np.zeros(_BLOCK)
        motion = 0.18 * z_age + rng.normal(size=_BLOCK)
        head_motion = (_MEDIAN_MOTION * np.exp(_SD_LOG_MOTION * motion)).round(5)
        site = np.digitize(0.2 * z_age + rng.normal(size=_BLOCK), [-0.5, 0.3, 1.0])
        sex = rng.integers(2, size=_BLOCK)
        columns = {
            "participant_id": [f"sim{number:06d}" for number in range(block * _BLOCK + 1, (block + 1) * _BLOCK + 1)],
            "age": age,
            "sex": sex,
            "site": np.array(SITES)[site],
            "head_motion": head_motion,
        }
        return pd.DataFrame({**columns, **_draw_phenotypes(rng, age, gap, motion), "true_gap": gap})


def _draw_ages(rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw ages in years from the Beta distribution with the published range, mean and SD."""
    mean = (_MEAN_AGE - _MIN_AGE) / (_MAX_AGE - _MIN_AGE)
    variance = (_SD_AGE / (_MAX_AGE - _MIN_AGE)) ** 2
    total = mean * (1 - mean) / variance - 1
    return np.round(_MIN_AGE + (_MAX_AGE - _MIN_AGE) * rng.beta(total * mean, total * (1 - mean), size=_BLOCK), 2)


def _draw_phenotypes(
    rng: np.random.Generator, age: NDArray[np.float64], gap: NDArray[np.float64], motion: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Draw the phenotypes, each from its one cause in ``PHENOTYPE_CAUSES`` and chance."""
    chance = rng.normal(size=(3, _BLOCK))
    restlessness = 1.0 + np.digitize(0.6 * motion + 0.8 * chance[2], [0.3, 1.1, 1.8])
    restlessness[rng.random(_BLOCK) < 0.03] = np.nan
    return {
        "processing_speed": np.round(19 - 0.65 * gap + 4.2 * chance[0]),
        "grip_strength": np.round(31 - 0.5 * (age - _MEAN_AGE) + 7 * chance[1], 1),
        "restlessness": restlessness,
        "month_of_birth": rng.integers(1, 13, size=_BLOCK).astype(np.float64),
        "smoker": (rng.random(_BLOCK) < 0.4).astype(np.float64),
    }
