"""Comparison of finished runs: its tables, ``comparison.json`` and report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brainage.config.commands import CompareCommandConfig
from brainage.evaluation.compare_runs import compare_runs
from brainage.evaluation.shared import Member
from brainage.evaluation.stack import Stack
from brainage.reporting.comparison_page import comparison_page
from brainage.reporting.page import write_report
from brainage.reporting.terminal import show_comparison
from brainage.runs.read import Run, excluded_jobs, read_run, run_folders
from brainage.system.files import write_csv, write_text


def compare_saved(config: CompareCommandConfig, folder: Path) -> None:
    """Compare the runs that ``runs=`` names; write the results to `folder` and print them."""
    runs = [read_run(path, "runs") for path in run_folders(config.runs)]
    excluded = excluded_jobs(config.runs)
    names = _names(runs)
    members = [Member(name, run.predictions) for name, run in zip(names, runs, strict=True)]
    found = compare_runs(members, n_resamples=config.report.n_resamples, seed=config.seed, ensemble=config.ensemble)
    parameters = [run.summary["model"]["parameters"] for run in runs]
    folders = [(name, str(run.folder)) for name, run in zip(names, runs, strict=True)]
    page = comparison_page(found, folders, parameters, excluded, points=config.report.points)

    facts = {
        "runs": dict(folders),
        "left_out": excluded,
        "n_shared": found.n_shared,
        "n_test": found.n_test,
        "seed": config.seed,
        **({} if found.stack is None else {"stack": _record(found.stack)}),
    }
    write_csv(folder / "comparison.csv", found.metrics)
    write_csv(folder / "differences.csv", found.differences)
    write_text(folder / "comparison.json", json.dumps(facts, indent=2) + "\n")
    write_report(folder, page)
    show_comparison(found, parameters, excluded)
    if found.ensemble is not None:
        write_csv(folder / "predictions.csv", found.ensemble)
        what = "Mean" if found.stack is None else "Stack"
        print(f"{what} of all runs, with the SD between them: {folder / 'predictions.csv'}")


def _record(stack: Stack) -> dict[str, Any]:
    """Return what ``comparison.json`` says of a stack."""
    return {"weights": stack.weights, "n_fitted": stack.n_fitted, "val_mae": stack.errors}


def _names(runs: Sequence[Run]) -> list[str]:
    """Return number and label of each run, with the seed where several have the same label."""
    labels = [run.label for run in runs]
    seeds = [f", seed {run.config.seed}" if labels.count(run.label) > 1 else "" for run in runs]
    return [f"{number}: {label}{seed}" for number, (label, seed) in enumerate(zip(labels, seeds, strict=True), start=1)]
