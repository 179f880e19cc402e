"""Values of ``hydra.sweeper`` that are refused."""

from __future__ import annotations

from typing import Any

import pytest

from brainage.errors import SweepError
from brainage.sweep.settings import SweepSettings, seconds_of


def options(direction: Any = "minimize", **given: Any) -> SweepSettings:
    return SweepSettings(
        **{"n_trials": 1, "study_name": "name", "storage": None, "sampler": {}, "pruner": None, **given},
        direction=direction,
    )


@pytest.mark.parametrize(
    ("objective", "objectives", "direction", "message"),
    [
        (
            "val/r2",
            ("objective",),
            "minimize",
            r"maximize for `objective=val/r2`, but got minimize.*direction=maximize\.",
        ),
        ("val/mse", ("objective",), ["maximize"], r"minimize for `objective=val/mse`, but got maximize.*=minimize\."),
        (
            "val/pearson_r",
            ("objective", "parameters"),
            ["minimize", "minimize"],
            r"maximize for `objective=val/pearson_r`, but got minimize.*direction=\[maximize,minimize\]\.",
        ),
        (
            "val/mse",
            ("objective", "parameters"),
            ["minimize", "maximize"],
            r"minimize for the number of parameters, but got maximize.*direction=\[minimize,minimize\]\.",
        ),
    ],
)
def test_a_search_for_the_worst_is_refused(objective: str, objectives: Any, direction: Any, message: str) -> None:
    made = options(direction, objectives=objectives)
    with pytest.raises(SweepError, match=f"`hydra.sweeper.direction` must be {message}"):
        made.refuse_wrong_direction(objective)


@pytest.mark.parametrize(
    ("objective", "objectives", "direction"),
    [
        ("val/mse", ("objective",), "minimize"),
        ("val/mae", ("objective",), ["minimize"]),
        ("val/r2", ("objective",), "maximize"),
        ("val/r2", ("parameters", "objective"), ["minimize", "maximize"]),
        ("val/r2", ("parameters",), "minimize"),
    ],
)
def test_a_search_for_the_best_is_not(objective: str, objectives: Any, direction: Any) -> None:
    given = options(direction, objectives=objectives)
    given.refuse_wrong_direction(objective)
    assert given.objectives == objectives  # as it was asked for


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"direction": None}, r"`hydra.sweeper.direction` must be minimize or maximize, but got None\."),
        ({"direction": "up"}, r"`hydra.sweeper.direction` must be minimize or maximize, but got 'up'\."),
        (
            {"direction": ["minimize"] * 2, "objectives": ("objective",) * 2},
            r"`hydra.sweeper.objectives` must be .*each once, but got 'objective', 'objective'",
        ),
        ({"objectives": ("speed",)}, r"`hydra.sweeper.objectives` must be of objective, parameters, .*got 'speed'"),
        ({"objectives": ()}, r"`hydra.sweeper.objectives` must be .*but got none"),
        ({"direction": ["minimize"] * 2}, r"must name one direction an objective \(objective\), but got 2\."),
        ({"n_workers": True}, r"`hydra.sweeper.n_workers` must be a whole number from 1, but got True\."),
        ({"max_consecutive_failures": 0}, r"`hydra.sweeper.max_consecutive_failures` must be a whole number from 1, b"),
        ({"timeout": "2 weeks"}, r"`hydra.sweeper.timeout` must be a duration such as 2h, .*, but got '2 weeks'\."),
        ({"timeout": 0}, r"`hydra.sweeper.timeout` must be .* a number of seconds above 0, but got 0\."),
        ({"confirm": -1}, r"`hydra.sweeper.confirm` must be a whole number from 0, but got -1\."),
        (
            {"confirm": 3, "objectives": ("objective", "parameters"), "direction": ["minimize"] * 2},
            r"`hydra.sweeper.confirm` is for one objective, but got 3 with 2: a front has no best trial\.",
        ),
        ({"study_name": "../up"}, r"`hydra.sweeper.study_name` must be made of letters.*, but got '../up'\."),
    ],
)
def test_a_value_that_breaks_a_rule_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SweepError, match=message):
        options(**given)


@pytest.mark.parametrize(
    ("timeout", "seconds"), [(None, None), ("2h", 7200), ("1h30m", 5400), ("1d1s", 86401), (90, 90), (0.5, 0.5)]
)
def test_a_timeout_is_a_duration(timeout: Any, seconds: float | None) -> None:
    assert seconds_of(timeout) == seconds
