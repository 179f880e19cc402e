"""Prediction intervals of trained networks: in bundles, of several networks, and of participants who have none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brainage.config.groups.output import IntervalsConfig
from brainage.evaluation.conformal import Conformal
from brainage.runs.read import Run
from brainage.trained.card import model_card
from brainage.trained.intervals import UNKNOWN, fitted_intervals, intervals_of, manifest_of, read_intervals
from brainage.trained.network import Trained, TrainedStack
from tests.trained.networks import NO_CONFIG, constant

FIT = Conformal("adaptive", 0.9, 200, (55.0, 65.0), (6.0, 8.0))
TABLE = pd.DataFrame({"predicted_age": [50.0, 60.0, 70.0, 60.0], "split": [None, "test", "train", "val"]})


def of_run(shift: float, n: int = 60, first: int = 0) -> Trained:
    """Return the network of a run whose validation errors are `shift` and an even spread of -5.9 to 5.9 years."""
    ids = [f"s{number}" for number in range(first, first + n)]
    own = pd.DataFrame({"participant_id": ids, "split": "val", "age": 60.0})
    own["predicted_age"] = 60 + np.linspace(-5.9, 5.9, n) + shift
    fit = fitted_intervals(own, IntervalsConfig())
    return constant(60.0, intervals=fit, run=Run(Path("run"), NO_CONFIG, "", {}, own))


def test_new_and_test_participants_have_bounds_with_or_without_age() -> None:
    found = intervals_of([constant(60.0, intervals=FIT)], None, TABLE)
    assert found.bounds.index.tolist() == [0, 1] and found.fits == [FIT]
    assert found.bounds.to_numpy().tolist() == [[44.0, 56.0], [53.0, 67.0]]
    assert intervals_of([constant(60.0)], None, TABLE).reason == UNKNOWN
    stack = TrainedStack(Path("s"), (constant(60.0), constant(61.0)), (0.5, 0.5), "none", None, "", {}, FIT)
    assert intervals_of(stack.members, stack, TABLE).fits == [FIT]


def test_the_mean_of_runs_has_intervals_from_the_validation_participants_that_they_share() -> None:
    # Errors of the mean are 1 year less than those of the second, and 1 more than those of the first.
    found = intervals_of([of_run(0.0), of_run(2.0)], None, TABLE)
    (fit,) = found.fits
    assert (fit.kind, fit.n) == ("symmetric", 60)
    expected = np.sort(np.abs(np.linspace(-5.9, 5.9, 60) + 1))[54]  # rank ceil(61 * 0.9) = 55
    assert fit.half_widths[0] == pytest.approx(expected, abs=0.01)
    apart = intervals_of([of_run(0.0), of_run(2.0, first=30)], None, TABLE)
    assert apart.bounds.empty and "that they share: `intervals.level=0.9` needs 50" in apart.reason
    bundles = intervals_of([constant(60.0, intervals=FIT), constant(61.0, intervals=FIT)], None, TABLE)
    assert "The mean of several networks has intervals where all are runs" in bundles.reason


def test_a_bundle_has_the_fit_or_the_reason() -> None:
    for fitted in (FIT, "There are too few."):
        assert read_intervals(json.loads(json.dumps(manifest_of(fitted)))) == fitted
    plain: dict[str, Any] = json.loads(json.dumps(manifest_of(FIT)))["intervals"]
    assert read_intervals({}) == UNKNOWN
    for change in (
        {"kind": "linear"}, {"level": "x"}, {"n": 1.5}, {"predicted": [65.0, 55.0]}, {"predicted": [55.0]},
        {"half_widths": [-1.0, 8.0]}, {"half_widths": [float("nan"), 8.0]}, {"predicted": [], "half_widths": []},
        {"half_widths": "68"}, {"predicted": [0.0] * 2000, "half_widths": [1.0] * 2000},
    ):  # fmt: skip
        with pytest.raises(ValueError, match="intervals"):
            read_intervals({"intervals": plain | change})


def test_the_card_has_the_widths_or_the_reason() -> None:
    card = model_card(constant(60.0, intervals=FIT), {})
    assert "± 6 to 8 years, by predicted age (adaptive), fitted on 200 held-out participants" in card
    assert f"## Prediction intervals\n\nNone. {UNKNOWN}" in model_card(constant(60.0), {})
    one = model_card(constant(60.0, intervals=replace(FIT, kind="symmetric", half_widths=(7.0, 7.0))), {})
    assert "± 7 years (symmetric)" in one
