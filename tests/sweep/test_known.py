"""Known networks that a sweep begins with, changed to fit its space."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from brainage.errors import SweepError
from brainage.models import geometry
from brainage.sweep.feasible import FeasibleSpace
from brainage.sweep.known import adapted, names_of, starting_points
from brainage.sweep.sampler import FeasibleSampler
from brainage.sweep.space import parse_space
from tests.conftest import run_command
from tests.sweep.test_feasible import checked, is_feasible, published

WINNER = {
    "model.name": "variable1dcnn",
    "model.kernel_size": 6,
    "model.depth": 1,
    "model.start_out": 64,
    "model.stride": 4,
    "model.double_conv": True,
    "model.batch_norm": True,
    "model.conv_dropout": 0.0,
    "model.final_dropout": 0.0,
    "optimizer.lr": 1e-3,
    "optimizer.weight_decay": 0.1,
}


@pytest.mark.parametrize(
    ("given", "names"),
    [(None, []), ("defaults", ["defaults"]), ("published, ica25_good", ["published", "ica25_good"]), (["a"], ["a"])],
)
def test_names_are_a_text_with_commas_or_a_list(given: Any, names: list[str]) -> None:
    assert names_of(given) == names


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(
        SweepError, match=r"`hydra.sweeper.start_from` must be defaults, published or .*got 'defaults,'"
    ):
        names_of("defaults,")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, {}),
        ({"model.conv_dropout": 0.23}, {"model.conv_dropout": 0.2}),
        ({"model.kernel_size": 40, "optimizer.lr": 0.5}, {"model.kernel_size": 15, "optimizer.lr": 1e-2}),
        ({"model.start_out": 256}, {"model.start_out": 128}),
    ],
)
def test_values_outside_the_space_become_the_closest_of_it(change: dict[str, Any], found: dict[str, Any]) -> None:
    feasible = FeasibleSpace(published(), checked())
    assert adapted({**WINNER, **change}, feasible) == {
        key: {**WINNER, **found}[key] for key in published().distributions
    }


@pytest.mark.parametrize("value", [None, "wide"])
def test_a_network_without_a_value_of_the_space_is_left_out(value: object, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "brainage")
    assert adapted({**WINNER, "model.stride": value}, FeasibleSpace(published(), checked())) is None
    assert "without a value for model.stride" in caplog.text


@pytest.mark.parametrize("others", [{"n_times": 60}, {"max_parameters": 20_000}], ids=str)
def test_an_infeasible_network_becomes_the_closest_feasible_one(others: dict[str, int]) -> None:
    """The best of 490 time points may not fit into shorter series, nor that of few channels into a limit of size."""
    deep = {**WINNER, "model.depth": 4, "model.kernel_size": 4, "model.stride": 2, "model.double_conv": False}
    feasible = FeasibleSpace(published(), checked(**others), geometry.depends_on)
    point = adapted(deep, feasible)
    assert point is not None
    assert is_feasible(point, **others)
    assert feasible.why_not({key: deep[key] for key in point}) is not None
    changed = {key for key, value in point.items() if value != deep[key]}
    assert changed <= {"model.depth", "model.kernel_size", "model.start_out", "model.stride"}
    assert (point["optimizer.lr"], point["model.batch_norm"]) == (1e-3, True)


SPACE = parse_space({"a": "range(0,9)", "b": "interval(0.0,1.0)"}, [])


def values(name: str) -> Iterator[Mapping[str, Any]]:
    yield from {"one": [{"a": 3, "b": 0.5}], "two": [{"a": 4, "b": 0.1}, {"a": 3, "b": 0.5}], "none": [{}]}[name]


def begin(study: optuna.Study, names: Sequence[str]) -> list[dict[str, Any]]:
    feasible = FeasibleSpace(SPACE, lambda point: None)
    return starting_points(study, names, values, lambda found: adapted(found, feasible))


def test_a_study_keeps_what_it_began_with(caplog: pytest.LogCaptureFixture) -> None:
    study = optuna.create_study()
    assert begin(study, ["one", "two", "none"]) == [{"a": 3, "b": 0.5}, {"a": 4, "b": 0.1}]
    assert "`hydra.sweeper.start_from=none` has no network that can be built here." in caplog.text
    study.tell(study.ask(), 1.0)
    assert begin(study, ["one", "two", "none"]) == [{"a": 3, "b": 0.5}, {"a": 4, "b": 0.1}]
    with pytest.raises(SweepError, match=r"what the study began with \(one, two, none\), but got one\. Restore it"):
        begin(study, ["one"])


def test_known_points_are_the_first_ones_and_random_ones_follow() -> None:
    feasible, points = FeasibleSpace(SPACE, lambda point: None), [{"a": 8, "b": 0.9}, {"a": 0, "b": 0.1}]
    sampler = FeasibleSampler(feasible, lambda seed: optuna.samplers.TPESampler(seed=seed), 3, known=points, n_first=3)
    study = optuna.create_study(sampler=sampler)
    proposed = [study.ask(SPACE.distributions).params for _ in range(3)]
    assert proposed == [*points, feasible.draw(np.random.default_rng([3, 0]))]


@pytest.mark.more
def test_a_sweep_begins_with_the_published_networks_and_the_best_of_an_earlier_one(tmp_path: Path) -> None:
    fast = ("cohort.n_participants=40", "trainer=cpu", "trainer.max_epochs=1", "hydra.sweeper.n_trials=2")
    sweep = ("train.py", "--multirun", "sweep=variable1dcnn", *fast)
    first = run_command(tmp_path, *sweep, "hydra.sweeper.start_from=published,defaults", "hydra.sweeper.n_trials=1")
    assert first.code == 0, first.text
    # That of 25 components; its learning rate is that of other recipes than the published one.
    assert "Trial 0: model.batch_norm=true" in first.out
    assert "model.kernel_size=6 model.start_out=64 model.stride=4 optimizer.lr=0.001 " in first.out
    other = ("modality=ica100", "hydra.sweeper.start_from=variable1dcnn-ica25")
    second = run_command(tmp_path, *sweep, *other, "hydra.sweeper.n_trials=1")
    assert second.code == 0, second.text
    assert "model.kernel_size=6 model.start_out=64 model.stride=4 optimizer.lr=0.001 " in second.out
    unknown = run_command(tmp_path, *sweep, "modality=ica100", "hydra.sweeper.start_from=variable1dcnn-ica52")
    assert unknown.code == 2
    assert "Did you mean variable1dcnn-ica25" in unknown.err or "variable1dcnn-ica25" in unknown.err
