"""Trials whose process died: failed, and retried with the same parameters."""

from __future__ import annotations

import time
import warnings
from datetime import datetime, timedelta
from pathlib import Path

import optuna
import pytest
from optuna.samplers import RandomSampler
from optuna.storages import RDBStorage
from optuna.trial import TrialState, create_trial
from sqlalchemy import text

from brainage.sweep.feasible import FeasibleSpace
from brainage.sweep.recovery import (
    POINT,
    REASON,
    StaleTrials,
    drop_waiting,
    n_counted,
    retry,
    retry_orphans,
    running,
    saved_point,
)
from brainage.sweep.sampler import FeasibleSampler
from brainage.sweep.space import parse_space
from brainage.sweep.storage import StudyTerms, open_storage, open_study
from tests.conftest import wait_until

SPACE = parse_space({"a": "range(0,9)", "b": "interval(0,1)"}, [])
TERMS = StudyTerms(SPACE.described(), ["minimize"], {"batch_size": "8"})


def opened(url: str) -> tuple[optuna.Study, RDBStorage]:
    """Open a study that proposes whole points, as a sweep does."""
    storage = open_storage(url)
    study = open_study(storage, "name", TERMS)
    feasible = FeasibleSpace(SPACE, lambda point: None)
    study.sampler = FeasibleSampler(feasible, lambda seed: RandomSampler(seed=seed), 3)
    return study, storage


@pytest.fixture
def study(tmp_path: Path) -> tuple[optuna.Study, RDBStorage]:
    return opened(f"sqlite:///{tmp_path / 'study.db'}")


