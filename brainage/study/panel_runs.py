"""The trainings of a panel, read from their folders: predictions averaged over seeds, sizes and times."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from brainage.runs.folder import read_summary
from brainage.runs.multirun_table import collect
from brainage.runs.predictions_table import read_predictions
from brainage.study.plan import Step


@dataclass(frozen=True)
class ModelRuns:
    """The finished trainings of one model.

    Parameters
    ----------
    name : str
        Its name in the panel.
    folders : sequence of Path
        The runs.
    predicted : dict of int to DataFrame
        By seed of the split, one row a validation or test participant, whose id is the index: ``split``, ``age`` and
        ``predicted_age``, the mean over seeds of the network.
    n_train : float
        Training participants; the mean over splits.
    seeds : sequence of int
        Of the network.
    parameters : int
        Its size; of a baseline, the largest, which may differ between splits.
    seconds : float
        To fit it once; the mean over trainings.
    """

    name: str
    folders: Sequence[Path]
    predicted: dict[int, pd.DataFrame]
    n_train: float
    seeds: Sequence[int]
    parameters: int
    seconds: float


def read_runs(step: Step, *, splits: Sequence[int] | None = None, seeds: Sequence[int] | None = None) -> ModelRuns:
    """Read the runs of a step, or those of some splits and seeds; raise a `ValueError` that says why there are none."""
    rows = collect(step.folder)
    if unfinished := [row for row in rows if row["status"] != "finished"]:
        reasons = {str(row["reason"] or row["status"]) for row in unfinished}
        raise ValueError(f"{len(unfinished)} of {len(rows)} trainings did not finish: {'; '.join(sorted(reasons))}")
    jobs = [(_value(row, "split.seed"), _value(row, "seed"), step.folder / row["job"]) for row in rows]
    chosen = [job for job in jobs if (splits is None or job[0] in splits) and (seeds is None or job[1] in seeds)]
    folders = [folder for _, _, folder in chosen]
    summaries = [read_summary(folder) or {} for folder in folders]
    by_split: dict[int, list[Path]] = {}
    for split, _, folder in chosen:
        by_split.setdefault(split, []).append(folder)
    return ModelRuns(
        step.name,
        folders,
        {split: _mean_of([_predictions(folder) for folder in each]) for split, each in sorted(by_split.items())},
        statistics.fmean(summary["n"]["train"] for summary in summaries),
        sorted({seed for _, seed, _ in chosen}),
        max(summary["model"]["parameters"] for summary in summaries),
        statistics.fmean(summary["seconds"]["fit"] for summary in summaries),
    )


def _value(row: dict[str, Any], key: str) -> int:
    """Return the value of an override of a job."""
    return next(int(word.partition("=")[2]) for word in row["overrides"] if word.startswith(f"{key}="))


def _predictions(folder: Path) -> pd.DataFrame:
    table, _ = read_predictions(folder / "predictions.csv", "run")
    return table[table["split"].isin(["val", "test"])].set_index("participant_id")


def _mean_of(seeds: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the predictions of one split with the mean over seeds of the network."""
    each = pd.concat([table["predicted_age"] for table in seeds], axis=1, join="inner")
    return seeds[0].loc[each.index].assign(predicted_age=each.mean(axis=1))
