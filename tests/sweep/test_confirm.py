"""The best trials of a sweep are trained again, and how much of a lead is chance."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from optuna.trial import FrozenTrial, create_trial

from brainage.sweep.confirm import Confirmed, best_confirmed, chance, confirm
from brainage.sweep.confirmation_text import confirmation_sentences, confirmed_cells
from tests.conftest import run_command


def tried(number: int, value: float) -> FrozenTrial:
    made = create_trial(value=value)
    made.number = number
    return made


def confirmed(number: int, search: float, *values: float) -> Confirmed:
    return Confirmed(tried(number, search), tuple(range(len(values))), values)


def test_each_of_the_best_is_trained_with_each_seed_and_one_that_fails_has_no_mean() -> None:
    values = {(7, 5): 2.0, (7, 6): 4.0, (3, 5): 1.0}

    def train(trial: FrozenTrial, seed: int) -> dict[str, object]:
        value = values.get((trial.number, seed))
        return {"status": "finished" if value else "failed", "objective": {"value": value} if value else None}

    found = confirm([tried(7, 1.5), tried(3, 1.6)], [5, 6], train)
    assert [(one.trial.number, one.seeds) for one in found] == [(7, (5, 6)), (3, (5, 6))]
    assert found[0].mean == 3.0
    assert math.isnan(found[1].mean)
    assert best_confirmed(found, maximize=False) is found[0]
    assert best_confirmed(found[1:], maximize=False) is None


@pytest.mark.parametrize(("maximize", "number"), [(False, 2), (True, 5)])
def test_the_best_mean_over_new_seeds_is_best(maximize: bool, number: int) -> None:
    found = best_confirmed([confirmed(5, 1.0, 3.0, 5.0), confirmed(2, 1.1, 2.0, 2.0)], maximize=maximize)
    assert found is not None
    assert found.trial.number == number


def test_the_optimism_of_the_best_of_two_equal_trials_is_that_of_a_minimum() -> None:
    """The mean of the smaller of two draws of a normal distribution is SD / sqrt(pi) below its mean."""
    found = chance([5.0, 5.0], [confirmed(1, 5.0, 4.0, 5.0, 6.0)], maximize=False)
    assert found is not None
    assert found.seed_sd == pytest.approx(1.0)
    assert found.optimism == pytest.approx(1 / math.sqrt(math.pi), abs=0.05)
    assert (found.lead, found.lasting) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("values", "maximize", "lead", "kept"),
    [
        ([1.0, 9.0, 12.0], False, 8.0, (0.99, 1.0)),  # far beyond the differences between seeds
        ([9.0, 9.1, 9.2, math.nan], False, 0.1, (0.0, 0.3)),
        ([0.1, 0.2, 9.0], True, 8.8, (0.99, 1.0)),
    ],
)
def test_a_lead_lasts_if_it_is_larger_than_the_differences_between_seeds(
    values: Sequence[float], maximize: bool, lead: float, kept: tuple[float, float]
) -> None:
    found = chance(values, [confirmed(1, 1.0, 9.5, 10.0, 10.5)], maximize=maximize)
    assert found is not None
    assert found.lead == pytest.approx(lead)
    assert kept[0] <= found.lasting / lead <= kept[1]


def test_nothing_is_said_of_chance_without_new_trainings_or_other_trials() -> None:
    assert chance([1.0, 2.0], [confirmed(1, 1.0, math.nan, 2.0)], maximize=False) is None
    assert chance([1.0], [confirmed(1, 1.0, 1.0, 2.0)], maximize=False) is None


def test_errors_of_few_participants_are_not_in_the_text() -> None:
    found = [confirmed(4, 17.72, 18.0, 18.5, 19.0), confirmed(6, 18.2, 17.9, 18.1, math.nan)]
    trials = [tried(number, 18.0) for number in (4, 5, 6)]
    assert confirmed_cells(trials, found) == ["18.500\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}0.500", "", "failed"]
    texts = confirmation_sentences([17.72, 18.2], found, maximize=False, shows_errors=True)
    assert texts[0] == "Trial 4 is best by its mean over 3 new seeds."
    assert "Seeds differ by 0.500 (SD)" in texts[1] and "of its lead of 0.480" in texts[1]
    assert len(confirmation_sentences([17.72, 18.2], found, maximize=False, shows_errors=False)) == 1


@pytest.mark.more
def test_a_sweep_over_seeds_is_confirmed_and_continued(tmp_path: Path) -> None:
    words = ("cohort.n_participants=100", "model.depth=1", "model.start_out=8", "trainer=cpu", "trainer.max_epochs=1")
    command = ("train.py", "--multirun", "sweep=variable1dcnn", *words, "seed=7", "hydra.sweep.dir=swept")
    asked = ("split=kfold", "hydra.sweeper.over=split.fold=0,1", "hydra.sweeper.confirm=1")
    ended = run_command(tmp_path, *command, *asked, "hydra.sweeper.n_trials=2")
    assert ended.code == 0, ended.text
    folder = tmp_path / "swept"
    with (folder / "trials.csv").open(newline="") as file:
        trials = list(csv.DictReader(file))
    best = min(trials, key=lambda row: float(row["value"] or "inf"))
    folds = [folder / "trials" / best["number"] / f"fold-{fold}" / "summary.json" for fold in (0, 1)]
    values = [json.loads(path.read_text())["objective"]["value"] for path in folds]
    assert float(best["value"]) == pytest.approx(sum(values) / 2)
    with (folder / "confirmation.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["trial"], row["seed"]) for row in rows] == [(best["number"], seed) for seed in ("8", "9", "10")]
    assert f"Trial {best['number']} is best by its mean over 3 new seeds." in ended.out
    again = folder / "confirm" / best["number"]
    config = (again / "seed-8" / "fold-1" / "config.yaml").read_text()
    assert "seed: 8\n" in config and "fold: 1\n" in config
    assert not list(folder.rglob("predictions.csv"))
    # As if the process had died in its last training.
    lost, kept = again / "seed-10" / "fold-1" / "summary.json", again / "seed-8" / "fold-0" / "summary.json"
    before, value = kept.stat().st_mtime_ns, json.loads(lost.read_text())["objective"]
    lost.unlink()
    assert run_command(tmp_path, *command, *asked, "hydra.sweeper.n_trials=2").code == 0
    assert kept.stat().st_mtime_ns == before
    assert json.loads(lost.read_text())["objective"] == value
    refused = run_command(tmp_path, *command, "split=kfold", "hydra.sweeper.over=split.fold=0,2")
    assert refused.code == 2
    assert "another hydra.sweeper.study_name" in refused.err