def started(study: optuna.Study) -> optuna.Trial:
    """Start a trial without a heartbeat thread, as if its process had died at once."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Heartbeat of storage", UserWarning)
        return study.ask()


def with_point(study: optuna.Study) -> optuna.Trial:
    """Start a trial and save its point, as a worker does."""
    trial = started(study)
    if trial.relative_params and POINT not in trial.user_attrs:
        trial.set_user_attr(POINT, trial.relative_params)
    return trial


def suggested(study: optuna.Study) -> optuna.Trial:
    trial = with_point(study)
    trial.suggest_int("a", 0, 8)
    trial.suggest_float("b", 0, 1)
    return trial


def beat(study: optuna.Study, storage: RDBStorage, trial: optuna.Trial) -> None:
    study_id = storage.get_study_id_from_name(study.study_name)
    storage.record_heartbeat(storage.get_trial_id_from_study_id_trial_number(study_id, trial.number))


def states(study: optuna.Study) -> list[str]:
    return [trial.state.name for trial in study.get_trials()]


@pytest.mark.parametrize(
    "beats",
    [True, pytest.param(False, marks=pytest.mark.more)],
    ids=["after its first heartbeat", "before its first heartbeat"],
)
def test_a_trial_whose_process_died_is_failed_and_retried(beats: bool, study: tuple[optuna.Study, RDBStorage]) -> None:
    sweep, storage = study
    died = suggested(sweep)
    storage.grace_period = 1
    if beats:
        beat(sweep, storage, died)
    stale = StaleTrials(sweep, storage)
    stale.check()
    assert len(running(sweep)) == 1  # not yet

    def is_failed() -> bool:
        stale.check()
        return not running(sweep)

    wait_until(is_failed)
    assert states(sweep) == ["FAIL", "WAITING"]
    assert suggested(sweep).params == died.params
    assert n_counted(sweep) == 0


@pytest.mark.more
def test_a_trial_with_heartbeats_is_left_alone(study: tuple[optuna.Study, RDBStorage]) -> None:
    sweep, storage = study
    alive = suggested(sweep)
    storage.grace_period = 1
    stale, end = StaleTrials(sweep, storage), time.monotonic() + 2.5

    def has_passed() -> bool:
        beat(sweep, storage, alive)
        stale.check()
        return time.monotonic() > end

    wait_until(has_passed)
    assert states(sweep) == ["RUNNING"]


def test_a_trial_killed_between_two_parameters_is_retried_with_its_whole_point_even_repeatedly(
    study: tuple[optuna.Study, RDBStorage],
) -> None:
    sweep, _ = study
    trial = with_point(sweep)
    value = trial.suggest_int("a", 0, 8)  # and then the process is killed
    sweep.tell(trial, state=TrialState.FAIL)
    retry(sweep, sweep.trials[0])
    sweep.tell(with_point(sweep), state=TrialState.FAIL)  # its retry is killed before its first parameter
    retry(sweep, sweep.trials[1])
    point = saved_point(sweep.trials[0])
    assert point is not None and set(point) == {"a", "b"} and point["a"] == value
    assert suggested(sweep).params == point
    assert states(sweep) == ["FAIL", "FAIL", "RUNNING"]


def test_a_point_that_kills_every_process_is_given_up_after_two_retries(
    study: tuple[optuna.Study, RDBStorage],
) -> None:
    sweep, _ = study
    for _ in range(3):
        sweep.tell(suggested(sweep), state=TrialState.FAIL)
        retry(sweep, sweep.trials[-1])
    assert states(sweep) == ["FAIL"] * 3
    assert len({str(trial.params) for trial in sweep.trials}) == 1


def test_a_trial_without_a_saved_point_is_not_retried(study: tuple[optuna.Study, RDBStorage]) -> None:
    sweep, _ = study
    trial = started(sweep)
    trial.suggest_int("a", 0, 8)
    sweep.tell(trial, state=TrialState.FAIL)
    retry(sweep, sweep.trials[0])
    assert states(sweep) == ["FAIL"]


def test_a_trial_is_re_enqueued_once(study: tuple[optuna.Study, RDBStorage]) -> None:
    sweep, _ = study
    sweep.tell(suggested(sweep), state=TrialState.FAIL)
    for _ in range(2):
        retry(sweep, sweep.trials[0])
    assert states(sweep) == ["FAIL", "WAITING"]
    sweep.tell(suggested(sweep), 1.0)
    retry(sweep, sweep.trials[0])
    assert states(sweep) == ["FAIL", "COMPLETE"]


def test_a_retry_enqueued_by_version_0_1_is_known(study: tuple[optuna.Study, RDBStorage]) -> None:
    sweep, _ = study
    sweep.tell(suggested(sweep), state=TrialState.FAIL)
    sweep.enqueue_trial(sweep.trials[0].params, user_attrs={"retry_of": [0]})
    retry(sweep, sweep.trials[0])
    assert states(sweep) == ["FAIL", "WAITING"]
    again = suggested(sweep)
    assert again.params == sweep.trials[0].params
    sweep.tell(again, state=TrialState.FAIL)
    retry(sweep, sweep.trials[1])
    assert suggested(sweep).params == again.params


@pytest.mark.parametrize(
    ("seconds_ago", "attributes", "expected"),
    [(60, {}, 1), (5, {}, 0), (60, {REASON: "Training diverged"}, 0)],
    ids=["long ago", "just now: the process that failed it re-enqueues it", "with a reason"],
)
def test_a_trial_failed_without_a_reason_and_without_a_retry_is_re_enqueued_once(
    seconds_ago: float, attributes: dict[str, str], expected: int, study: tuple[optuna.Study, RDBStorage]
) -> None:
    sweep, _ = study
    point = {"a": 1, "b": 0.5}
    trial = create_trial(
        state=TrialState.FAIL,
        params=point,
        distributions=SPACE.distributions,
        user_attrs={POINT: point, **attributes},
    )
    trial.datetime_complete = datetime.now() - timedelta(seconds=seconds_ago)
    sweep.add_trial(trial)
    for _ in range(2):
        retry_orphans(sweep)
    assert states(sweep).count("WAITING") == expected


def test_waiting_trials_are_dropped_with_a_reason(study: tuple[optuna.Study, RDBStorage]) -> None:
    sweep, storage = study
    sweep.enqueue_trial({"a": 1, "b": 0.5})
    drop_waiting(sweep, storage)
    assert states(sweep) == ["FAIL"]
    assert "the study has its trials" in sweep.trials[0].user_attrs[REASON]


@pytest.mark.more
def test_a_clock_that_was_set_back_does_not_keep_a_dead_trial_alive(study: tuple[optuna.Study, RDBStorage]) -> None:
    sweep, storage = study
    died = suggested(sweep)
    storage.grace_period = 1
    stale, end = StaleTrials(sweep, storage), time.monotonic() + 1.5

    def is_still_alive() -> bool:
        beat(sweep, storage, died)
        stale.check()
        return time.monotonic() > end

    wait_until(is_still_alive)
    with storage.engine.begin() as connection:
        connection.execute(text("UPDATE trial_heartbeats SET heartbeat = '2099-01-01 00:00:00.000000'"))

    def is_failed() -> bool:
        stale.check()
        return not running(sweep)

    wait_until(is_failed, seconds=10)
    assert states(sweep) == ["FAIL", "WAITING"]
    assert suggested(sweep).params == died.params


def test_an_orphan_of_the_time_before_a_clock_was_set_back_is_retried(study: tuple[optuna.Study, RDBStorage]) -> None:
    sweep, _ = study
    orphan = create_trial(state=TrialState.FAIL, user_attrs={POINT: {"a": 1, "b": 0.5}})
    orphan.datetime_complete = datetime.now() + timedelta(hours=1)
    sweep.add_trial(orphan)
    retry_orphans(sweep)
    assert states(sweep) == ["FAIL", "WAITING"]
