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
    name, model : str
        Its name in the panel, and in ``model.name``.
    jobs : dict of (int, int) to Path
        The runs, by seed of the split and of the network.
    tables : dict of (int, int) to DataFrame
        Their predictions, one row a validation or test participant, whose id is the index: ``split``, ``age``,
        ``predicted_age``.
    n_train : float
        Training participants; the mean over splits.
    parameters : int
        Its size; of a baseline, the largest, which may differ between splits.
    seconds : float
        To fit it once; the mean over trainings.
    """

    name: str
    model: str
    jobs: dict[tuple[int, int], Path]
    tables: dict[tuple[int, int], pd.DataFrame]
    n_train: float
    parameters: int
    seconds: float

    @property
    def folders(self) -> list[Path]:
        """The runs."""
        return list(self.jobs.values())

    @property
    def seeds(self) -> list[int]:
        """Seeds of the network."""
        return sorted({seed for _, seed in self.tables})

    @property
    def predicted(self) -> dict[int, pd.DataFrame]:
        """Predictions by seed of the split, the mean over seeds of the network."""
        by_split: dict[int, list[pd.DataFrame]] = {}
        for (split, _), table in sorted(self.tables.items(), key=lambda item: item[0]):
            by_split.setdefault(split, []).append(table)
        return {split: _mean_of(tables) for split, tables in by_split.items()}

    def predicted_with(self, seed: int) -> dict[int, pd.DataFrame]:
        """Return the predictions by seed of the split, with one seed of the network."""
        return {split: table for (split, own), table in self.tables.items() if own == seed}


def read_runs(step: Step) -> ModelRuns | str:
    """Read the runs of a step that is done, or return why some have no results."""
    rows = collect(step.folder)
    if unfinished := [row for row in rows if row["status"] != "finished"]:
        reasons = sorted({str(row["reason"] or row["status"]) for row in unfinished})
        return f"{len(unfinished)} of {len(rows)} trainings did not finish. {' '.join(reasons)}"
    jobs = {(_value(row, "split.seed"), _value(row, "seed")): step.folder / row["job"] for row in rows}
    summaries = [read_summary(folder) or {} for folder in jobs.values()]
    return ModelRuns(
        step.name,
        summaries[0]["model"]["name"],
        jobs,
        {key: _predictions(folder) for key, folder in jobs.items()},
        statistics.fmean(summary["n"]["train"] for summary in summaries),
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
