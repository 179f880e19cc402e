"""What processes that die leave in a study, and what becomes of it."""

from __future__ import annotations

import time
import warnings
from pathlib import Path

import optuna
import pytest
from optuna.samplers import RandomSampler
from optuna.trial import TrialState

from brainage.errors import SweepError
from brainage.sweep import storage as studies
from brainage.sweep.feasible import PossibleSpace
from brainage.sweep.sampler import PossibleSampler
from brainage.sweep.space import parse_space
from brainage.sweep.storage import (
    Plan,
    Undertaker,
    counted,
    drop_waiting,
    open_storage,
    open_study,
    point_of,
    retry,
    retry_orphans,
    running,
    shown_url,
)

SPACE = parse_space({"a": "range(0,9)", "b": "interval(0,1)"}, [])
PLAN = Plan(SPACE.described(), ["minimize"], {"batch_size": "8"})


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'new' / 'study.db'}"


def opened(url: str, plan: Plan = PLAN) -> optuna.Study:
    return open_study(open_storage(url, SPACE.distributions), "name", plan)


def begun(study: optuna.Study) -> optuna.Trial:
    """Begin a trial that no thread beats for, as if its process had died at once."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Heartbeat of storage", UserWarning)
        return study.ask()


def asked(study: optuna.Study) -> optuna.Trial:
    trial = begun(study)
    trial.suggest_int("a", 0, 8)
    trial.suggest_float("b", 0, 1)
    return trial


def test_a_study_is_found_again_by_the_same_command(url: str) -> None:
    study = opened(url)
    study.tell(asked(study), 1.0)
    assert counted(opened(url)) == 1


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (Plan(PLAN.space, ["maximize"], PLAN.fixed), r"has the direction minimize, but now it is maximize\."),
        (Plan(PLAN.space, ["minimize"] * 2, PLAN.fixed), r"has the direction minimize, but now it is minimize, minim"),
        (Plan({**PLAN.space, "c": "{}"}, ["minimize"], PLAN.fixed), r"searches `c` as nothing, but now it is {}\."),
        (Plan({"a": PLAN.space["a"]}, ["minimize"], PLAN.fixed), r"searches `b` as .*Float.*, but now it is nothing"),
        (Plan(PLAN.space, ["minimize"], {"batch_size": "16"}), r"has `batch_size` as 8, but now it is 16\."),
    ],
)
def test_a_study_of_other_trials_is_refused(url: str, plan: Plan, message: str) -> None:
    opened(url)
    with pytest.raises(SweepError, match=rf"`hydra.sweeper.study_name=name` {message}.*choose another"):
        opened(url, plan)


def test_a_study_that_something_else_made_is_refused(url: str) -> None:
    storage = open_storage(url, SPACE.distributions)
    study = optuna.create_study(storage=storage, study_name="name")
    study.tell(begun(study), 1.0)
    with pytest.raises(SweepError, match=r"`hydra.sweeper.study_name=name` was made by something else\. Trials"):
        opened(url)


@pytest.mark.parametrize("beats", [True, False], ids=["after its first beat", "before its first beat"])
def test_a_trial_whose_process_died_is_failed_and_tried_again(
    beats: bool, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = opened(url)
    died = asked(study)
    storage = studies._backend(study)
    if beats:
        storage.record_heartbeat(died._trial_id)
    monkeypatch.setattr(studies, "GRACE", 1)
    storage.grace_period = 1
    undertaker = Undertaker(study, SPACE.distributions)
    undertaker.work()
    assert len(running(study)) == 1  # not yet
    time.sleep(2.1)
    undertaker.work()
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.WAITING]
    again = asked(study)
    assert again.params == died.params
    assert counted(study) == 0


def test_a_trial_that_beats_is_left_alone(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    study = opened(url)
    alive = asked(study)
    storage = studies._backend(study)
    monkeypatch.setattr(studies, "GRACE", 1)
    storage.grace_period = 1
    undertaker = Undertaker(study, SPACE.distributions)
    for _ in range(5):
        storage.record_heartbeat(alive._trial_id)
        undertaker.work()
        time.sleep(0.5)
    assert [trial.state for trial in study.trials] == [TrialState.RUNNING]


def test_a_point_that_kills_whoever_tries_it_is_left_alone_after_two_more_tries(url: str) -> None:
    study = opened(url)
    for _ in range(3):
        trial = asked(study)
        study.tell(trial, state=TrialState.FAIL)
        retry(study, study.trials[-1], SPACE.distributions)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL] * 3
    assert len({str(trial.params) for trial in study.trials}) == 1


def test_a_trial_that_died_with_half_a_point_is_not_tried_again(url: str) -> None:
    study = opened(url)
    trial = begun(study)
    trial.suggest_int("a", 0, 8)
    study.tell(trial, state=TrialState.FAIL)
    retry(study, study.trials[-1], SPACE.distributions)
    assert len(study.trials) == 1


def possible_proposals(study: optuna.Study) -> optuna.Study:
    """Let a study propose whole points, as a sweep does."""
    study.sampler = PossibleSampler(PossibleSpace(SPACE, lambda point: None), lambda seed: RandomSampler(seed=seed), 0)
    return study


def test_a_trial_that_died_between_two_parameters_is_failed_and_tried_again_whole_even_if_that_one_dies_sooner(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = possible_proposals(opened(url))
    died = begun(study)
    died.suggest_int("a", 0, 8)
    noted = point_of(study.trials[0])
    assert set(noted) == {"a", "b"}
    monkeypatch.setattr(studies, "GRACE", -1)  # whoever has no beat is dead
    undertaker = Undertaker(study, SPACE.distributions)
    undertaker.work()
    begun(study)  # its successor has not even its first parameter
    undertaker.work()
    again = asked(study)
    assert again.params == noted
    assert [trial.state.name for trial in study.trials] == ["FAIL", "FAIL", "RUNNING"]


def test_one_that_was_cut_off_is_queued_again_neither_while_its_successor_runs_nor_afterwards(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = possible_proposals(opened(url))
    study.tell(asked(study), state=TrialState.FAIL)
    monkeypatch.setattr(studies, "GRACE", -1)
    retry_orphans(study, SPACE.distributions)
    successor = asked(study)
    retry_orphans(study, SPACE.distributions)
    study.tell(successor, 1.0)
    retry_orphans(study, SPACE.distributions)
    assert [trial.state.name for trial in study.trials] == ["FAIL", "COMPLETE"]
    assert study.trials[0].params == study.trials[1].params


def test_what_waits_is_dropped(url: str) -> None:
    study = opened(url)
    study.enqueue_trial({"a": 1, "b": 0.5})
    drop_waiting(study)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", r"`hydra.sweeper.storage` must be an address like sqlite:///FILE or postgresql.*cannot be read"),
        (
            "oracle://u:sesame@h/d",
            r"`hydra.sweeper.storage=oracle://u:\*\*\*@h/d` needs a driver that is not installed",
        ),
        ("nosuch://u:sesame@h/d", r"`hydra.sweeper.storage=nosuch://u:\*\*\*@h/d` cannot be reached \(NoSuchModule"),
        (
            "postgresql://u:sesame@127.0.0.1:1/d",
            r"postgresql://u:\*\*\*@127.0.0.1:1/d` cannot be reached \(Operational",
        ),
        ("sqlite:////proc/nowhere/study.db", r"`hydra.sweeper.storage=sqlite:////proc/nowhere/study.db` cannot be re"),
    ],
)
def test_a_storage_that_cannot_be_reached_is_one_message_without_the_password(url: str, message: str) -> None:
    with pytest.raises(SweepError, match=message) as raised:
        open_storage(url, SPACE.distributions)
    assert "sesame" not in str(raised.value)
    assert raised.value.__suppress_context__
    assert "sesame" not in shown_url(url)
