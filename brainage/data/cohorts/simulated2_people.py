"""The table of version 2's participants: ages, gaps, sites, motion and phenotypes, with their causes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.data.cohorts.simulated2_brain import PEOPLE, SECOND_VISITS

SITES = ("Cheadle", "Reading", "Newcastle", "Bristol")

MIN_AGE, MAX_AGE, MEAN_AGE, SD_AGE = 46.0, 82.0, 63.4, 7.65
SD_GAP = 4.0

# Correlation of phenotypes with the true gap.
GAP_CORRELATIONS = {"processing_speed": -0.2, "memory": -0.1, "reaction_time": 0.05}
N_NULLS = 12

# The one cause of each phenotype besides chance and sex: true_gap, age, head_motion, or nothing. The gaps of
# participants with a diagnosis have the same mean as those of others, and 1.5 times the spread.
PHENOTYPE_CAUSES_2: dict[str, str | None] = {
    **dict.fromkeys(GAP_CORRELATIONS, "true_gap"),
    "diagnosis": None,
    "grip_strength": "age",
    "restlessness": "head_motion",
    "month_of_birth": None,
    "smoker": None,
    **{f"null_{number:02d}": None for number in range(1, N_NULLS + 1)},
}

_SHARE_OF_CASES, _SPREAD_OF_CASES = 0.2, 1.5
# The mean gap rises on both sides of the mean age, and its spread with age.
_GAP_CURVATURE, _LOG_SPREAD_BY_AGE = 0.6, 0.17
_MEDIAN_MOTION, _SD_LOG_MOTION = 0.12, 0.4
_SHARE_OF_SECOND_VISITS = 0.3
# Participants are drawn in blocks: one generator each would take most of the time of a large table.
_BLOCK = 1024

FloatArray = NDArray[np.float64]


def draw_people(seed: int, n_participants: int, *, age_matters: bool = True) -> pd.DataFrame:
    """Return the table of a cohort, with all phenotypes and ``true_gap`` in years.

    It also has ``years_between``, from the first visit to the second (NaN for participants without one), and
    ``head_motion_2``, that of the second. Unless `age_matters`, head motion and site are independent of age. A change
    in the order of draws needs a new version.
    """
    blocks = [_draw_block(seed, block, age_matters) for block in range(-(-n_participants // _BLOCK))]
    return pd.concat(blocks, ignore_index=True).head(n_participants)


def at_second_visit(people: pd.DataFrame) -> pd.DataFrame:
    """Return the table of those who have a second visit, as they are then; its index is that of `people`."""
    there = people[people["years_between"].notna()]
    age = (there["age"] + there["years_between"]).round(2)
    return there.assign(age=age, head_motion=there["head_motion_2"])


def _draw_block(seed: int, block: int, age_matters: bool) -> pd.DataFrame:
    rng = np.random.default_rng([seed, block, PEOPLE])
    age = _draw_ages(rng)
    z_age = (age - MEAN_AGE) / SD_AGE
    diagnosis = rng.random(_BLOCK) < _SHARE_OF_CASES
    gap = _draw_gaps(rng, z_age, diagnosis)
    seen = z_age if age_matters else np.zeros(_BLOCK)
    sex = rng.integers(2, size=_BLOCK)
    # Of both visits: people who move much do so again.
    motion = 0.18 * seen + 0.2 * (sex - 0.5) + 0.8 * rng.normal(size=_BLOCK) + 0.6 * rng.normal(size=(2, _BLOCK))
    site = np.digitize(0.1 * seen + rng.normal(size=_BLOCK), [-0.5, 0.5])
    # The last site has younger participants.
    site[0.45 * seen + rng.normal(size=_BLOCK) < -0.95] = len(SITES) - 1
    head_motion = (_MEDIAN_MOTION * np.exp(_SD_LOG_MOTION * motion)).round(5)
    columns = {
        "participant_id": [f"sim{number:06d}" for number in range(block * _BLOCK + 1, (block + 1) * _BLOCK + 1)],
        "age": age,
        "sex": sex,
        "site": np.array(SITES)[site],
        "head_motion": head_motion[0],
        **_draw_phenotypes(rng, z_age, gap, diagnosis, sex, motion[0]),
        "true_gap": gap,
    }
    return pd.DataFrame({**columns, "head_motion_2": head_motion[1], "years_between": _draw_years(seed, block)})


def _draw_ages(rng: np.random.Generator) -> FloatArray:
    """Draw ages in years from the Beta distribution with the published range, mean and SD."""
    mean = (MEAN_AGE - MIN_AGE) / (MAX_AGE - MIN_AGE)
    variance = (SD_AGE / (MAX_AGE - MIN_AGE)) ** 2
    total = mean * (1 - mean) / variance - 1
    return np.round(MIN_AGE + (MAX_AGE - MIN_AGE) * rng.beta(total * mean, total * (1 - mean), size=_BLOCK), 2)


def _draw_gaps(rng: np.random.Generator, z_age: FloatArray, diagnosis: NDArray[np.bool_]) -> FloatArray:
    """Draw gaps in years: their mean is a curve over age, and their spread rises with age and in cases."""
    spread = np.exp(_LOG_SPREAD_BY_AGE * z_age) * np.where(diagnosis, _SPREAD_OF_CASES, 1.0)
    spread /= np.sqrt(np.exp(2 * _LOG_SPREAD_BY_AGE**2) * (1 + _SHARE_OF_CASES * (_SPREAD_OF_CASES**2 - 1)))
    curve = _GAP_CURVATURE * (z_age**2 - 1)
    chance = np.sqrt(SD_GAP**2 - 2 * _GAP_CURVATURE**2) * spread * rng.normal(size=_BLOCK)
    return np.asarray(np.round(curve + chance, 3))


def _draw_phenotypes(
    rng: np.random.Generator,
    z_age: FloatArray,
    gap: FloatArray,
    diagnosis: NDArray[np.bool_],
    sex: NDArray[np.int64],
    motion: FloatArray,
) -> dict[str, FloatArray]:
    """Draw the phenotypes, each from its causes in ``PHENOTYPE_CAUSES_2`` and chance."""
    standard = {
        name: r * gap / SD_GAP + np.sqrt(1 - r**2) * rng.normal(size=_BLOCK) for name, r in GAP_CORRELATIONS.items()
    }
    restlessness = 1.0 + np.digitize(0.6 * motion + 0.8 * rng.normal(size=_BLOCK), [0.3, 1.1, 1.8])
    restlessness[rng.random(_BLOCK) < 0.03] = np.nan
    return {
        "processing_speed": np.round(19 + 5 * standard["processing_speed"]),
        "memory": np.round(50 + 10 * standard["memory"]),
        "reaction_time": np.round(560 + 110 * standard["reaction_time"]),
        "diagnosis": diagnosis.astype(np.float64),
        "grip_strength": np.round(31 - 3.8 * z_age + 8 * (sex - 0.5) + 7 * rng.normal(size=_BLOCK), 1),
        "restlessness": restlessness,
        "month_of_birth": rng.integers(1, 13, size=_BLOCK).astype(np.float64),
        "smoker": (rng.random(_BLOCK) < 0.4).astype(np.float64),
        **{f"null_{number:02d}": _draw_null(rng, number) for number in range(1, N_NULLS + 1)},
    }


def _draw_null(rng: np.random.Generator, number: int) -> FloatArray:
    """Draw what nothing causes: in turn normal, skewed, yes or no, and one of five grades."""
    kinds = (
        lambda: np.round(100 + 15 * rng.normal(size=_BLOCK)),
        lambda: np.round(20 * rng.lognormal(size=_BLOCK)),
        lambda: (rng.random(_BLOCK) < 0.2).astype(np.float64),
        lambda: rng.integers(1, 6, size=_BLOCK).astype(np.float64),
    )
    return kinds[(number - 1) % len(kinds)]()


def _draw_years(seed: int, block: int) -> FloatArray:
    """Draw the years to the second visit; NaN for participants who have none."""
    rng = np.random.default_rng([seed, block, SECOND_VISITS])
    years = rng.uniform(2, 3.5, size=_BLOCK).round(2)
    years[rng.random(_BLOCK) >= _SHARE_OF_SECOND_VISITS] = np.nan
    return years
