"""The page of a multirun: the table of its jobs, and their training curves in one figure."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator, NullFormatter, ScalarFormatter

from brainage.reporting.figure import BLUE, GREEN, GREY, ORANGE, RED, Figure, draw
from brainage.reporting.page import Page, Section, Table, made_with, write_report
from brainage.reporting.text import integer
from brainage.system.console import cell

# One per job, then again with another dash: the page's colours, black, and the rest of Okabe and Ito's.
_COLOURS = (BLUE, ORANGE, GREEN, RED, "#cc79a7", "#000000", "#56b4e9", GREY)
_DASHES = ("-", "-.")
_MOST_NAMED = len(_COLOURS) * len(_DASHES)

_COLUMNS = {"val/mse": "best val MSE", "val/mae": "val MAE", "test/mae": "test MAE"}
_COLUMNS |= {name: name.replace("_", " ") for name in ("parameters", "epochs", "best_epoch", "seconds")}


@dataclass(frozen=True)
class Job:
    """A job of a multirun: its folder, the overrides that not all jobs share, and its row of the table."""

    folder: Path
    varied: str
    row: Mapping[str, Any]


def write_multirun_report(folder: Path, jobs: Sequence[Job], shared: Sequence[str]) -> Path:
    """Write ``report.html`` and the figure of the curves; `shared` are the overrides of all jobs."""
    finished = [job for job in jobs if job.row["val/mse"] is not None]
    lead = [f"{len(jobs)} jobs, {len(finished)} of them finished. In common: {' '.join(shared) or 'the defaults'}."]
    if finished:
        best = min(finished, key=lambda job: float(job.row["val/mse"]))
        lead.append(f"Lowest validation MSE: {best.row['val/mse']:.2f}, with {best.varied or 'the defaults'}.")
    figure = _curves(jobs)
    sections = [
        Section(
            "What was tried",
            ["Of the best epoch's weights. Choose by the validation error, not by the test set."],
            [_table(jobs)],
            [] if figure is None else [figure],
            links=[
                (f"Job {job.row['job']}, {job.varied}", quote(report.relative_to(folder).as_posix()))
                for job in jobs
                if (report := job.folder / "report.html").is_file()
            ],
        ),
        Section("What was run", tables=[Table((), made_with(), text=True)]),
    ]
    return write_report(folder, Page(f"{len(jobs)} jobs compared", lead, sections))


def _table(jobs: Sequence[Job]) -> Table:
    rows = [
        [str(job.row["job"]), job.varied, str(job.row["status"]), *(_text(job.row.get(key)) for key in _COLUMNS)]
        for job in jobs
    ]
    reasons = [f"Job {job.row['job']}: {job.row['reason']}" for job in jobs if job.row["reason"]]
    return Table(("job", "varied", "status", *_COLUMNS.values()), rows, note=" ".join(reasons))


def _text(value: object) -> str:
    return integer(value) if isinstance(value, int) else cell(value, ".2f")


def _curves(jobs: Sequence[Job]) -> Figure | None:
    """Draw each job's training and validation error by epoch; None if no job has any."""
    drawn = [(job, curves) for job in jobs if (curves := read_curves(job.folder / "metrics.csv"))["val"]]
    if not drawn:
        return None

    def plot(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for number, (job, curves) in enumerate(drawn):
            colour, dash = _COLOURS[number % len(_COLOURS)], _DASHES[number // len(_COLOURS) % len(_DASHES)]
            label = (job.varied or f"job {job.row['job']}") if number < _MOST_NAMED else None
            marker = "o" if len(curves["val"]) == 1 else ""  # one point makes no line
            axes.plot(*zip(*curves["val"], strict=True), dash, color=colour, linewidth=1.6, label=label, marker=marker)
            if curves["train"]:
                axes.plot(*zip(*curves["train"], strict=True), ":", color=colour, linewidth=1.0)
        axes.set(xlabel="epoch", ylabel="mean squared error (years²)", yscale="log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(ScalarFormatter())
        lowest, highest = axes.get_ylim()
        axes.yaxis.set_minor_formatter(ScalarFormatter() if highest / lowest < 10 else NullFormatter())
        axes.legend(fontsize=8)

    ends = "; ".join(f"{job.varied or job.row['job']}: {min(loss for _, loss in c['val']):.1f}" for job, c in drawn)
    caption = "Lines are of validation, dots of training, on a logarithmic axis."
    return draw("curves", f"Error by epoch of {len(drawn)} jobs. Lowest validation MSE: {ends}.", plot, caption=caption)


def read_curves(path: Path) -> dict[str, list[tuple[int, float]]]:
    """Return the finite losses of a ``metrics.csv`` by epoch; rows that cannot be read are skipped."""
    found: dict[str, list[tuple[int, float]]] = {"train": [], "val": []}
    rows: list[dict[str, str]] = []
    with suppress(OSError, ValueError, csv.Error), path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for part, points in found.items():
            with suppress(KeyError, TypeError, ValueError):
                epoch, loss = int(row["epoch"]), float(row[f"{part}/loss"])
                if math.isfinite(loss) and loss > 0:
                    points.append((epoch, loss))
    return found
