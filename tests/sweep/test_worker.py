"""What a process tells the study of the trials that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.pruners import MedianPruner
from optuna.samplers import RandomSampler

from brainage.sweep.feasible import PossibleSpace
from brainage.sweep.sampler import PossibleSampler
from brainage.sweep.space import Point, parse_space
from brainage.sweep.storage import REASON, Plan, open_storage, open_study
from brainage.sweep.worker import Task, TooManyFailuresError, Worker
from brainage.training.pruning import current_report

SPACE = parse_space({"a": "range(0,9)"}, [])


def worked(tmp_path: Path, direction: str, losses: list[list[float]]) -> optuna.Study:
    """Let a worker take a trial for each list of losses, an epoch's each; the objective is their last, or its score."""
    study = open_study(
        open_storage(f"sqlite:///{tmp_path / 'study.db'}", SPACE.distributions),
        "name",
        Plan(SPACE.described(), [direction], {}),
    )
    possible = PossibleSpace(SPACE, lambda point: None)
    study.sampler = PossibleSampler(possible, lambda seed: RandomSampler(seed=seed), 0)
    study.pruner = MedianPruner(n_startup_trials=2, n_warmup_steps=0)

    def launch(number: int, point: Point) -> Mapping[str, Any]:
        report = current_report()
        assert report is not None
        for epoch, loss in enumerate(losses[number]):
            if report(epoch, loss):
                return {"status": "pruned", "epochs": epoch + 1}
        value = losses[number][-1] if direction == "minimize" else 1 - losses[number][-1] / 100
        return {"status": "finished", "epochs": len(losses[number]), "objective": {"value": value}}

    Worker(study, possible, Task(launch, ("objective",), len(losses), 5)).work()
    return study


@pytest.mark.parametrize(("direction", "sign"), [("minimize", 1), ("maximize", -1)])
def test_the_trial_with_the_high_loss_is_ended_whatever_the_direction(
    direction: str, sign: int, tmp_path: Path
) -> None:
    study = worked(tmp_path, direction, [[60.0, 50.0], [62.0, 52.0], [90.0, 10.0], [40.0, 30.0]])
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE", "PRUNED", "COMPLETE"]
    assert study.trials[2].intermediate_values == {0: sign * 90.0}
    assert study.trials[3].intermediate_values == {0: sign * 40.0, 1: sign * 30.0}
    assert study.best_trial.number == 3


def test_failures_are_told_with_their_reason_and_too_many_in_a_row_are_the_end(tmp_path: Path) -> None:
    study = open_study(
        open_storage(f"sqlite:///{tmp_path / 'study.db'}", SPACE.distributions),
        "name",
        Plan(SPACE.described(), ["minimize"], {}),
    )
    possible = PossibleSpace(SPACE, lambda point: None)
    study.sampler = PossibleSampler(possible, lambda seed: RandomSampler(seed=seed), 0)
    ends = iter(["failed", "finished", "failed", "failed"])

    def launch(number: int, point: Point) -> Mapping[str, Any]:
        return {"status": next(ends), "reason": f"reason {number}", "objective": {"value": 1.0}}

    with pytest.raises(TooManyFailuresError, match="max_consecutive_failures=2`: as many .* The last: reason 3"):
        Worker(study, possible, Task(launch, ("objective",), 9, 2)).work()
    assert [trial.state.name for trial in study.trials] == ["FAIL", "COMPLETE", "FAIL", "FAIL"]
    assert [trial.user_attrs.get(REASON) for trial in study.trials] == ["reason 0", None, "reason 2", "reason 3"]
