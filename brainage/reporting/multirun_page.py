"""Report of a multirun: a table of its jobs, and their training curves in one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator, NullFormatter, ScalarFormatter

from brainage.evaluation.disclosure import MIN_SHOWN, may_describe
from brainage.evaluation.folds import FoldResults
from brainage.evaluation.learning_curve import LearningCurve
from brainage.evaluation.repeats import repeats_of
from brainage.reporting import CHOSEN
from brainage.reporting.figure import BLUE, GREEN, GREY, ORANGE, RED, Figure, draw
from brainage.reporting.fold_section import fold_cards, fold_section, models_section, repeat_section
from brainage.reporting.learning_section import learning_section
from brainage.reporting.page import Page, Section, Table, made_with, write_report
from brainage.reporting.text import integer
from brainage.system.console import cell
from brainage.system.reading import read_csv

# One colour per job, repeated with another dash: the colours of the other figures, black, and more of Okabe and Ito.
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


def write_multirun_report(
    folder: Path,
    jobs: Sequence[Job],
    shared: Sequence[str],
    folds: Sequence[FoldResults] = (),
    curves: Sequence[LearningCurve] = (),
) -> Path:
    """Write ``report.html`` and the figures.

    `shared` are the overrides of all jobs; `folds` are the results of their folds, of which none is the best; `curves`
    are their learning curves, if they differ in their training participants.
    """
    finished = [job for job in jobs if job.row["status"] == "finished"]
    lead = [f"{len(jobs)} jobs, {len(finished)} finished. Overrides of all jobs: {' '.join(shared) or 'none'}."]
    ranked = sorted((job for job in finished if job.row["val/mse"] is not None), key=lambda job: job.row["val/mse"])
    text = "MSE and MAE are those of the best epoch."
    if ranked and not folds and not curves:
        best = ranked[0]
        lead.append(f"Lowest validation MSE: {best.row['val/mse']:.2f}, with {best.varied or 'the defaults'}.")
        text += " Select by validation error, not by test error, which is shown of what was selected."
    if len(ranked) < len(finished):
        text += f" Errors of fewer than {MIN_SHOWN} participants are not shown."
    chosen = [found for found in folds if found.chosen]
    repeats = repeats_of(chosen)
    lead += [each.sentence for each in repeats] if len(repeats) == 1 else []
    lead += [curve.sentence for curve in curves] if len(curves) == 1 else []
    sections = [
        *(learning_section(curve, place) for place, curve in enumerate(curves)),
        *([models_section(folds)] if len(chosen) < len(folds) else []),
        *map(repeat_section, repeats),
        *(fold_section(found, number) for number, found in enumerate(chosen)),
        *_chosen_section(folder),
        Section("Jobs", [text], [_table(jobs)], _curves(jobs), links=_links(folder, jobs)),
        Section("What was run", tables=[Table((), made_with(), text=True)]),
    ]
    cards = fold_cards(folds[0]) if len(folds) == 1 else []
    return write_report(folder, Page(_title(jobs, folds), lead, sections, cards=cards))


def _chosen_section(folder: Path) -> list[Section]:
    """Return what each outer fold of a nested search chose; nothing for other multiruns."""
    table = pd.DataFrame()
    with suppress(OSError, ValueError):
        table = read_csv(folder / CHOSEN, dtype=str, keep_default_na=False)
    if table.empty:
        return []
    names = [f"job {job}" for job in table["job"]]
    rows = [[name, *map(_shortened, table[name])] for name in table.columns if name != "job"]
    text = (
        "Nested search: each fold was searched by itself, and is tested by the network that its own training and "
        "validation participants chose. Parameters on which folds disagree are not determined by the data."
    )
    return [Section("What each fold chose", [text], [Table(("parameter", *names), rows)])]


def _shortened(value: str) -> str:
    """Return a value with at most three digits after the leading zeros; other text as it is."""
    with suppress(ValueError):
        return value if value.isdigit() else f"{float(value):.3g}"
    return value


def _title(jobs: Sequence[Job], folds: Sequence[FoldResults]) -> str:
    return f"{len(folds[0].folds)} {folds[0].label}s" if len(folds) == 1 else f"Multirun of {len(jobs)} jobs"


def _links(folder: Path, jobs: Sequence[Job]) -> list[tuple[str, str]]:
    """Return the addresses of the jobs' reports, relative to the page."""
    return [
        (
            f"Report of job {job.row['job']}: {job.varied or 'the defaults'}",
            quote(report.relative_to(folder).as_posix()),
        )
        for job in jobs
        if (report := job.folder / "report.html").is_file()
    ]


