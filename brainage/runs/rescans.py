"""Second scans of a run's participants: files of their predictions, and what a report says of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

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
_COLUMNS = ["participant_id", "scan", "split", "age", "predicted_age"]


def write_halves(job: Job, model: Network | Baseline, participants: Participants) -> None:
    """Predict both halves of the test participants' scans, if each has one scan and the model takes halves."""
    tested = participants.part("test")
    n_times = model.n_times_of(half_length(tested)) if len(tested) and not tested.store.scans else None
    if n_times is not None:
        found = [part.table.assign(predicted_age=model.predict_rows(part)) for part in rows_by_half(tested, n_times)]
        job.folder.write_csv(FILES[HALVES], pd.concat(found, ignore_index=True)[_COLUMNS])


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
    types = dict(zip(_COLUMNS, (str, str, str, float, float), strict=True))
    rule = f"`{path}` must be the table that training wrote, but"
    step = "Remove the file: the report then says nothing of repeated scans."
    try:
        table = read_csv(path, dtype=types, keep_default_na=False)
    except ValueError:  # pandas' own text may have an id
        raise EvaluationError(f"{rule} it cannot be read as a table of ages and predictions. {step}") from None
    if lacking := [name for name in _COLUMNS if name not in table]:
        raise EvaluationError(f"{rule} lacks {', '.join(lacking)}. {step}")
    if n_wrong := int((~np.isfinite(table[["age", "predicted_age"]])).any(axis=1).sum()):
        raise EvaluationError(f"{rule} {n_wrong} of {len(table)} rows have no age or no prediction. {step}")
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
