"""Trials of processes that died: failed once their heartbeat stops, and retried with the same parameters."""

from __future__ import annotations

import copy
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
from sqlalchemy import text

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
    now = datetime.now()
    for trial in study.get_trials(deepcopy=False, states=(TrialState.FAIL,)):
        if REASON in trial.user_attrs or trial.datetime_complete is None:
            continue
        age = now - trial.datetime_complete
        if not timedelta(0) <= age < timedelta(seconds=GRACE):  # these are being re-enqueued
            retry(study, trial)


class StaleTrials:
    """Fails and re-enqueues the trials of processes that died: those whose heartbeat does not change any more.

    Optuna compares the last heartbeat with the time of day, so it keeps a dead trial if the clock was set back, or if
    its process died before the first heartbeat. Here the time since a heartbeat was first seen is measured.
    """

    def __init__(self, study: Study, storage: RDBStorage) -> None:
        self._study, self._storage = study, storage
        self._seen: dict[int, tuple[Any, float]] = {}

    def check(self) -> None:
        """Fail and re-enqueue trials that are stale now."""
        with experimental():
            fail_stale_trials(self._study)
        now, grace = time.monotonic(), self._storage.grace_period or GRACE
        beats = heartbeats(self._study, self._storage)
        former, self._seen = self._seen, {}
        for number, beat in beats.items():
            known = former.get(number)
            since = known[1] if known is not None and known[0] == beat else now
            self._seen[number] = beat, since
            if now - since > grace:
                self._fail(number)

    def _fail(self, number: int) -> None:
        key = trial_id(self._study, self._storage, number)
        with suppress(UpdateFinishedTrialError):  # it, or another process, has ended it
            if self._storage.set_trial_state_values(key, state=TrialState.FAIL):
                retry(self._study, self._storage.get_trial(key))


def heartbeats(study: Study, storage: RDBStorage) -> dict[int, Any]:
    """Return the last heartbeat of each running trial, by number; None before the first one."""
    query = text(
        "SELECT trials.number, trial_heartbeats.heartbeat FROM trials LEFT JOIN trial_heartbeats "
        "ON trial_heartbeats.trial_id = trials.trial_id WHERE trials.study_id = :study AND trials.state = 'RUNNING'"
    )
    with storage.engine.connect() as connection:
        found = connection.execute(query, {"study": storage.get_study_id_from_name(study.study_name)})
        return {number: beat for number, beat in found}


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
