"""Confirmation: the best trials trained again with other seeds, before one is called best."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from optuna.trial import FrozenTrial

from brainage.system.files import write_csv

# New trainings of each of the best trials, each with a seed of its own.
N_SEEDS = 3

# The folder of these trainings, in that of the sweep.
FOLDER = "confirm"

_N_DRAWS = 4000


@dataclass(frozen=True)
class Confirmed:
    """One of the best trials, its objective in trainings with other seeds (NaN of one that failed), and their time."""

    trial: FrozenTrial
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    seconds: float = 0.0

    @property
    def mean(self) -> float:
        """The mean over the seeds."""
        return statistics.fmean(self.values)


@dataclass(frozen=True)
class Chance:
    """How much of the best value of a search is expected to be chance.

    Parameters
    ----------
    seed_sd : float
        Standard deviation of the objective between seeds.
    optimism : float
        By how much the best value is expected to be better than the mean over seeds of the same trial.
    lead, lasting : float
        By how much the best trial led in the search, and how much of it is expected to remain.
    """

    seed_sd: float
    optimism: float
    lead: float
    lasting: float


def confirm(
    best: Sequence[FrozenTrial], seeds: Sequence[int], train: Callable[[FrozenTrial, int], Mapping[str, Any]]
) -> list[Confirmed]:
    """Train each trial again with each seed; `train` returns a run's summary."""
    found = []
    for trial in best:
        summaries = [train(trial, seed) for seed in seeds]
        values = [(summary.get("objective") or {}).get("value") for summary in summaries]
        found.append(
            Confirmed(trial, tuple(seeds), tuple(math.nan if value is None else float(value) for value in values))
        )
    return found


def best_confirmed(confirmed: Sequence[Confirmed], *, maximize: bool) -> Confirmed | None:
    """Return the trial with the best mean over the new seeds; None if each had a failure."""
    whole = [one for one in confirmed if math.isfinite(one.mean)]
    sign = -1 if maximize else 1
    return min(whole, key=lambda one: sign * one.mean, default=None)


def chance(values: Sequence[float], confirmed: Sequence[Confirmed], *, maximize: bool) -> Chance | None:
    """Return how much of the best of these values is chance; None if fewer than two trials can tell.

    The values are drawn again with the differences that seeds make, as a parametric bootstrap: what the best of them
    then lose against the values without these differences is the optimism of a best value [1]_.

    References
    ----------
    .. [1] Efron (2011). Tweedie's formula and selection bias. https://doi.org/10.1198/jasa.2011.tm11181
    """
    variances = [statistics.variance(one.values) for one in confirmed if math.isfinite(one.mean)]
    true = np.sort((-1 if maximize else 1) * np.array([value for value in values if math.isfinite(value)]))
    if not variances or len(true) < 2:
        return None
    sd = math.sqrt(statistics.fmean(variances))
    drawn = true + sd * np.random.default_rng(0).standard_normal((_N_DRAWS, len(true)))
    first, second = np.argsort(drawn, axis=1)[:, :2].T
    rows = np.arange(_N_DRAWS)
    seen = float((drawn[rows, second] - drawn[rows, first]).mean())
    kept = float((true[second] - true[first]).mean()) / seen if seen > 0 else 1.0
    lead = float(true[1] - true[0])
    return Chance(sd, float((true[first] - drawn[rows, first]).mean()), lead, lead * min(max(kept, 0.0), 1.0))


def write_confirmation(path: Path, confirmed: Sequence[Confirmed]) -> None:
    """Write ``confirmation.csv``: one row for each new training."""
    rows = [
        {"trial": one.trial.number, "search": one.trial.values[0], "seed": seed, "value": value}
        for one in confirmed
        for seed, value in zip(one.seeds, one.values, strict=True)
    ]
    write_csv(path, pd.DataFrame(rows))
