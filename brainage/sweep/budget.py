"""The time of a command: no trial begins that is not expected to end within it."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from brainage.sweep.space import Point

Cost = Callable[[Point], float]


class TimeBudget:
    """The time that is left to this command, and the time that a trial is expected to take.

    Parameters
    ----------
    seconds : float or None
        The command's time from now on; None is no limit.
    cost : callable
        Returns a number to which the time of an epoch at a point is proportional, but for a constant.
    n_reserved : int, default=0
        Trainings after the search for which time is kept.
    """

    def __init__(self, seconds: float | None, cost: Cost, n_reserved: int = 0) -> None:
        self._ends = math.inf if seconds is None else time.monotonic() + seconds
        self._cost, self._n_reserved = cost, n_reserved

    def fits(self, study: Study, point: Point) -> bool:
        """Return whether a trial at this point is expected to end in time; one of unknown duration is, at first."""
        left = self._ends - time.monotonic()
        if left == math.inf:
            return True
        trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        expected = expected_seconds(trials, self._cost, point) or 0.0
        return expected + self._n_reserved * _median_seconds(trials) <= left


def expected_seconds(trials: Sequence[FrozenTrial], cost: Cost, point: Point) -> float | None:
    """Return the seconds that a trial at this point would take if it was not pruned; None if no trial was complete.

    The time of an epoch is a constant plus a multiple of the cost, neither below 0, fitted to relative errors.
    """
    known = [trial for trial in trials if trial.user_attrs.get("seconds") and trial.user_attrs.get("epochs")]
    n_epochs = [trial.user_attrs["epochs"] for trial in known if trial.state == TrialState.COMPLETE]
    if not n_epochs:
        return None
    rates = np.array([trial.user_attrs["seconds"] / trial.user_attrs["epochs"] for trial in known])
    terms = np.array([[1.0, cost(trial.params)] for trial in known]) / rates[:, None]
    chosen = min(_fits(terms), key=lambda fitted: float(((terms @ fitted - 1) ** 2).sum()))
    return float(np.array([1.0, cost(point)]) @ chosen) * float(statistics.median(n_epochs))


def _fits(terms: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return the least-squares fits of 1 with two terms or one of them whose coefficients are not below 0."""
    found = []
    for columns in ([0, 1], [0], [1]):
        fitted = np.zeros(2)
        fitted[columns] = np.linalg.lstsq(terms[:, columns], np.ones(len(terms)), rcond=None)[0]
        if (fitted >= 0).all():
            found.append(fitted)
    return found


def _median_seconds(trials: Sequence[FrozenTrial]) -> float:
    complete = [t.user_attrs["seconds"] for t in trials if t.state == TrialState.COMPLETE and "seconds" in t.user_attrs]
    return statistics.median(complete) if complete else 0.0
