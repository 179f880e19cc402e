"""The learning curves of a multirun over ``split.n_train``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from brainage.config.saved import read_config
from brainage.evaluation.disclosure import may_describe
from brainage.evaluation.learning_curve import LearningCurve, Training, fit_learning_curve
from brainage.runs.folder import read_summary
from brainage.system.console import terminal_text
from brainage.system.files import write_csv
from brainage.system.reading import read_csv

_KEY = "split.n_train="

# What may differ between trainings of one size.
_DRAWS = ("seed=", "model.seed=", "split.seed=", "split.fold=", "split.repeat=", "split.site=")


def finish_learning_curves(folder: Path, rows: list[dict[str, Any]]) -> list[LearningCurve]:
    """Write ``learning_curve.csv``, and print what to expect, if jobs differ in ``split.n_train``; return the curves.

    Where other overrides vary too, each has a curve of its own. Jobs that test fewer than ten participants have none.
    """
    grouped: dict[tuple[str, ...], list[Training]] = {}
    for row in rows:
        words = [word for word in row["overrides"] if not word.startswith((_KEY, *_DRAWS))]
        if (training := _training(folder / row["job"], row)) is not None:
            grouped.setdefault(tuple(words), []).append(training)
    grouped = {words: own for words, own in grouped.items() if len({training.size for training in own}) > 1}
    if not grouped:
        return []
    config = read_config(folder / rows[0]["job"] / "config.yaml")
    settings = {"n_resamples": int(config.report.n_resamples), "seed": int(config.seed)}
    shared = set.intersection(*map(set, grouped))
    curves = [
        fit_learning_curve(own, **settings, name=" ".join(word for word in words if word not in shared))
        for words, own in grouped.items()
    ]
    points = [curve.points.assign(**({"model": curve.name} if curve.name else {})) for curve in curves]
    write_csv(folder / "learning_curve.csv", pd.concat(points))
    for curve in curves:
        print(terminal_text(f"Learning curve{curve.name and f' {curve.name}'}: {curve.sentence}"))
    return curves


def _training(job: Path, row: dict[str, Any]) -> Training | None:
    """Return a finished job's errors, with its size and draw; None for other jobs, or where the test set is small."""
    sizes = [word.removeprefix(_KEY) for word in row["overrides"] if word.startswith(_KEY)]
    path = job / "predictions.csv"
    if not sizes or row["status"] != "finished" or not path.is_file():
        return None
    table = read_csv(path, dtype={"participant_id": str}).query("split == 'test'").set_index("participant_id")
    n_train = (read_summary(job) or {}).get("n", {}).get("train")
    if not may_describe(len(table)) or not n_train:
        return None
    draw = " ".join(word for word in row["overrides"] if word.startswith(_DRAWS))
    return Training(sizes[-1], int(n_train), draw, (table["predicted_age"] - table["age"]).abs())
