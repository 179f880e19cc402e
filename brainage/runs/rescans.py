"""Second scans of a run's participants: files of their predictions, and what a report says of them.

In these files, ``row`` is the participant's row of ``predictions.csv``, from 1: there are no ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from brainage.data.cohorts.columns import participant_ids
from brainage.data.cohorts.tables import read_columns
from brainage.data.pieces import half_length, rows_by_half
from brainage.errors import EvaluationError
from brainage.evaluation.findings import Findings
from brainage.evaluation.rescans import HALVES, VISITS, Rescans, measure_rescans
from brainage.system.reading import read_csv

if TYPE_CHECKING:
    from brainage.data.participants import Participants
    from brainage.runs.fit import Baseline, Network
    from brainage.runs.record import Job

# Predictions of the scans of participants who have several, and of the halves of those who have one.
SCANS = "scans.csv"
FILES = {VISITS: SCANS, HALVES: "halves.csv"}
_COLUMNS = ["row", "scan", "split", "age", "predicted_age"]
_TYPES = {"participant_id": str, "row": int, "scan": str, "split": str, "age": float, "predicted_age": float}


def by_row(scans: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """Return predictions of scans with the row of each participant in ``predictions.csv`` in place of the id."""
    rows = pd.Series(range(1, len(predictions) + 1), predictions["participant_id"])
    named = scans.assign(row=scans["participant_id"].map(rows))
    return named[[name for name in _COLUMNS if name in named]]


def write_halves(job: Job, model: Network | Baseline, participants: Participants, predictions: pd.DataFrame) -> None:
    """Predict both halves of the test participants' scans, if each has one scan and the model takes halves."""
    tested = participants.part("test")
    n_times = model.n_times_of(half_length(tested)) if len(tested) and not tested.store.scans else None
    if n_times is not None:
        found = [part.table.assign(predicted_age=model.predict_rows(part)) for part in rows_by_half(tested, n_times)]
        job.folder.write_csv(FILES[HALVES], by_row(pd.concat(found, ignore_index=True), predictions))


def read_rescans(folder: Path, findings: Findings) -> Rescans | None:
    """Compare the scans of a run's analysed participants, or halves of scans; None where the run has neither."""
    return read_rescans_of_folds([folder], findings)


def read_rescans_of_folds(folders: Sequence[Path], findings: Findings) -> Rescans | None:
    """Compare the scans of the test participants of several folds, each with the correction of its fold."""
    for kind, name in FILES.items():
        paths = [folder / name for folder in folders]
        if all(path.is_file() for path in paths):
            tables = [_read(path) for path in paths]
            if len(tables) > 1:
                tables = [table[table["split"] == "test"].assign(fit=fold) for fold, table in enumerate(tables)]
            return rescans_of(pd.concat(tables, ignore_index=True), findings, kind)
    return None


def _read(path: Path) -> pd.DataFrame:
    """Read a table, with the ids of ``predictions.csv`` beside it; earlier versions wrote ids in place of rows."""
    rule = f"`{path}` must be the table that training wrote, but"
    step = "Remove the file: the report then says nothing of repeated scans."
    try:
        table = read_csv(path, dtype=_TYPES, keep_default_na=False)
    except ValueError:  # pandas' own text may have an id
        raise EvaluationError(f"{rule} it cannot be read as a table of ages and predictions. {step}") from None
    named = [*(["participant_id"] if "participant_id" in table else ["row"]), *_COLUMNS[1:]]
    if lacking := [name for name in named if name not in table]:
        raise EvaluationError(f"{rule} lacks {', '.join(lacking)}. {step}")
    if n_wrong := int((~np.isfinite(table[["age", "predicted_age"]])).any(axis=1).sum()):
        raise EvaluationError(f"{rule} {n_wrong} of {len(table)} rows have no age or no prediction. {step}")
    if "row" in table:
        predictions = path.with_name("predictions.csv")
        known = read_columns(predictions, ("participant_id", "split"), "run")
        known["participant_id"] = participant_ids(known["participant_id"], f"`{predictions}`")
        known.index = pd.RangeIndex(1, len(known) + 1)
        own = known.reindex(table["row"]).reset_index(drop=True)
        if n_wrong := int((own["split"] != table["split"]).sum()):
            raise EvaluationError(f"{rule} {n_wrong} of {len(table)} rows name no such row of predictions.csv. {step}")
        table["participant_id"] = own["participant_id"]
    return table


def rescans_of(scans: pd.DataFrame, findings: Findings, kind: str = VISITS) -> Rescans | None:
    """Compare the scans of the analysed participants, with the correction of the gap where one fit applies to all."""
    settings, rows = findings.settings, findings.rows
    own = scans[scans["participant_id"].isin(set(rows["participant_id"]))]
    whole = [fit for fit in findings.corrections if not fit.is_part]
    parts = rows["split"].dropna()
    # Validation participants, and those of cross-fitting, have fits of their own.
    if not parts.isin(["test"]).all() or (len(parts) and settings.gap_correction == "crossfit"):
        whole = []
    return measure_rescans(own, whole, kind=kind, n_resamples=settings.n_resamples, seed=settings.seed)
