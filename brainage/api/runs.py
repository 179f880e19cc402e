"""Finished runs in Python."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from torch import nn

from brainage.api.bundles import Bundle
from brainage.runs.read import Run, read_run
from brainage.runs.time_order import read_time_order
from brainage.system.reading import yaml_values
from brainage.trained.load import read_network_of_run


def load_run(folder: str | Path) -> LoadedRun:
    """Load a finished run.

    Parameters
    ----------
    folder : str or Path
        The run's folder, which the last line of ``brainage train`` names.

    Returns
    -------
    LoadedRun
        The run.

    Raises
    ------
    MissingPathError, EvaluationError, ConfigError
        There is no run, it has not finished, or it has no predictions.

    Examples
    --------
    >>> import brainage as ba
    >>> run = ba.load_run("outputs/train/2026-11-23/10-15-02-3f9c1a")  # doctest: +SKIP
    >>> run.metrics["test"]["mae"]  # doctest: +SKIP
    """
    return LoadedRun(read_run(Path(folder).expanduser(), "run"))


class LoadedRun:
    """A finished run; `load_run` and `train` return one."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __repr__(self) -> str:
        n = self._run.summary["n"]
        return f"<brainage.LoadedRun {self._run.label}: {n['train']} training, {n['test']} test participants>"

    @property
    def folder(self) -> Path:
        """Its folder."""
        return self._run.folder

    @property
    def summary(self) -> dict[str, Any]:
        """What ``summary.json`` has."""
        return self._run.summary

    @property
    def metrics(self) -> dict[str, dict[str, float | None]]:
        """MAE, MSE, RMSE (years), R2 and Pearson's r of each part of the split."""
        found: dict[str, dict[str, float | None]] = self._run.summary["metrics"]
        return found

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved config."""
        return dict(yaml_values(self._run.config_text))

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """``participant_id, split, age, predicted_age, bag``, the gap in years; ids are text without ``sub-``."""
        table = self._run.predictions
        return table.assign(bag=table["predicted_age"] - table["age"])

    @cached_property
    def splits(self) -> pd.Series:
        """The part of each participant, by id."""
        return self.predictions.set_index("participant_id")["split"]

    @cached_property
    def epochs(self) -> pd.DataFrame:
        """Losses, learning rate and seconds of each epoch."""
        return pd.read_csv(self.folder / "metrics.csv")

    @cached_property
    def time_order(self) -> pd.DataFrame | None:
        """Errors on test participants' series in other orders of time; None where they were not measured."""
        return read_time_order(self.folder)

    @property
    def bundle(self) -> Bundle:
        """The trained network, which predicts arrays; raises EvaluationError for a baseline but ridges."""
        return Bundle(read_network_of_run(self.folder, "run"))

    def network(self) -> nn.Module:
        """Return the network of the best epoch; see `Bundle.network`."""
        return self.bundle.network()
