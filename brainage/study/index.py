"""The study's index: what came out of every stage, and where its report is."""

from __future__ import annotations

import csv
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from brainage.reporting.page import Page, Section, Table, made_with
from brainage.study.plan import Plan
from brainage.study.stages import SIZES, Step
from brainage.system.console import bytes_text
from brainage.system.files import write_whole


def write_index(out: Path, plan: Plan, steps: Sequence[Step]) -> Path:
    """Write ``index.html``.

    Parameters
    ----------
    out : Path
        The study's folder.
    plan : Plan
        What it was begun with, and what is done.
    steps : sequence of Step
        All of them.

    Returns
    -------
    Path
        The page.
    """
    done = plan.done
    by_stage: dict[str, list[Step]] = {}
    for step in steps:
        by_stage.setdefault(step.stage, []).append(step)
    sections = [
        Section(
            _TITLES[stage],
            [_ASKED[stage]],
            [_TABLES[stage]([step for step in of_stage if step.label in done])],
            links=[_link(out, step) for step in of_stage if (step.folder / "report.html").is_file()],
        )
        for stage, of_stage in by_stage.items()
    ]
    about = [
        *made_with(),
        ("machine", f"{os.cpu_count()} cores, {bytes_text(psutil.virtual_memory().total)}, {platform.machine()}"),
        ("every training", plan.words()),
        *_commits(done, steps),
    ]
    lead = [
        f"{len(done)} of {len(steps)} steps are done, in {sum(plan.seconds.values()) / 60:.1f} minutes.",
        SIZES[plan.size].told(plan.size),
    ]
    page = Page("The study", lead, [*sections, Section("What was run", tables=[Table((), about, text=True)])])
    target, html = out / "index.html", page.html()
    write_whole(target, lambda path: path.write_text(html, encoding="utf-8"))
    return target


def _commits(done: Mapping[str, str | None], steps: Sequence[Step]) -> list[tuple[str, str]]:
    """Return which steps were finished with which commit."""
    by_commit: dict[str, list[str]] = {}
    for step in steps:
        if step.label in done:
            by_commit.setdefault(done[step.label] or "an unknown commit", []).append(step.label)
    if len(by_commit) == 1:
        return [("all of these at", next(iter(by_commit)))]
    return [(f"finished at {commit}", ", ".join(labels)) for commit, labels in by_commit.items()]


def _link(out: Path, step: Step) -> tuple[str, str]:
    return f"{step.name}: report", quote((step.folder / "report.html").relative_to(out).as_posix())


def _grids(steps: Sequence[Step]) -> Table:
    rows = [
        [
            step.name,
            _own(row["overrides"]),
            row["status"],
            *(_text(row[key]) for key in ("val/mse", "val/mae", "test/mae")),
        ]
        for step in steps
        for row in _read_csv(step.result)
    ]
    return Table(("grid", "varied", "status", "best val MSE", "val MAE", "test MAE"), rows)


def _own(overrides: str) -> str:
    """Return the first override, which is the one that a grid of one parameter varies."""
    return overrides.split(" ")[0]


def _sweeps(steps: Sequence[Step]) -> Table:
    rows = []
    for step in steps:
        trials = _read_csv(step.result)
        complete = [trial for trial in trials if trial["state"] == "COMPLETE"]
        best = min(complete, key=lambda trial: float(trial["value"]), default=None)
        given = "-" if best is None else " ".join(f"{k}={v}" for k, v in best.items() if "." in k)
        rows.append([step.name, str(len(trials)), str(len(complete)), _text(best and best["value"]), given])
    return Table(("sweep", "trials", "complete", "lowest val MSE", "with"), rows)


def _finals(steps: Sequence[Step]) -> Table:
    rows = []
    for step in steps:
        summary = _read_json(step.result)
        test, val = summary["metrics"]["test"], summary["metrics"]["val"]
        rows.append(
            [
                step.name,
                *(
                    _text(value)
                    for value in (val["mse"], val["mae"], test["mse"], test["mae"], test["pearson_r"], test["r2"])
                ),
                _text(summary["baseline"]["test"]["mae"]),
                f"{summary['best_epoch']} of {summary['epochs']}",
            ]
        )
    return Table(_FINAL_COLUMNS, rows)


def _comparison(steps: Sequence[Step]) -> Table:
    rows = [
        [
            f"{row['first']} less {row['second']}",
            f"{float(row['mae_difference']):+.2f} years ({float(row['low']):+.2f} to {float(row['high']):+.2f})",
        ]
        for step in steps
        for row in _read_csv(step.result)
    ]
    return Table(("", "difference in MAE (95 % interval)"), rows)


def _text(value: object) -> str:
    try:
        number = float(str(value))
    except ValueError:
        return "-"
    return f"{number:.2f}" if math.isfinite(number) else "-"


def _read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text())


_FINAL_COLUMNS = (
    *("model", "val MSE", "val MAE", "test MSE", "test MAE", "test r", "test R²", "mean predictor", "best epoch"),
)
_TITLES = {
    "manual_search": "Stage 1: manual search",
    "hyperparameter_sweep": "Stage 2: hyperparameter sweep",
    "final_models": "Stage 3: final models",
    "comparison": "25 or 100 components?",
}
_ASKED = {
    "manual_search": "Which learning rate, kernel size, depth and components are worth searching around?",
    "hyperparameter_sweep": "Which architecture has the lowest validation error, by dimensionality and components?",
    "final_models": "How well do the best architectures tell age in people whom nothing was chosen by?",
    "comparison": "Both final models on the same test participants.",
}
_TABLES = {
    "manual_search": _grids,
    "hyperparameter_sweep": _sweeps,
    "final_models": _finals,
    "comparison": _comparison,
}
