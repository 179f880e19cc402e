"""Trials of processes that died: failed once their heartbeat stops, and retried with the same parameters."""

from __future__ import annotations

import copy
import math
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback, fail_stale_trials
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

# In seconds. A trial without a heartbeat for the grace period is stale.
HEARTBEAT, GRACE = 4, 20

# Retries of a point; one that kills every process is then given up.
_RETRIES = 2

# User attributes of trials: the whole point, written before its parameters are suggested one by one, and the reason
# of a failure. A failed trial without a reason was interrupted or killed.
POINT, REASON = "point", "reason"

# The user attribute of retries in studies of version 0.1, which enqueued them with fixed parameters.
_RETRY_OF = "retry_of"

_COUNTED = (TrialState.COMPLETE, TrialState.PRUNED)


@contextmanager
def experimental() -> Iterator[None]:
    """Silence Optuna's warning that heartbeats are experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


def n_counted(study: Study) -> int:
    """Return the number of trials that count towards the budget: complete and pruned ones."""
    return len(study.get_trials(deepcopy=False, states=_COUNTED))


def running(study: Study) -> list[FrozenTrial]:
    """Return the trials that are running, or whose process died."""
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def saved_point(trial: FrozenTrial) -> dict[str, Any] | None:
    """Return the whole point of a trial that was started before; None for a new trial."""
    point = trial.system_attrs.get("fixed_params") or trial.user_attrs.get(POINT)
    return dict(point) if point else None


def is_retry(trial: FrozenTrial) -> bool:
    """Return whether a trial repeats the point of another one."""
    return not {"fixed_params", "failed_trial"}.isdisjoint(trial.system_attrs)


def retry(study: Study, trial: FrozenTrial) -> None:
    """Re-enqueue a trial with its point, unless that was done before, the limit is reached, or it had no point yet."""
    retried = {
        number
        for other in study.get_trials(deepcopy=False)
        for number in [*other.system_attrs.get("retry_history", []), *other.user_attrs.get(_RETRY_OF, [])]
    }
    if saved_point(trial) is not None and trial.number not in retried:
        with experimental():
            again = RetryHeartbeatStaleTrialCallback(max_retry=_RETRIES)
        again(study, copy.deepcopy(trial))  # it extends the trial's own history


def retry_orphans(study: Study) -> None:
    """Re-enqueue trials failed by a process that died before re-enqueueing them."""
    before = datetime.now() - timedelta(seconds=GRACE)  # later ones are being re-enqueued
    for trial in study.get_trials(deepcopy=False, states=(TrialState.FAIL,)):
        if REASON not in trial.user_attrs and trial.datetime_complete and trial.datetime_complete < before:
            retry(study, trial)


class StaleTrials:
    """Fails and re-enqueues the trials of processes that died.

    Optuna compares the last heartbeats of trials. A process that died before the first one leaves none, so this
    process records one for every trial that it has seen running for the grace period: without another one, the trial
    becomes stale like any other.
    """

    def __init__(self, study: Study, storage: RDBStorage) -> None:
        self._study, self._storage = study, storage
        self._since: dict[int, float] = {}

    def check(self) -> None:
        """Fail and re-enqueue trials that are stale now."""
        with experimental():
            fail_stale_trials(self._study)
        now, grace = time.monotonic(), self._storage.grace_period or GRACE
        self._since = {trial.number: self._since.get(trial.number, now) for trial in running(self._study)}
        for number, since in self._since.items():
            if now - since > grace:
                self._storage.record_heartbeat(trial_id(self._study, self._storage, number))
                self._since[number] = math.inf


def trial_id(study: Study, storage: RDBStorage, number: int) -> int:
    """Return a trial's key in the storage."""
    return storage.get_trial_id_from_study_id_trial_number(storage.get_study_id_from_name(study.study_name), number)


def drop_waiting(study: Study, storage: RDBStorage) -> None:
    """Fail the trials that wait to be retried, once the study has its budget."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        key = trial_id(study, storage, trial.number)
        with suppress(UpdateFinishedTrialError):
            storage.set_trial_user_attr(key, REASON, "not retried: the study has its trials")
            storage.set_trial_state_values(key, state=TrialState.FAIL)
