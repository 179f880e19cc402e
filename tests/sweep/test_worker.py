"""A worker runs trials and records their results in the study."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from optuna.pruners import MedianPruner
from optuna.samplers import RandomSampler
from optuna.study import Study

from brainage.sweep.feasible import FeasibleSpace
from brainage.sweep.recovery import REASON, saved_point, trial_id
from brainage.sweep.sampler import FeasibleSampler
from brainage.sweep.settings import SweepSettings
from brainage.sweep.space import Point, parse_space
from brainage.sweep.storage import StudyTerms, open_storage, open_study
from brainage.sweep.storage_errors import StorageLost, is_of_storage
from brainage.sweep.worker import TooManyFailuresError, Worker
from brainage.system.signals import Interruption
from brainage.training.pruning import should_prune

SPACE = parse_space({"a": "range(0,9)"}, [])

Launch = Callable[[int, Point], Mapping[str, Any]]
Start = Callable[..., tuple[Study, Worker]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Return a study and a worker of it, which calls a function instead of training."""

    def begun(
        launch: Launch, n_trials: int, direction: str = "minimize", failures: int = 5, **others: Any
    ) -> tuple[Study, Worker]:
        storage = open_storage(f"sqlite:///{tmp_path / 'study.db'}")
        study = open_study(storage, "name", StudyTerms(SPACE.described(), [direction], {}))
        feasible = FeasibleSpace(SPACE, lambda point: None)
        study.sampler = FeasibleSampler(feasible, lambda seed: RandomSampler(seed=seed), 0)
        study.pruner = MedianPruner(n_startup_trials=2, n_warmup_steps=0)
        settings = SweepSettings(n_trials, direction, "name", None, {}, None, max_consecutive_failures=failures)
        return study, Worker(study, storage, SPACE, settings, launch, **others)

    return begun


@pytest.mark.parametrize(("direction", "sign"), [("minimize", 1), ("maximize", -1)])
def test_the_trial_with_the_high_loss_is_pruned_in_both_directions(direction: str, sign: int, start: Start) -> None:
    losses = [[60.0, 50.0], [62.0, 52.0], [90.0, 10.0], [40.0, 30.0]]

    def launch(number: int, point: Point) -> Mapping[str, Any]:
        for epoch, loss in enumerate(losses[number]):
            if should_prune(epoch, loss):
                return {"status": "pruned", "epochs": epoch + 1}
        value = losses[number][-1] if direction == "minimize" else 1 - losses[number][-1] / 100
        return {"status": "finished", "epochs": len(losses[number]), "objective": {"value": value}}

    study, worker = start(launch, 4, direction)
    worker.work()
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE", "PRUNED", "COMPLETE"]
    assert study.trials[2].intermediate_values == {0: sign * 90.0}
    assert study.trials[3].intermediate_values == {0: sign * 40.0, 1: sign * 30.0}
    assert study.best_trial.number == 3


def test_failures_keep_their_reason_and_too_many_in_a_row_stop_the_worker(start: Start) -> None:
    ends = iter(["failed", "finished", "failed", "failed"])

    def launch(number: int, point: Point) -> Mapping[str, Any]:
        return {"status": next(ends), "reason": f"reason {number}", "objective": {"value": 1.0}}

    study, worker = start(launch, 9, failures=2)
    with pytest.raises(TooManyFailuresError, match="max_consecutive_failures=2`.* The last: reason 3"):
        worker.work()
    assert [trial.state.name for trial in study.trials] == ["FAIL", "COMPLETE", "FAIL", "FAIL"]
    assert [trial.user_attrs.get(REASON) for trial in study.trials] == ["reason 0", None, "reason 2", "reason 3"]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_trial_interrupted_by_a_signal_is_failed_and_re_enqueued(signum: signal.Signals, start: Start) -> None:
    signals = iter([signum])

    def launch(number: int, point: Point) -> Mapping[str, Any]:
        for signum in signals:
            raise Interruption(signum)
        return {"status": "finished", "objective": {"value": 1.0}}

    study, worker = start(launch, 1)
    with pytest.raises(Interruption, match=signum.name):
        worker.work()
    assert [trial.state.name for trial in study.trials] == ["FAIL", "WAITING"]
    worker.work()
    worker.settle()
    assert [trial.state.name for trial in study.trials] == ["FAIL", "COMPLETE"]
    assert study.trials[0].params == study.trials[1].params


@pytest.mark.parametrize("ends", ["with an epoch", "with a summary"])
def test_a_storage_that_is_lost_during_a_trial_ends_the_worker_without_a_traceback(
    ends: str, start: Start, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def launch(number: int, point: Point) -> Mapping[str, Any]:
        (tmp_path / "study.db").write_bytes(b"nonsense" * 10_000)
        if ends == "with an epoch":
            should_prune(0, 1.0)
        return {"status": "finished", "objective": {"value": 1.0}}

    _, worker = start(launch, 1)
    with pytest.raises(StorageLost, match="the study's storage did not answer") as raised:
        worker.work()
    assert is_of_storage(raised.value.error)
    assert "Traceback" not in capfd.readouterr().err


def test_heartbeats_go_on_after_a_time_without_the_storage(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "study.db"

    def launch(number: int, point: Point) -> Mapping[str, Any]:
        storage, whole = worker._storage, path.read_bytes()
        key = trial_id(study, storage, number)
        path.write_bytes(b"nonsense" * 10_000)
        storage.engine.dispose()
        storage.record_heartbeat(key)
        path.write_bytes(whole)
        storage.record_heartbeat(key)
        return {"status": "finished", "objective": {"value": 1.0}}

    study, worker = start(launch, 1)
    worker.work()
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"]


def test_a_trial_that_is_not_expected_to_end_in_time_is_left_to_the_next_command(start: Start) -> None:
    def launch(number: int, point: Point) -> Mapping[str, Any]:
        return {"status": "finished", "objective": {"value": 1.0}}

    study, worker = start(launch, 9, fits=lambda study, point: len(study.trials) < 3)
    worker.work()
    worker.settle()
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE", "FAIL", "WAITING"]
    assert study.trials[2].user_attrs[REASON] == "not begun: not expected to end within hydra.sweeper.timeout"
    assert saved_point(study.trials[3]) == study.trials[2].params
    _, other = start(launch, 3)
    other.work()
    assert [trial.state.name for trial in study.trials[2:]] == ["FAIL", "COMPLETE"]
