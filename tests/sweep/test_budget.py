"""The time that a trial is expected to take, and whether it fits in what is left."""

from __future__ import annotations

import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.trial import TrialState, create_trial

from brainage.sweep.budget import TimeBudget, expected_seconds
from brainage.sweep.space import Point


def cost(point: Point) -> float:
    return 1e6 * float(point["a"])


def study_of(*trials: tuple[int, int, float, TrialState]) -> optuna.Study:
    study = optuna.create_study()
    for a, epochs, seconds, state in trials:
        study.add_trial(
            create_trial(
                state=state,
                value=1.0 if state == TrialState.COMPLETE else None,
                params={"a": a},
                distributions={"a": IntDistribution(0, 100)},
                user_attrs={"epochs": epochs, "seconds": seconds},
            )
        )
    return study


DONE, PRUNED = TrialState.COMPLETE, TrialState.PRUNED


@pytest.mark.parametrize(
    ("trials", "a", "seconds"),
    [
        ([], 5, None),
        ([(1, 3, 6.0, PRUNED)], 5, None),  # no complete trial says how many epochs
        ([(1, 10, 20.0, DONE)], 1, 20.0),
        # An epoch takes 1 s + 2 s a unit of cost; complete trials have 10 epochs.
        ([(1, 10, 30.0, DONE), (4, 5, 45.0, PRUNED), (2, 10, 50.0, DONE)], 7, 150.0),
        ([(4, 10, 30.0, DONE), (4, 10, 30.0, DONE)], 4, 30.0),
        ([(0, 1, 2.0, DONE), (0, 1, 4.0, DONE)], 0, 2.4),  # errors are relative: (1/2 + 1/4) / (1/4 + 1/16)
    ],
)
def test_time_follows_the_cost(trials: list[tuple[int, int, float, TrialState]], a: int, seconds: float | None) -> None:
    found = expected_seconds(study_of(*trials).trials, cost, {"a": a})
    assert found == (None if seconds is None else pytest.approx(seconds))


def test_a_trial_fits_if_time_is_left_for_it_and_for_what_follows_the_search() -> None:
    study = study_of((1, 10, 30.0, DONE), (4, 10, 90.0, DONE))
    for seconds, n_reserved, fitting in ((None, 9, [1, 4, 9]), (100, 0, [1, 4]), (100, 1, [1]), (20, 0, [])):
        budget = TimeBudget(seconds, cost, n_reserved)
        assert [a for a in (1, 4, 9) if budget.fits(study, {"a": a})] == fitting
    assert TimeBudget(1, cost).fits(study_of(), {"a": 9})  # nothing is known before the first trial
    assert not TimeBudget(-1, cost).fits(study_of(), {"a": 9})
