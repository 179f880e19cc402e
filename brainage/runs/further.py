"""Further predictions of a run: each of several scans, halves of scans, and series in other orders of time."""

from __future__ import annotations

from brainage.data.participants import Participants
from brainage.runs.fit import Baseline, Network, Predictions
from brainage.runs.record import Job
from brainage.runs.rescans import SCANS, by_row, write_halves
from brainage.runs.time_order import write_time_order
from brainage.system.failures import noted


def write_further(
    job: Job, model: Network | Baseline, participants: Participants, predictions: Predictions, notes: list[str]
) -> None:
    """Write the tables; what fails is added to the notes."""
    if predictions.scans is not None:
        job.folder.write_csv(SCANS, by_row(predictions.scans, predictions.table))
    with noted(notes, "No split halves"):
        write_halves(job, model, participants, predictions.table)
    if isinstance(model, Network):
        with noted(notes, "No test of the order of time"):
            write_time_order(job, model, predictions.table)
