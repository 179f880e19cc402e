"""Small studies are told what helps."""

from __future__ import annotations

import re
from typing import Any

import pytest

from brainage.runs.advice import advice


def summary(**changes: Any) -> dict[str, Any]:
    n = {"train": 160, "val": 20, "test": 20}
    return {"n": n, "model": {"name": "variable1dcnn"}, "epochs": 30, "best_epoch": 12, **changes}


def config(split: str = "random", batch_size: int = 16) -> dict[str, Any]:
    return {"split": {"name": split}, "batch_size": batch_size, "trainer": {"max_epochs": 30}}


@pytest.mark.parametrize(
    ("run", "settings", "said"),
    [
        (summary(), config(), ["Only 20 participants are tested. split=kfold"]),
        (summary(), config("kfold"), []),
        (summary(), config("kfold", 128), ["An epoch has 2 steps with batch_size=128.*batch_size=16, 8 steps"]),
        (summary(best_epoch=29), config("kfold"), ["best epoch is the last of 30.*trainer.max_epochs=60"]),
        (summary(best_epoch=19, epochs=20), config("kfold"), []),
        (summary(model={"name": "mean_age"}, best_epoch=29), config("kfold", 128), []),
        (summary(n={"train": 300, "val": 20, "test": 20}, best_epoch=29), config(batch_size=128), []),
        (summary(n={"train": 10, "val": 5, "test": 40}), config("random", 8), ["batch_size=2, 8 steps"]),
    ],
)
def test_what_helps_is_said_to_small_studies(run: dict[str, Any], settings: dict[str, Any], said: list[str]) -> None:
    found = advice(run, settings)
    assert len(found) == len(said)
    assert all(re.search(pattern, note) for pattern, note in zip(said, found, strict=True))
