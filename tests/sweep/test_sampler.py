"""The sampler proposes feasible points only, learns, and continues after a restart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.samplers import RandomSampler
from optuna.trial import create_trial

from brainage.errors import SweepError
from brainage.models import geometry
from brainage.sweep.feasible import FeasibleSpace
from brainage.sweep.sampler import FeasibleSampler
from tests.sweep.test_feasible import checked, is_feasible, published
from tests.sweep.test_recovery import SPACE


def search(n_trials: int, seed: int = 3, study: optuna.Study | None = None, **others: Any) -> optuna.Study:
    feasible = FeasibleSpace(published(), checked(**others))
    study = study or optuna.create_study()
    study.sampler = FeasibleSampler(feasible, lambda seed: optuna.samplers.TPESampler(seed=seed), seed)
    for _ in range(n_trials):
        trial = study.ask(feasible.space.distributions)
        point = trial.params
        assert is_feasible(point, **others)
        distance = (point["model.kernel_size"] - 6) ** 2 + abs(np.log10(point["optimizer.lr"]) + 3)
        study.tell(trial, distance + point["model.depth"])
    return study


@pytest.mark.parametrize("others", [{}, {"dilation": 3}, {"max_parameters": 20_000}], ids=str)
def test_the_sampler_learns_and_never_proposes_infeasible_points(others: dict[str, int]) -> None:
    study = search(60, **others)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 60
    late = np.median([trial.value for trial in study.trials[-20:]])
    assert late < np.median([trial.value for trial in study.trials[:10]])


@pytest.mark.more
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_groups_of_parameters_are_proposed_too() -> None:
    feasible, study = FeasibleSpace(published(), checked()), optuna.create_study()

    def make(seed: int) -> optuna.samplers.BaseSampler:
        return optuna.samplers.TPESampler(n_startup_trials=4, multivariate=True, group=True, seed=seed)

    study.sampler = FeasibleSampler(feasible, make, 3)
    for _ in range(8):
        trial = study.ask(feasible.space.distributions)
        assert is_feasible(trial.params)
        study.tell(trial, trial.params["model.depth"])


def test_a_restarted_search_proposes_the_same_points_as_an_uninterrupted_one() -> None:
    whole = search(24)
    parts = search(12)
    search(12, study=parts)
    assert [trial.params for trial in parts.trials] == [trial.params for trial in whole.trials]
    assert len({str(trial.params) for trial in parts.trials}) == 24
    assert [trial.params for trial in search(5, seed=4).trials] != [trial.params for trial in whole.trials[:5]]


def test_the_first_points_are_random_draws_in_order_of_cost() -> None:
    """As a set they are random draws of the feasible space; only their order is determined."""
    feasible = FeasibleSpace(published(), checked())

    def cost(point: Mapping[str, Any]) -> float:
        model = {"name": "variable1dcnn", "in_channels": 21}
        given = {key.removeprefix("model."): value for key, value in point.items() if key.startswith("model.")}
        return geometry.multiplications("variable1dcnn", {**model, **given})

    sampler = FeasibleSampler(feasible, lambda seed: optuna.samplers.TPESampler(seed=seed), 8, n_first=6, cost=cost)
    study = optuna.create_study(sampler=sampler)
    study.enqueue_trial(feasible.draw(np.random.default_rng(99)))  # retries do not count
    for _ in range(7):
        study.ask(feasible.space.distributions)
    proposed = [trial.params for trial in study.trials[1:]]
    drawn = [feasible.draw(np.random.default_rng([8, number])) for number in range(6)]
    assert sorted(map(str, proposed)) == sorted(str(dict(sorted(point.items()))) for point in drawn)
    assert [cost(point) for point in proposed] == sorted(cost(point) for point in drawn)


def test_a_proposal_under_hyperband_uses_the_trials_of_all_brackets() -> None:
    seen = []

    class Looking(RandomSampler):
        def sample_relative(self, study, trial, search_space):  # type: ignore[no-untyped-def]
            seen.append(len(study.get_trials(deepcopy=False)))
            return {}

    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(storage=storage, study_name="name", pruner=optuna.pruners.HyperbandPruner(1, 9))
    study.sampler = FeasibleSampler(
        FeasibleSpace(SPACE, lambda point: None),
        lambda seed: Looking(),
        3,
        all_trials=lambda: optuna.load_study(study_name="name", storage=storage),
    )
    for _ in range(4):
        study.add_trial(create_trial(value=1.0, params={"a": 1, "b": 0.5}, distributions=SPACE.distributions))
    study.ask().suggest_int("a", 0, 8)
    assert seen == [5]


@pytest.mark.parametrize("change", [{"model.depth": 100}, {"model.depth": None}, {"optimizer._target_": "torch.load"}])
def test_a_stored_point_outside_the_space_is_not_repeated(change: dict[str, Any]) -> None:
    feasible = FeasibleSpace(published(), checked())
    study = optuna.create_study(sampler=FeasibleSampler(feasible, lambda seed: RandomSampler(seed=seed), 3))
    point = {**feasible.draw(np.random.default_rng(1)), **change}
    study.enqueue_trial({key: value for key, value in point.items() if value is not None})
    with pytest.raises(SweepError, match=f"Trial 0 .*`{next(iter(change))}={next(iter(change.values()))}`"):
        study.sampler.sample_relative(study, study.trials[0], feasible.space.distributions)


def test_points_that_would_not_end_in_time_are_drawn_only_if_there_is_nothing_else() -> None:
    feasible, space = FeasibleSpace(SPACE, lambda point: None), SPACE.distributions
    for fits, allowed in (({0, 1}, {0, 1}), (set(), set(range(9)))):
        sampler = FeasibleSampler(
            feasible,
            lambda seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=3),
            3,
            fits=lambda study, point, fits=fits: point["a"] in fits,  # type: ignore[misc]
        )
        study = optuna.create_study(sampler=sampler)
        for _ in range(8):
            study.tell(study.ask(space), 1.0)
        assert {trial.params["a"] for trial in study.trials} <= allowed
