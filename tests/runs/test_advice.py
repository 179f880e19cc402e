"""Small studies are told what helps."""

from __future__ import annotations

import re
from typing import Any

import pytest

from brainage.runs.advice import advice


def summary(**changes: Any) -> dict[str, Any]:
    n = {"train": 160, "val": 20, "test": 20}
    return {"n": n, "model": {"name": "variable1dcnn"}, "epochs": 30, "best_epoch": 12, **changes}


def config(split: str = "random", batch_size: int | str = 16) -> dict[str, Any]:
    return {"split": {"name": split}, "batch_size": batch_size, "trainer": {"max_epochs": 30}}


FEW = summary(n={"train": 64, "val": 8, "test": 8})


@pytest.mark.parametrize(
    ("run", "settings", "said"),
    [
        (
            summary(),
            config(),
            [r"only 20 in val and 20 in test\. .* tested once, [^\0]*\n  .*range\(5\)' gap_correction=crossfit$"],
        ),
        (FEW, config(batch_size=8), [r"8 in val.* gap_correction=crossfit corrects[^\0]*=crossfit$"]),
        (summary(n={"train": 23, "val": 2, "test": 4}), config(batch_size=4), [r"4 in test\. .* tested once\. "]),
        (summary(), config("kfold"), []),
        (summary(), config("kfold", 128), ["With batch_size=128, .* epoch is 2.*batch_size=auto, which is 16"]),
        (summary(), config("kfold", "auto"), []),
        (summary(best_epoch=29), config("kfold"), ["best epoch is the last of 30.*trainer.max_epochs=60"]),
        (summary(best_epoch=19, epochs=20), config("kfold"), []),
        (summary(model={"name": "mean_age"}, best_epoch=29), config("kfold", 128), []),
        (summary(n={"train": 300, "val": 20, "test": 20}, best_epoch=29), config(batch_size=128), []),
        (summary(n={"train": 10, "val": 5, "test": 40}), config("random", 8), ["5 in val", "auto, which is 2"]),
    ],
)
def test_what_helps_is_said_to_small_studies(run: dict[str, Any], settings: dict[str, Any], said: list[str]) -> None:
    found = advice(run, settings)
    assert len(found) == len(said)
    assert all(re.search(pattern, note) for pattern, note in zip(said, found, strict=True))
