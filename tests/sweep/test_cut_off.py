"""Trials that were cut off in the middle of something, and commands that begin at the same moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from brainage.sweep.feasible import PossibleSpace
from brainage.sweep.sampler import PossibleSampler
from brainage.sweep.space import parse_space
from brainage.sweep.storage import REASON, open_storage, open_study, point_of, retry, retry_orphans
from brainage.system.signals import Interruption, interruptible, uninterrupted
from tests.sweep.test_study import PLAN, SPACE


@pytest.fixture
def study(tmp_path: Path) -> optuna.Study:
    study = open_study(open_storage(f"sqlite:///{tmp_path / 'study.db'}", SPACE.distributions), "name", PLAN)
    possible = PossibleSpace(SPACE, lambda point: None)
    study.sampler = PossibleSampler(possible, lambda seed: optuna.samplers.RandomSampler(seed), 3)
    return study


@pytest.mark.filterwarnings("ignore:Heartbeat of storage:UserWarning")
def test_a_trial_that_was_cut_off_between_two_parameters_is_tried_again_with_its_whole_point(
    study: optuna.Study,
) -> None:
    trial = study.ask()
    value = trial.suggest_int("a", 0, 8)  # and then the process is gone
    study.tell(trial, state=TrialState.FAIL)
    noted = point_of(study.trials[0])
    assert set(noted) == {"a", "b"}
    assert noted["a"] == value
    retry(study, study.trials[0], SPACE.distributions)
    again = study.ask()
    assert (again.suggest_int("a", 0, 8), again.suggest_float("b", 0, 1)) == (noted["a"], noted["b"])


def failed(study: optuna.Study, seconds_ago: float, **attributes: str) -> None:
    study.add_trial(
        create_trial(
            state=TrialState.FAIL,
            params={"a": 1, "b": 0.5},
            distributions=SPACE.distributions,
            user_attrs=attributes,
        )
    )
    storage = study._storage._backend  # type: ignore[attr-defined]
    with storage.engine.begin() as connection:
        ended = datetime.now() - timedelta(seconds=seconds_ago)
        connection.exec_driver_sql("UPDATE trials SET datetime_complete = ?", (ended.isoformat(" "),))


def waiting(study: optuna.Study) -> int:
    fresh = optuna.load_study(study_name="name", storage=study._storage._backend)  # type: ignore[attr-defined]
    return sum(trial.state == TrialState.WAITING for trial in fresh.trials)


@pytest.mark.parametrize(
    ("seconds_ago", "attributes", "expected"),
    [(60, {}, 1), (5, {}, 0), (60, {REASON: "Training diverged"}, 0)],
    ids=["long ago", "just now: its undertaker is at it", "for a reason"],
)
def test_who_failed_without_a_reason_and_without_a_successor_is_tried_again_once(
    study: optuna.Study, seconds_ago: float, attributes: dict[str, str], expected: int
) -> None:
    failed(study, seconds_ago, **attributes)
    fresh = optuna.load_study(study_name="name", storage=study._storage._backend)  # type: ignore[attr-defined]
    for _ in range(2):
        retry_orphans(fresh, SPACE.distributions)
    assert waiting(study) == expected


def test_several_processes_may_make_one_study_at_the_same_moment(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from brainage.sweep.storage import *;"
        "from tests.sweep.test_study import SPACE, PLAN\n"
        "Path(sys.argv[2]).touch()\n"
        "while not Path(sys.argv[3]).exists(): time.sleep(0.001)\n"
        "print(open_study(open_storage(sys.argv[1], SPACE.distributions), 'name', PLAN).study_name)"
    )
    ready, go = [tmp_path / f"ready-{number}" for number in range(4)], tmp_path / "go"
    words = [sys.executable, "-c", code, f"sqlite:///{tmp_path / 'study.db'}"]
    begun = [
        subprocess.Popen([*words, path, go], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for path in ready
    ]
    until = time.monotonic() + 60  # to import what they need
    while not all(path.exists() for path in ready) and time.monotonic() < until:
        time.sleep(0.01)
    go.touch()
    ended = [process.communicate(timeout=60) for process in begun]
    assert [(process.returncode, out) for process, (out, _) in zip(begun, ended, strict=True)] == [(0, "name\n")] * 4, (
        ended
    )


def test_a_point_of_hyperband_is_drawn_from_all_trials_not_from_one_bracket(study: optuna.Study) -> None:
    seen = []

    class Looking(optuna.samplers.RandomSampler):
        def sample_relative(self, study, trial, search_space):  # type: ignore[no-untyped-def]
            seen.append(len(study.get_trials(deepcopy=False)))
            return {}

    study.pruner = optuna.pruners.HyperbandPruner(1, 9)
    study.sampler = PossibleSampler(PossibleSpace(SPACE, lambda point: None), lambda seed: Looking(), 3)
    for _ in range(4):
        study.add_trial(create_trial(value=1.0, params={"a": 1, "b": 0.5}, distributions=SPACE.distributions))
    with pytest.warns(UserWarning, match="Heartbeat of storage"):
        study.ask().suggest_int("a", 0, 8)
    assert seen == [5]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_held_back_to_the_end(signum: signal.Signals) -> None:
    done = []
    with pytest.raises(Interruption, match=signum.name), uninterrupted():
        os.kill(os.getpid(), signum)
        time.sleep(0.05)
        done.append("all")
    assert done == ["all"]


def test_a_signal_that_was_held_back_comes_where_it_may() -> None:
    before = signal.getsignal(signal.SIGTERM)
    done = []
    with pytest.raises(Interruption, match="SIGTERM"), uninterrupted():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.05)
        done.append("held")
        with interruptible():
            done.append("never")
    assert done == ["held"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_space_is_noted_as_the_same_text_whatever_its_order() -> None:
    one, other = (
        parse_space({"a": "range(0,9)", "b": "interval(0,1)"}, []),
        parse_space({"b": "interval(0,1)", "a": "range(0,9)"}, []),
    )
    assert one.described() == other.described()
