"""One process of a sweep: it takes trial after trial until the study has what was asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from brainage.errors import SweepError
from brainage.sweep.feasible import PossibleSpace
from brainage.sweep.space import Point
from brainage.sweep.storage import REASON, Undertaker, counted, drop_waiting, retry, running
from brainage.system.console import log
from brainage.system.signals import Interruption, interruptible, uninterrupted
from brainage.training.pruning import trial as as_trial

# Between two looks at the study, in seconds, while others finish its last trials.
_PAUSE = 0.5


class TrialFailedError(Exception):
    """A trial that could not finish; its text is the reason."""


class TooManyFailuresError(SweepError):
    """Trial after trial failed: something is wrong that another trial will not mend."""

    exit_code = 1


@dataclass(frozen=True)
class Task:
    """What a worker does.

    Parameters
    ----------
    launch : callable
        Takes a trial's number and its point; trains, and returns the run's summary.
    objectives : tuple of str
        What is optimised: ``objective`` (the run's own) or ``parameters``.
    budget : int
        Complete and pruned trials that the study is to have.
    max_consecutive_failures : int
        The worker stops after this many.
    """

    launch: Callable[[int, Point], Mapping[str, Any]]
    objectives: tuple[str, ...]
    budget: int
    max_consecutive_failures: int


class Worker:
    """Takes trials of a study, one at a time.

    Parameters
    ----------
    study : Study
        With its sampler and pruner.
    possible : PossibleSpace
        What is searched.
    task : Task
        What to do.
    """

    def __init__(self, study: Study, possible: PossibleSpace, task: Task) -> None:
        self._study, self._possible, self._task = study, possible, task
        self._distributions = possible.space.distributions
        self._undertaker = Undertaker(study, self._distributions)
        self._n_failed = 0
        self._stopped: Interruption | None = None

    def work(self) -> None:
        """Take trials until there are enough.

        Raises
        ------
        TooManyFailuresError
            One trial after the other failed.
        Interruption
            The process was asked to stop; the trial under way is failed, and will be tried again.
        """
        while self._is_needed():
            with uninterrupted():  # but in the training itself: what is in the database is never written by half
                self._take_one()

    def _take_one(self) -> None:
        try:
            self._study.optimize(self._objective, n_trials=1, catch=(TrialFailedError,), callbacks=[_tell])
        except UpdateFinishedTrialError:
            log.warning("This trial was taken for dead by another process, and does not count: is this one paused?")
        except KeyboardInterrupt:
            raise self._stopped or KeyboardInterrupt from None

    def settle(self) -> None:
        """Wait until nobody is at a trial any more, and drop what waits to be tried again."""
        self._look()
        if running(self._study):
            log.info("Waiting for the trials of other processes.")
        while running(self._study):
            time.sleep(_PAUSE)
            self._look()
        if counted(self._study) >= self._task.budget:
            drop_waiting(self._study)

    def _look(self) -> None:
        with uninterrupted():
            self._undertaker.work()

    def _is_needed(self) -> bool:
        while True:
            self._look()
            n_done = counted(self._study)
            if n_done >= self._task.budget:
                return False
            if n_done + len(running(self._study)) < self._task.budget:
                return True
            time.sleep(_PAUSE)  # others are at the last ones; should they fail, this one takes their place

    def _objective(self, trial: optuna.Trial) -> float | tuple[float, ...]:
        started = time.monotonic()
        point = {key: _suggested(trial, key, value) for key, value in self._distributions.items()}
        try:
            summary = self._launched(trial, point)
        except Interruption as stop:
            self._stopped = stop
            # As if its process had died, but at once.
            retry(self._study, self._study._storage.get_trial(trial._trial_id), self._distributions)
            raise KeyboardInterrupt from None
        for name, value in _noted(summary, time.monotonic() - started).items():
            trial.set_user_attr(name, value)
        if summary["status"] == "pruned":
            self._n_failed = 0
            raise optuna.TrialPruned
        values = tuple(_value(summary, name) for name in self._task.objectives)
        if summary["status"] != "finished" or None in values:
            self._fail(trial, str(summary.get("reason") or "it left no summary; see its log"))
        self._n_failed = 0
        known = tuple(value for value in values if value is not None)
        return known[0] if len(known) == 1 else known

    def _launched(self, trial: optuna.Trial, point: Point) -> Mapping[str, Any]:
        def report(epoch: int, loss: float) -> bool:
            # Pruners go by the study's direction: where more is better, a low loss must be the higher value.
            trial.report(-loss if self._study.direction == StudyDirection.MAXIMIZE else loss, epoch)
            return trial.should_prune()

        with interruptible(), as_trial(report if len(self._task.objectives) == 1 else None):  # Optuna prunes no others
            return self._task.launch(trial.number, point)

    def _fail(self, trial: optuna.Trial, reason: str) -> None:
        self._n_failed += 1
        trial.set_user_attr(REASON, reason)
        log.warning("Trial %d failed: %s", trial.number, reason)
        if self._n_failed >= self._task.max_consecutive_failures:
            raise TooManyFailuresError(
                f"`hydra.sweeper.max_consecutive_failures={self._task.max_consecutive_failures}`: as many trials "
                f"failed one after the other. The last: {reason}"
            )
        raise TrialFailedError(reason)


def _tell(study: Study, trial: FrozenTrial) -> None:
    """Say in a line how a trial went."""
    noted = f"{trial.user_attrs.get('epochs')} epochs, {trial.user_attrs.get('seconds', 0):.1f} s"
    if trial.state == TrialState.PRUNED:
        log.info("Trial %d: pruned, %s", trial.number, noted)
    elif trial.state == TrialState.COMPLETE:
        best = ""
        if len(study.directions) == 1:
            best = f", best so far {study.best_value:.3f} (trial {study.best_trial.number})"
        log.info("Trial %d: %s, %s%s", trial.number, " and ".join(f"{v:.3f}" for v in trial.values), noted, best)


def _suggested(trial: optuna.Trial, key: str, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(key, distribution.choices)
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(key, distribution.low, distribution.high, step=distribution.step, log=distribution.log)
    assert isinstance(distribution, FloatDistribution)
    return trial.suggest_float(key, distribution.low, distribution.high, step=distribution.step, log=distribution.log)


def _noted(summary: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Return what a sweep's table and report tell of a run, whether or not it has ended well."""
    return {
        "epochs": summary.get("epochs"),
        "best_epoch": summary.get("best_epoch"),
        "parameters": summary.get("model", {}).get("parameters"),
        "fit_seconds": summary.get("seconds", {}).get("fit"),
        "seconds": round(seconds, 3),
    }


def _value(summary: Mapping[str, Any], name: str) -> float | None:
    found = summary.get("model", {}) if name == "parameters" else summary.get("objective", {})
    value = found.get("parameters" if name == "parameters" else "value")
    return None if value is None else float(value)
