"""``summary.json`` from what a run's steps returned; expected numbers are calculated by hand."""

from __future__ import annotations

import math
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brainage.data.participants import Participants
from brainage.data.store.layout import Store
from brainage.errors import ConfigError, DivergedError
from brainage.runs.prepare import Prepared
from brainage.runs.record import Fitted, Results, has_diverged, reason_of, summary_of
from brainage.runs.scores import score
from brainage.system.signals import Interruption

PREDICTIONS = pd.DataFrame(
    {
        "split": ["train", "train", "val", "val", "test", "test"],
        "age": [40.0, 60.0, 50.0, 70.0, 30.0, 60.0],
        "predicted_age": [44.0, 58.0, 52.0, 66.0, 30.0, 60.0],
    }
)


def leaves(value: Any) -> list[Any]:
    return [leaf for item in value.values() for leaf in leaves(item)] if isinstance(value, dict) else [value]


def test_scores_by_hand() -> None:
    scores = score(PREDICTIONS, "val/mse")
    # Errors of val are +2 and -4 years; ages deviate by 10 years from their mean.
    expected = {"mae": 3.0, "mse": 10.0, "rmse": math.sqrt(10), "r2": 0.9, "pearson_r": 1.0}
    assert scores.metrics["val"] == pytest.approx(expected)
    assert scores.metrics["test"] == pytest.approx({"mae": 0.0, "mse": 0.0, "rmse": 0.0, "r2": 1.0, "pearson_r": 1.0})
    # The mean age in training is 50 years.
    assert scores.mean_mae == pytest.approx({"val": 10.0, "test": 15.0})
    assert scores.objective == pytest.approx(10.0)
    assert score(PREDICTIONS, "test/mae").objective == 0.0


def test_an_undefined_objective_counts_as_divergence() -> None:
    same_age = PREDICTIONS.assign(age=[40.0, 60.0, 50.0, 50.0, 30.0, 60.0])
    with pytest.raises(DivergedError, match="`objective=val/r2` is undefined"):
        score(same_age, "val/r2")


def test_before_any_step_every_key_is_there_and_unknown() -> None:
    summary = summary_of(Results(), "failed", ConfigError("`seed` is wrong"))
    assert summary["status"] == "failed"
    assert summary["reason"] == "`seed` is wrong"
    assert summary["error"] == "ConfigError"
    assert summary["seconds"] == {"ingest": None, "fit": None, "total": pytest.approx(0, abs=5)}
    for key in ("objective", "metrics", "baseline", "n", "model", "cohort"):
        assert leaves(summary[key]) and set(leaves(summary[key])) == {None}, key
    assert summary["seed"] is summary["epochs"] is summary["best_epoch"] is None


def test_after_all_steps_every_value_is_known() -> None:
    table = PREDICTIONS.assign(participant_id=list("abcdef"), row=range(6), t_r=[1, 1, 0.7349, 2, math.nan, 2])
    excluded = {"g": ("NaN or infinity", "")}
    store = Store(Path("f00d"), tuple("abcdef"), excluded, np.zeros((6, 1, 2), np.float32), np.zeros(6, np.uint32))
    config: Any = SimpleNamespace(
        objective="val/mse",
        batch_size=8,
        seed=3,
        cohort=SimpleNamespace(name="mine"),
        model_value=lambda key: f"model {key}",
    )
    unused: Any = None
    prepared = Prepared(Participants(table, store, (0,), 2), unused, 0.5)
    scores = score(PREDICTIONS, "val/mse")
    started = time.monotonic() - 200
    summary = summary_of(Results(started, config, prepared, Fitted(7, 5, 4, 2, 0.25), scores), "finished")
    assert summary["status"] == "finished"
    assert summary["reason"] is summary["error"] is None and summary["notes"] == []
    assert summary["objective"] == {"name": "val/mse", "value": scores.objective, "standard_error": None}  # of two
    assert summary["metrics"] == scores.metrics
    assert summary["baseline"] == {"val": {"mae": 10.0}, "test": {"mae": 15.0}}
    assert summary["n"] == {"train": 2, "val": 2, "test": 2}
    known = {"train": {"1": 2}, "val": {"0.735": 1, "2": 1}, "test": {"2": 1, "unknown": 1}}
    assert summary["t_r"] == known
    assert summary["model"] == {"name": "model name", "parameters": 7, "encoder_parameters": 5}
    assert summary["cohort"] == {"name": "mine", "fingerprint": "f00d", "n_participants": 6, "n_excluded": 1}
    assert (summary["seed"], summary["epochs"], summary["best_epoch"]) == (3, 4, 2)
    assert summary["seconds"] == {"ingest": 0.5, "fit": 0.25, "total": pytest.approx(200, abs=5)}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConfigError("`seed` is wrong"), "`seed` is wrong"),
        (Interruption(15), "interrupted by SIGTERM"),
        (KeyError("sub-1000001"), "KeyError; see the log"),
    ],
)
def test_the_reason_quotes_only_messages_that_name_no_participant(error: BaseException, reason: str) -> None:
    assert reason_of(error) == reason


def test_a_run_has_diverged_if_its_error_says_so() -> None:
    diverged = summary_of(Results(), "failed", DivergedError("Training diverged."))
    assert has_diverged(diverged)
    assert not has_diverged(summary_of(Results(), "failed", ConfigError("Training diverged.")))
    assert not has_diverged({"status": "finished"})
