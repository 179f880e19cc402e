"""The index page of a study: the results of every stage, with links to the reports."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import psutil

from brainage.evaluation.disclosure import shown_summary
from brainage.reporting.page import Page, Section, Table, made_with
from brainage.reporting.text import number
from brainage.runs.folder import read_summary
from brainage.study.plan import SIZES, Step
from brainage.study.record import StudyRecord
from brainage.system.console import bytes_text
from brainage.system.files import write_text


def write_index(out: Path, record: StudyRecord, steps: Sequence[Step]) -> Path:
    """Write ``index.html`` into the study's folder and return its path."""
    about = [*made_with(), ("machine", this_machine()), ("every training", record.shown_overrides())]
    about += commits_of(record.done, steps)
    lead = [
        f"{len(record.done)} of {len(steps)} steps are done, in {sum(record.seconds.values()) / 60:.1f} minutes.",
        SIZES[record.size].description(record.size),
    ]
    sections = []
    for stage, (title, question, table) in _STAGES.items():
        of_stage = [step for step in steps if step.stage == stage]
        reports = {f"{step.name}: report": step.folder / "report.html" for step in of_stage}
        links = [(name, quote(path.relative_to(out).as_posix())) for name, path in reports.items() if path.is_file()]
        done = [step for step in of_stage if step.label in record.done]
        sections.append(Section(title, [question], [table(done)], links=links))
    page = Page("The study", lead, [*sections, Section("What was run", tables=[Table((), about, text=True)])])
    target = out / "index.html"
    write_text(target, page.html())
    return target


def this_machine() -> str:
    """Return cores, memory and kind of this machine's CPU."""
    return f"{os.cpu_count()} cores, {bytes_text(psutil.virtual_memory().total)}, {_cpu()}"


def _cpu() -> str:
    """Return the CPU's name, where the system has it, or its architecture."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        return names[0] if names else platform.machine()
    return platform.processor() or platform.machine()


def commits_of(done: Mapping[str, str | None], steps: Sequence[Step]) -> list[tuple[str, str]]:
    """Return rows with the commits at which steps were finished."""
    by_commit: dict[str, list[str]] = {}
    for step in steps:
        if step.label in done:
            by_commit.setdefault(done[step.label] or "an unknown commit", []).append(step.label)
    if len(by_commit) == 1:
        return [("all of these at", next(iter(by_commit)))]
    return [(f"finished at {commit}", ", ".join(labels)) for commit, labels in by_commit.items()]


def _grids(steps: Sequence[Step]) -> Table:
    rows = [
        # The first override of a job is the one that a grid of one parameter varies.
        [step.name, row["overrides"].split(" ")[0], row["status"], *_numbers(row, "val/mse", "val/mae")]
        for step in steps
        for row in _read_csv(step.result)
    ]
    return Table(("grid", "varied", "status", "best val MSE", "val MAE"), rows)


def _sweeps(steps: Sequence[Step]) -> Table:
    rows = []
    for step in steps:
        trials = _read_csv(step.result)
        complete = [trial for trial in trials if trial["state"] == "COMPLETE"]
        best = min(complete, key=lambda trial: float(trial["value"]), default={})
        summary = shown_summary(read_summary(step.folder / "trials" / best.get("number", "")) or {})
        lowest = _numbers(summary.get("objective") or {}, "value")
        given = " ".join(f"{key}={value}" for key, value in best.items() if "." in key)
        rows.append([step.name, str(len(trials)), str(len(complete)), *lowest, given or "-"])
    return Table(("sweep", "trials", "complete", "lowest val MSE", "with"), rows)


def _finals(steps: Sequence[Step]) -> Table:
    rows = []
    for step in steps:
        summary = shown_summary(json.loads(step.result.read_text()))
        val = _numbers(summary["metrics"]["val"], "mse", "mae")
        test = _numbers(summary["metrics"]["test"], "mse", "mae", "pearson_r", "r2")
        baseline = _numbers(summary["baseline"]["test"], "mae")
        rows.append([step.name, *val, *test, *baseline, f"{summary['best_epoch']} of {summary['epochs']}"])
    columns = ("val MSE", "val MAE", "test MSE", "test MAE", "test r", "test R²", "mean predictor", "best epoch")
    return Table(("model", *columns), rows)


def _comparison(steps: Sequence[Step]) -> Table:
    rows = []
    for row in (row for step in steps for row in _read_csv(step.result)):
        difference, low, high = (float(row[key]) for key in ("mae_difference", "low", "high"))
        rows.append([f"{row['first']} minus {row['second']}", f"{difference:+.2f} years ({low:+.2f} to {high:+.2f})"])
    return Table(("", "difference in MAE (95 % interval)"), rows)


def _numbers(row: Mapping[str, Any], *keys: str) -> list[str]:
    """Return numbers, or their text in a CSV file, with two decimals."""
    return [number(None if row.get(key) in (None, "") else float(row[key])) for key in keys]


def _read_csv(path: Path) -> list[dict[Any, str]]:
    return pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")


# Title, question and table of each stage, in order.
_STAGES: dict[str, tuple[str, str, Callable[[Sequence[Step]], Table]]] = {
    "manual_search": (
        "Stage 1: manual search",
        "Which learning rate, kernel size, depth and components are worth searching around?",
        _grids,
    ),
    "hyperparameter_sweep": (
        "Stage 2: hyperparameter sweep",
        "Which architecture has the lowest validation error, by dimensionality and components?",
        _sweeps,
    ),
    "final_models": ("Stage 3: final models", "Test-set accuracy of the selected architectures.", _finals),
    "comparison": ("25 or 100 components?", "Both final models on the same test participants.", _comparison),
}