def _table(jobs: Sequence[Job]) -> Table:
    rows = [
        [str(job.row["job"]), job.varied, str(job.row["status"]), *(_text(job.row.get(key)) for key in _COLUMNS)]
        for job in jobs
    ]
    reasons = [f"Job {job.row['job']}: {job.row['reason']}" for job in jobs if job.row["reason"]]
    return Table(("job", "overrides", "status", *_COLUMNS.values()), rows, note=" ".join(reasons))


def _text(value: object) -> str:
    return integer(value) if isinstance(value, int) else cell(value, ".2f")


def _curves(jobs: Sequence[Job]) -> list[Figure]:
    """Draw the training and validation errors of all jobs by epoch; no figure if there are none."""
    drawn = [(job, curves) for job in jobs if (curves := _shown_curves(job.folder))["val"].any()]
    if all(len(curves) < 2 for _, curves in drawn):  # baselines have no epochs
        return []

    def plot(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for number, (job, curves) in enumerate(drawn):
            colour, dash = _COLOURS[number % len(_COLOURS)], _DASHES[number // len(_COLOURS) % len(_DASHES)]
            label = (job.varied or f"job {job.row['job']}") if number < _MOST_NAMED else None
            marker = "o" if len(curves) == 1 else ""  # one point makes no line
            axes.plot(curves.index, curves["val"], dash, color=colour, linewidth=1.6, label=label, marker=marker)
            axes.plot(curves.index, curves["train"], ":", color=colour, linewidth=1.0)
        axes.set(xlabel="epoch (from 0)", ylabel="mean squared error (years²)", yscale="log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(ScalarFormatter())
        lowest, highest = axes.get_ylim()
        axes.yaxis.set_minor_formatter(ScalarFormatter() if highest / lowest < 10 else NullFormatter())
        axes.legend(fontsize=8)

    ends = "; ".join(f"{job.varied or job.row['job']}: {curves['val'].min():.1f}" for job, curves in drawn)
    alt = f"Error by epoch of {len(drawn)} jobs. Minimum of the validation MSE: {ends}."
    return [draw("curves", alt, plot, caption="Thick lines: validation; dotted lines: training. Logarithmic axis.")]


def _shown_curves(folder: Path) -> pd.DataFrame:
    """Return a job's curves, NaN for parts of fewer than ten participants."""
    parts = pd.Series(dtype=str)
    with suppress(OSError, ValueError, KeyError):
        parts = read_csv(folder / "splits.csv", usecols=["split"])["split"]
    curves = read_curves(folder / "metrics.csv")
    small = [part for part in curves.columns if not may_describe(int((parts == part).sum()))]
    return curves.assign(**dict.fromkeys(small, np.nan))


def read_curves(path: Path) -> pd.DataFrame:
    """Return the columns ``train`` and ``val`` of a ``metrics.csv``: losses by epoch, NaN where not drawn."""
    table = pd.DataFrame()
    with suppress(OSError, ValueError):
        table = read_csv(path, on_bad_lines="skip")
    columns = {"epoch": "epoch", "train/loss": "train", "val/loss": "val"}
    losses: pd.DataFrame = (
        table.reindex(columns=list(columns)).rename(columns=columns).apply(pd.to_numeric, errors="coerce")
    )
    losses = losses.dropna(subset=["epoch"]).set_index("epoch")
    return losses.where(losses.gt(0) & losses.lt(np.inf))
