"""The test of a run's network on series in other orders of time, and its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from brainage.data.time_order import ORDERS
from brainage.evaluation.time_order import COLUMNS, measure_time_order
from brainage.runs.record import Job
from brainage.system.reading import read_csv

if TYPE_CHECKING:
    from brainage.runs.fit import Network

TIME_ORDER = "time_order.csv"


def write_time_order(job: Job, network: Network, predictions: pd.DataFrame) -> None:
    """Predict the test participants in each order, and compare with the run's predictions; see `COLUMNS`."""
    tested = predictions[predictions["split"] == "test"]
    reordered = {order: network.predict(("test",), order).table["predicted_age"] for order in ORDERS}
    resampling = {"n_resamples": job.config.report.n_resamples, "seed": job.config.seed}
    found = measure_time_order(tested["age"], tested["predicted_age"], reordered, **resampling)
    if found is not None:
        job.folder.write_csv(TIME_ORDER, found)


def read_time_order(folder: Path) -> pd.DataFrame | None:
    """Return the table of a run; None if it has none, as runs of earlier versions and of baselines."""
    path = folder / TIME_ORDER
    return read_csv(path, usecols=list(COLUMNS), dtype=COLUMNS) if path.exists() else None
