"""Coverage and width of prediction intervals, overall and in groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.evaluation.conformal import HIGH, LOW
from brainage.evaluation.disclosure import may_describe
from brainage.evaluation.groups import described_levels, levels_of, thirds
from brainage.evaluation.intervals import Estimate, bootstrap, proportion_estimate

ALL = "all"

# Differences of widths that are rounding, in years.
_SAME = 1e-9


@dataclass(frozen=True)
class Coverage:
    """How often true ages are between the bounds, in one group of the analysed rows.

    Parameters
    ----------
    variable, level : str
        ``all``, ``predicted age``, ``age``, ``sex`` or ``site``, and which.
    n : int
        Participants with an interval.
    coverage : Estimate
        Their share whose age is between the bounds, with Wilson's 95 % interval.
    width : Estimate
        Mean width, in years, with its 95 % bootstrap interval.
    """

    variable: str
    level: str
    n: int
    coverage: Estimate
    width: Estimate


def measure_coverage(rows: pd.DataFrame, *, n_resamples: int, seed: int) -> list[Coverage]:
    """Measure the intervals of the analysed rows, where at least ten have one; see `measure_groups`.

    Parameters
    ----------
    rows : DataFrame
        ``age``, ``predicted_age``, and where known `BOUNDS`, ``sex`` and ``site``.
    n_resamples, seed : int
        See `brainage.evaluation.intervals.bootstrap`.
    """
    known = rows[rows[LOW].notna()] if LOW in rows else rows.iloc[:0]
    if not may_describe(len(known), len(rows)):
        return []
    age, predicted = known["age"].to_numpy(float), known["predicted_age"].to_numpy(float)
    variables = {"age": thirds(age), "sex": levels_of(known, "sex"), "site": levels_of(known, "site")}
    shown = described_levels(age, {**variables, "predicted age": thirds(predicted)})
    groups = {ALL: {"": np.ones(len(known), dtype=bool)}}
    groups |= {name: shown[name] for name in ("predicted age", "age", "sex", "site") if name in shown}
    return [
        _measured(variable, level, known[mask], n_resamples, seed)
        for variable, levels in groups.items()
        for level, mask in levels.items()
    ]


def _measured(variable: str, level: str, rows: pd.DataFrame, n_resamples: int, seed: int) -> Coverage:
    n_covered = int(rows["age"].between(rows[LOW], rows[HIGH]).sum())
    widths = (rows[HIGH] - rows[LOW]).to_numpy(float)

    def mean(counts: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        return {"width": counts @ widths / counts.sum(axis=1)}

    # Widths of symmetric intervals are one number.
    n_resamples = n_resamples if np.ptp(widths) > _SAME else 0
    width = bootstrap(mean, len(rows), n_resamples=n_resamples, seed=seed)["width"]
    return Coverage(variable, level, len(rows), proportion_estimate(n_covered, len(rows)), width)
