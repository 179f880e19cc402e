"""The end of a multirun: the table of its jobs, their folds, their learning curves and the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from brainage.evaluation.repeats import repeats_of
from brainage.reporting.multirun_page import Job, write_multirun_report
from brainage.runs.folds import finish_folds
from brainage.runs.learning_curves import finish_learning_curves
from brainage.system.console import cell, show_table, terminal_text
from brainage.system.files import write_csv
from brainage.system.invocation import command_text

_SHOWN = ("job", "overrides", "status", "val/mse", "val/mae", "test/mae", "parameters", "epochs", "seconds")

Rows = list[dict[str, Any]]


def end_multirun(folder: Path, rows: Rows, printed: Rows, own: list[str], shared: list[str]) -> None:
    """Write and print everything; `printed` are the rows that are shown, `own` and `shared` the jobs' overrides."""
    # Integers stay integers in columns with gaps.
    table = pd.DataFrame([{**row, "overrides": " ".join(row["overrides"])} for row in rows]).convert_dtypes()
    write_csv(folder / "summary.csv", table)
    print()
    shown = ({**row, "overrides": words} for row, words in zip(printed, own, strict=True))
    show_table(f"{len(rows)} jobs", _SHOWN, [[cell(row[name]) for name in _SHOWN] for row in shown])
    for row in rows:
        if row["reason"]:
            print(terminal_text(f"job {row['job']}: {row['reason']}"))
    if printed != rows:
        print(f"Test errors of the cell with the lowest val/mse only. All: {command_text('compare', f'runs={folder}')}")
    print(f"Table: {folder / 'summary.csv'}")
    folds = finish_folds(folder, rows)
    for repeats in repeats_of([found for found in folds if found.chosen]):
        print(terminal_text(f"Repeats{repeats.name and f' {repeats.name}'}: {repeats.sentence}"))
        if len(repeats.draws) == len(folds) and repeats.pooled:
            print(f"Analyse the mean over draws with: {command_text('report', f'run={folder}')}")
    curves = finish_learning_curves(folder, rows)
    jobs = [Job(folder / row["job"], words, row) for row, words in zip(printed, own, strict=True)]
    print(f"Report: {write_multirun_report(folder, jobs, shared, folds, curves)}")
