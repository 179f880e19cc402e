"""Comparison of finished runs: its tables, ``comparison.json`` and report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from brainage.config.commands.compare import CompareCommandConfig
from brainage.evaluation.compare_runs import compare_runs
from brainage.evaluation.stack import Stack
from brainage.reporting.comparison_page import comparison_page
from brainage.reporting.page import write_report
from brainage.reporting.terminal import show_comparison
from brainage.runs.members import entries_of, members_of
from brainage.runs.read import excluded_jobs
from brainage.system.files import write_csv, write_text


def compare_saved(config: CompareCommandConfig, folder: Path) -> None:
    """Compare the runs that ``runs=`` names; write the results to `folder` and print them."""
    entries = entries_of(config.runs)
    excluded = excluded_jobs(config.runs)
    found = compare_runs(
        members_of(entries), n_resamples=config.report.n_resamples, seed=config.seed, ensemble=config.ensemble
    )
    parameters = [entry.first.summary["model"]["parameters"] for entry in entries.values()]
    folders = [(name, str(entry.folder)) for name, entry in entries.items()]
    page = comparison_page(found, folders, parameters, excluded, points=config.report.points)

    facts = {
        "runs": dict(folders),
        "left_out": excluded,
        "n_shared": found.n_shared,
        "n_test": found.n_test,
        "seed": config.seed,
        **({} if found.stack is None else {"stack": _record(found.stack, config.runs)}),
    }
    write_csv(folder / "comparison.csv", found.metrics)
    write_csv(folder / "differences.csv", found.differences)
    if found.has_repeats:
        write_csv(folder / "methods.csv", pd.DataFrame([method.row() for method in found.methods]))
    write_text(folder / "comparison.json", json.dumps(facts, indent=2) + "\n")
    write_report(folder, page)
    show_comparison(found, parameters, excluded)
    if found.ensemble is not None:
        write_csv(folder / "predictions.csv", found.ensemble)
        what = "Mean" if found.stack is None else "Stack"
        print(f"{what} of all runs, with the SD between them: {folder / 'predictions.csv'}")


def _record(stack: Stack, given: list[str] | str) -> dict[str, Any]:
    """Return what ``comparison.json`` says of a stack of the `given` runs."""
    return {"given": given, "weights": stack.weights, "n_fitted": stack.n_fitted, "val_mae": stack.shown_errors}
