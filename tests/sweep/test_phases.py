"""Time by phase, and the improvement that more time is expected to bring."""

from __future__ import annotations

import itertools
import statistics

import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from brainage.sweep.confirm import Confirmed
from brainage.sweep.phases import expected_improvement, outlook, phases, pruning_text
from brainage.sweep.settings import SweepSettings

SETTINGS = SweepSettings(9, "minimize", "name", None, {"_target_": "a.TPESampler", "n_startup_trials": 3}, None)
DONE, PRUNED, FAILED = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL


def ended(state: TrialState, seconds: float, epochs: int = 20, value: float = 1.0, **system: object) -> FrozenTrial:
    return create_trial(
        state=state,
        value=value if state == DONE else None,
        params={"a": 1},
        distributions={"a": IntDistribution(0, 9)},
        user_attrs={"seconds": seconds, "epochs": epochs},
        system_attrs=system,
    )


def study_of(*trials: FrozenTrial) -> optuna.Study:
    study = optuna.create_study()
    study.add_trials(trials)
    return study


def test_each_phase_has_its_trials_and_time_and_a_retry_is_of_the_phase_of_its_trial() -> None:
    study = study_of(
        ended(DONE, 1.0), ended(FAILED, 2.0), ended(PRUNED, 4.0), ended(DONE, 8.0, failed_trial=1), ended(DONE, 16.0)
    )
    study.set_user_attr("start_from", {"names": ["defaults"], "points": [{"a": 1}]})
    confirmed = [Confirmed(study.trials[0], (1, 2), (1.0, 2.0), 32.0)]
    found = phases(study, SETTINGS, confirmed)
    assert [(phase.name, len(phase.trials), phase.seconds) for phase in found] == [
        ("known networks", 1, 1.0),
        ("random networks", 3, 14.0),
        ("proposals of TPESampler", 1, 16.0),
        ("confirmation", 0, 32.0),
    ]
    assert [phase.name for phase in phases(study_of(ended(DONE, 1.0)), SETTINGS, [])] == ["random networks"]


def test_the_pruner_is_said_to_save_what_the_other_epochs_would_have_taken() -> None:
    trials = study_of(ended(DONE, 9.0), ended(PRUNED, 3.0, 5), ended(PRUNED, 4.0, 10)).trials
    assert pruning_text(trials) == (
        "The pruner ended 2 of 3 trials, after 7.5 epochs (median), and kept 1; to train the others to 20 epochs would "
        "have taken about 13 s more."
    )
    assert pruning_text(trials[:1]) == "The pruner ended no trial."


@pytest.mark.parametrize("values", [[4.0, 1.0, 2.0, 3.0], [5.0, 1.0, 1.5, 9.0, 2.0], [3.0] * 6])
def test_a_doubling_brings_what_the_last_one_brought(values: list[float]) -> None:
    lowest = [min(half) for half in itertools.combinations(values, len(values) // 2)]
    doubling = statistics.fmean(lowest) - min(values)
    assert expected_improvement(values, len(values)) == pytest.approx(doubling)
    assert expected_improvement(values, 3 * len(values)) == pytest.approx(2 * doubling)
    assert expected_improvement(values, 0) == 0


def test_the_outlook_is_in_years_for_an_mse_and_silent_for_few_trials() -> None:
    study = study_of(*(ended(DONE, 360.0, value=16.0 + number) for number in range(10)))
    text = outlook(study, maximize=False, squared=True)
    more = expected_improvement([16.0 + number for number in range(10)], 10)
    assert text is not None
    assert f"by {more:.3g} ({4 - (16 - more) ** 0.5:.2f} years of RMSE); the last doubling" in text
    assert "RMSE" not in str(outlook(study, maximize=True, squared=False))
    assert outlook(study_of(ended(DONE, 1.0)), maximize=False, squared=True) is None
