"""Recorded trainings, and searches that are replayed on them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from benchmarks.search import section, verdict
from benchmarks.search_oracles import FEASIBLE, Network, Pool, Surrogate, cost, networks
from benchmarks.search_record import N_A_PIECE, PARTS, collect, read_table
from benchmarks.search_replay import OVERHEAD, Replayed, Share, known_networks, replay, share, winner
from benchmarks.search_strategies import (
    EPOCH_SECONDS,
    STRATEGIES,
    Extrapolated,
    HalvingInSeconds,
    HyperbandInSeconds,
    optimistic,
)
from brainage.sweep.known import adapted


def write_sweep(folder: Path, part: str, n_trials: int) -> Path:
    """Write what a sweep leaves: networks whose error falls with the learning rate, and whose time follows the cost."""
    rows = []
    for number in range(n_trials):
        point = FEASIBLE.draw(np.random.default_rng([1, number]))
        run = folder / part / "trials" / str(number)
        run.mkdir(parents=True)
        seconds = (10 + cost(point) / 1e8) * (1.0 if part == "full" else 0.3)
        lowest = 16 + 4 * abs(math.log10(point["optimizer.lr"]) + 3)
        losses = [lowest + 8 / (epoch + 1) - 1.6 for epoch in range(5)]
        epochs = {"epoch": range(5), "val/loss": losses, "seconds": [seconds] * 5}
        pd.DataFrame(epochs).to_csv(run / "metrics.csv", index=False)
        (run / "summary.json").write_text(json.dumps({"model": {"parameters": 9}, "commit": "abc"}))
        rows.append({"number": number, "state": "COMPLETE", "value": lowest, **point})
    rows.append({**rows[-1], "number": n_trials, "state": "RUNNING"})
    pd.DataFrame(rows).to_csv(folder / part / "trials.csv", index=False)
    return folder / part


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    for part in PARTS:
        collect(write_sweep(folder, part, N_A_PIECE), 0, part, folder / "table.csv")
        collect(write_sweep(folder / "more", part, 2 if part == "full" else 3), 1, part, folder / "table.csv")
    return folder / "table.csv"


@pytest.fixture(scope="module")
def recorded(table: Path) -> list[Network]:
    return networks(read_table(table))


def test_a_table_has_each_complete_training_once(table: Path) -> None:
    rows = read_table(table)
    assert rows["piece"].value_counts().to_dict() == {0: 2 * N_A_PIECE, 1: 5}
    assert len(rows["val_mse"][0]) == len(rows["seconds"][0]) == 5
    assert set(rows["commit"]) == {"abc"} and set(rows["parameters"]) == {9}
    before = table.read_bytes()
    collect(table.parent / "full", 0, "full", table)
    assert table.read_bytes() == before


def test_only_whole_pieces_are_replayed(recorded: list[Network]) -> None:
    assert len(recorded) == N_A_PIECE
    assert recorded[3].point == FEASIBLE.draw(np.random.default_rng([1, 3]))
    assert recorded[3].third.seconds[0] == pytest.approx(0.3 * recorded[3].full.seconds[0], abs=1e-3)


def test_a_pool_trains_the_nearest_network_that_was_not_yet(recorded: list[Network]) -> None:
    points = [one.point for one in recorded]
    pool = Pool(recorded)
    assert pool.snapped(points[2], []) == points[2]
    assert pool.snapped(points[2], [points[2]]) in points[:2] + points[3:]
    assert pool.curve(points[2], "third") == recorded[2].third


def test_a_surrogate_gives_the_same_answer_each_time_and_learns(recorded: list[Network]) -> None:
    surrogate, other = Surrogate(recorded), Surrogate(recorded)
    point = FEASIBLE.draw(np.random.default_rng(99))
    assert surrogate.curve(point, "full") == other.curve(point, "full")
    assert surrogate.snapped(point, [point]) == point
    assert 0 < surrogate.error < 1


def test_a_replay_counts_training_and_overhead_and_ends_in_time(recorded: list[Network]) -> None:
    found = replay(STRATEGIES["today"], Pool(recorded), 0, seconds=1e9)
    assert found == replay(STRATEGIES["today"], Pool(recorded), 0, seconds=1e9)
    assert found[-1][1] == min(min(one.full.mse) for one in recorded)
    total = sum(sum(one.full.seconds) + OVERHEAD for one in recorded)
    assert found[-1][0] <= total
    cheapest = min(sum(one.full.seconds) for one in recorded)
    assert replay(STRATEGIES["today"], Pool(recorded), 0, seconds=OVERHEAD + cheapest / 2) == []


@pytest.mark.more
@pytest.mark.parametrize("name", STRATEGIES)
def test_each_strategy_finds_something(name: str, recorded: list[Network]) -> None:
    found = replay(STRATEGIES[name], Surrogate(recorded), 1, seconds=900)
    assert [value for _, value in found] == sorted((value for _, value in found), reverse=True)
    assert found and found[-1][0] <= 900


def study_of(*curves: Sequence[float]) -> optuna.Study:
    """Return a study with complete trials of these curves."""
    study = optuna.create_study()
    for curve in curves:
        study.add_trial(create_trial(value=min(curve), intermediate_values=dict(enumerate(curve))))
    return study


def running(*values: float, number: int = 99, seconds: float = 1.0) -> FrozenTrial:
    trial = create_trial(
        state=TrialState.RUNNING,
        intermediate_values=dict(enumerate(values)),
        user_attrs={EPOCH_SECONDS: seconds},
    )
    trial.number = number
    return trial


def test_a_line_is_extrapolated_with_its_residuals() -> None:
    """The line is 0.75 + 0.46 * (x - 1.5); its residuals are 0.04, -0.12, 0.12 and -0.04."""
    now, lowest = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.1, 0.4, 1.1, 1.4])
    assert optimistic(now, lowest, 5.0, 0.0) == pytest.approx(2.36 - 0.12)
    assert optimistic(now, lowest, 5.0, 1.0) == pytest.approx(2.36 + 0.12)
    assert optimistic(now, lowest, -2.0, 1.0) == -2.0  # the lowest value of a curve is not above that so far
    assert optimistic(np.ones(3), lowest[:3], 1.0, 0.5) == pytest.approx(0.4)  # there is no slope


def test_a_trial_ends_where_its_lowest_value_is_not_expected_below_the_best() -> None:
    """In these trials the lowest value is half of that after the second epoch."""
    curves = [[40.0, 30.0 + n, 15.0 + n / 2] for n in range(5)]
    pruner, study = Extrapolated(), study_of(*curves)
    assert pruner.prune(study, running(40.0, 31.0))
    assert not pruner.prune(study, running(40.0, 29.0))
    assert not pruner.prune(study, running(31.0))  # too early
    assert not pruner.prune(study, running(40.0, 31.0, 30.0))  # no curve is longer
    assert not pruner.prune(study_of(*curves[:4]), running(40.0, 31.0))


def test_halving_counts_seconds() -> None:
    study, pruner = study_of(), HalvingInSeconds(first=4.0)
    assert not pruner.prune(study, running(9.0, number=8, seconds=2.0))
    values = [5.0, 6.0, 4.0, 4.5]  # the first is the best of those that came, and so is the third
    ended = [pruner.prune(study, running(9.0, v, number=n, seconds=2.0)) for n, v in enumerate(values)]
    assert ended == [False, True, False, True]


def test_brackets_begin_at_different_times_and_have_their_shares() -> None:
    """Of three brackets, from 1, 3 and 9 seconds on, the shares are 3, 1.5 and 1: each trial is worse than the last."""
    pruner, study = HyperbandInSeconds(first=1.0), study_of()
    for seconds, shares in ((1.0, 3.0), (3.0, 4.5), (9.0, 5.5)):
        ended = [pruner.prune(study, running(float(n), number=n, seconds=seconds)) for n in range(600)]
        assert np.mean(ended) == pytest.approx(shares / 5.5, abs=0.01)


def test_unreached_targets_are_longer_than_any() -> None:
    curves = [[(9.0, 5.0), (90.0, 3.0)], [(30.0, 3.0)], [(10.0, 4.0)], [(60.0, 2.0)], []]
    found = share(curves, 3.0, seconds=100.0)
    assert (found.median, found.reached) == (0.9, 0.6)
    assert found.low == 0.3 and found.high == math.inf
    assert str(found) == "0.90 (0.30 to not reached), 60%"


def test_the_known_networks_are_of_the_space() -> None:
    points = [adapted(values, FEASIBLE) for values in known_networks()]
    assert [point and point["model.kernel_size"] for point in points] == [4, 6, 9]


def replays(**medians: float) -> Replayed:
    shares = {name: Share(median, median - 0.1, median + 0.1, 1.0) for name, median in medians.items()}
    return Replayed(shares, {}, 0.0)


def test_a_strategy_wins_only_where_both_agree() -> None:
    pool = replays(published=1.0, today=0.8, fast=0.2, faster=0.1)
    assert winner(pool, replays(published=1.0, today=0.9, fast=0.3, faster=0.9)) == "fast"
    assert winner(pool, replays(published=1.0, today=0.3, fast=0.3, faster=0.3)) is None
    assert verdict(200, "fast", [pool, pool]).endswith("is met.")
    assert verdict(200, "today", [pool]).endswith("is not met.")
    assert (
        verdict(199, "fast", [pool]) == "Not measured enough: 199 of 200 networks are recorded, so the default stays."
    )


def test_strategies_are_not_replayed_on_few_networks(table: Path) -> None:
    *_, last = section(table, 2)
    assert last == "Not measured enough: 10 of 200 networks are recorded, so the default stays."


@pytest.mark.slow
def test_the_section_has_each_strategy(table: Path) -> None:
    lines = list(section(table, 2, fewest=10))
    assert sum(line.startswith("| today | ") for line in lines) == 2
    assert sum(line.startswith("Not measured enough: 10 of 200") for line in lines) == 1
