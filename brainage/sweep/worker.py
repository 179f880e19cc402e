"""One process of a sweep: it runs trials until the study has its budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from brainage.errors import SweepError
from brainage.sweep.recovery import POINT, REASON, StaleTrials, drop_waiting, n_counted, retry, running
from brainage.sweep.results import N_VALIDATION, STANDARD_ERROR
from brainage.sweep.settings import SweepSettings
from brainage.sweep.space import Point, Space, refuse_other_values
from brainage.sweep.storage_errors import STORAGE_ERRORS, StorageLost, is_of_storage
from brainage.system.console import log
from brainage.system.signals import Interruption, interruptible, uninterrupted
from brainage.training import pruning

# Seconds between two looks at the study while other processes finish its last trials.
_PAUSE = 0.5


class TrialFailedError(Exception):
    """A trial failed; the text is the reason."""


class TooManyFailuresError(SweepError):
    """Too many trials failed in a row."""

    exit_code = 1


class Worker:
    """Runs trials of a study, one at a time; `launch` trains a numbered trial at a point and returns its summary."""

    def __init__(
        self,
        study: Study,
        storage: RDBStorage,
        space: Space,
        settings: SweepSettings,
        launch: Callable[[int, Point], Mapping[str, Any]],
        fits: Callable[[Study, Point], bool] = lambda study, point: True,
    ) -> None:
        self._study, self._storage, self._settings, self._launch = study, storage, settings, launch
        self._fits, self._in_time = fits, True
        self._distributions = space.distributions
        self._stale = StaleTrials(study, storage)
        self._n_failed = 0
        self._stopped: Interruption | None = None

    def work(self) -> None:
        """Run trials until the study has its budget, or no further one is expected to end in time."""
        while self._in_time and self._is_needed():
            with uninterrupted():  # except during the training: writes to the database are completed
                self._run_one()

    def _run_one(self) -> None:
        try:
            self._study.optimize(self._objective, n_trials=1, catch=(TrialFailedError,), callbacks=[_log_trial])
        except UpdateFinishedTrialError:
            log.warning("Another process failed this trial as stale, so it does not count: was this process paused?")
        except KeyboardInterrupt:
            raise self._stopped or KeyboardInterrupt from None
        except Exception as error:
            if is_of_storage(error):
                raise StorageLost(error) from None
            raise

    def settle(self) -> None:
        """Wait until no trial is running, and fail those that wait for a retry once the budget is used."""
        self._check_stale()
        if running(self._study):
            log.info("Waiting for the trials of other processes.")
        while running(self._study):
            time.sleep(_PAUSE)
            self._check_stale()
        if n_counted(self._study) >= self._settings.n_trials:
            drop_waiting(self._study, self._storage)

    def _check_stale(self) -> None:
        with uninterrupted():
            self._stale.check()

    def _is_needed(self) -> bool:
        while True:
            self._check_stale()
            n_done = n_counted(self._study)
            if n_done >= self._settings.n_trials:
                return False
            if n_done + len(running(self._study)) < self._settings.n_trials:
                return True
            time.sleep(_PAUSE)  # others run the last trials; if these fail, this process runs more

    def _objective(self, trial: optuna.Trial) -> Any:
        started = time.monotonic()
        if POINT not in trial.user_attrs and trial.relative_params:
            trial.set_user_attr(POINT, trial.relative_params)
        point = {key: _suggest(trial, key, value) for key, value in self._distributions.items()}
        refuse_other_values(trial.number, point, self._distributions)  # Optuna takes fixed parameters as they are
        if not self._fits(self._study, point):
            self._leave(trial)
        try:
            summary = self._launched(trial, point)
        except Interruption as stop:
            self._stopped = stop
            # Re-enqueue now instead of waiting for a stale heartbeat.
            retry(self._study, self._study.get_trials(deepcopy=False)[trial.number])
            raise KeyboardInterrupt from None
        seconds = round(time.monotonic() - started, 3)
        for name, value in {**_attributes(summary), "seconds": seconds}.items():
            trial.set_user_attr(name, value)
        if summary["status"] == "pruned":
            self._n_failed = 0
            raise optuna.TrialPruned
        values = [_value(summary, name) for name in self._settings.objectives]
        if summary["status"] != "finished" or None in values:
            self._fail(trial, str(summary.get("reason") or "no summary was written; see its log"))
        self._n_failed = 0
        return values

    def _leave(self, trial: optuna.Trial) -> NoReturn:
        """Leave a trial, and all later ones, to the next command."""
        self._in_time = False
        retry(self._study, self._study.get_trials(deepcopy=False)[trial.number])
        trial.set_user_attr(REASON, "not begun: not expected to end within hydra.sweeper.timeout")
        log.info("`hydra.sweeper.timeout=%s`: no further trial is expected to end in time.", self._settings.timeout)
        raise TrialFailedError

    def _launched(self, trial: optuna.Trial, point: Point) -> Mapping[str, Any]:
        def report(epoch: int, loss: float) -> bool:
            try:
                # Pruners follow the study's direction: when it is maximised, a low loss must be the higher value.
                trial.report(-loss if self._study.direction == StudyDirection.MAXIMIZE else loss, epoch)
                return trial.should_prune()
            except STORAGE_ERRORS as error:
                raise StorageLost(error) from None

        prunes = len(self._settings.objectives) == 1  # Optuna prunes no others
        with interruptible(), pruning.trial(report if prunes else None):
            return self._launch(trial.number, point)

    def _fail(self, trial: optuna.Trial, reason: str) -> None:
        self._n_failed += 1
        trial.set_user_attr(REASON, reason)
        log.warning("Trial %d failed: %s", trial.number, reason)
        limit = self._settings.max_consecutive_failures
        if self._n_failed >= limit:
            raise TooManyFailuresError(
                f"`hydra.sweeper.max_consecutive_failures={limit}`: as many trials failed in a row. The last: {reason}"
            )
        raise TrialFailedError(reason)


def _log_trial(study: Study, trial: FrozenTrial) -> None:
    """Log the result of a trial."""
    result, best = "pruned", ""
    if trial.state == TrialState.COMPLETE:
        result = " and ".join(f"{value:.3f}" for value in trial.values)
        if len(study.directions) == 1:
            best = f", best so far {study.best_value:.3f} (trial {study.best_trial.number})"
    if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
        epochs, seconds = trial.user_attrs.get("epochs"), trial.user_attrs.get("seconds", 0)
        log.info("Trial %d: %s, %s epochs, %.1f s%s", trial.number, result, epochs, seconds, best)


def _suggest(trial: optuna.Trial, key: str, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(key, distribution.choices)
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    suggest: Any = trial.suggest_int if isinstance(distribution, IntDistribution) else trial.suggest_float
    return suggest(key, distribution.low, distribution.high, step=distribution.step, log=distribution.log)


def _attributes(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return the user attributes of a trial, for the sweep's table and page."""
    return {
        "epochs": summary.get("epochs"),
        "best_epoch": summary.get("best_epoch"),
        "parameters": summary.get("model", {}).get("parameters"),
        "fit_seconds": summary.get("seconds", {}).get("fit"),
        N_VALIDATION: summary.get("n", {}).get("val"),
        STANDARD_ERROR: summary.get("objective", {}).get("standard_error"),
    }


def _value(summary: Mapping[str, Any], name: str) -> Any:
    group, key = ("model", "parameters") if name == "parameters" else ("objective", "value")
    return summary.get(group, {}).get(key)
