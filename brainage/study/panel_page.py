"""The page of a panel, and its tables: ``index.html``, ``panel.csv``, ``panel.md`` and ``errors.csv``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter

from brainage.evaluation.panel import PanelErrors, on_front
from brainage.reporting.figure import BLUE, GREEN, GREY, Figure, draw
from brainage.reporting.page import Page, Section, Table, made_with
from brainage.reporting.text import integer, number, with_interval
from brainage.study.index import commits_of
from brainage.study.panel_plan import Panel
from brainage.study.panel_table import (
    PanelResults,
    difference_in,
    difference_text,
    markdown,
    number_text,
    order_table,
    panel_table,
    text_rows,
)
from brainage.study.plan import Step
from brainage.system.files import write_csv, write_text

# Of the lowest test MAE: models with more, such as the mean age, are drawn at this height, to tell the others apart.
_HIGHEST = 1.25

_METHOD = (
    "Each split draws training, validation and test participants of the cohort at random. Predictions of a network are "
    "averaged over its seeds within each split. Intervals (95 %) and p values are those of the corrected resampled "
    "t-test (Nadeau & Bengio 2003, doi 10.1023/A:1024068626366) over splits, which allows for training sets that "
    "overlap: {terms}. p values are not corrected for the number of models."
)


def write_panel(out: Path, panel: Panel, steps: Sequence[Step], found: PanelResults, machine: str) -> None:
    """Write the page and the tables into the panel's folder."""
    sections = []
    lead = [f"{len(found.runs)} of {len(panel.models)} models are compared, on {panel.n_splits} random splits."]
    if found.errors is not None:
        table = panel_table(panel, found, found.errors)
        write_csv(out / "panel.csv", table)
        write_text(out / "panel.md", markdown(table))
        write_csv(out / "errors.csv", found.errors.shown())
        lead += _lead(found.errors, found.errors.order[0], panel.reference)
        sections += [_accuracy(table, found.errors)]
        if drawn := front_figure(found, found.errors):
            sections += [Section("Error and size", figures=[drawn])]
    if found.shuffled:
        order, terms = order_table(found)
        write_csv(out / "order.csv", order)
        sections.append(_order(order, terms))
    if found.left_out:
        rows = [[name, reason] for name, reason in found.left_out.items()]
        sections.append(Section("Not compared", tables=[Table(("model", "reason"), rows, text=True)]))
    links = [(step.label, quote(f"{step.stage}/{step.name}/report.html")) for step in steps if step.result.is_file()]
    sections.append(_what_was_run(panel, machine, links, commits_of(found.done, steps)))
    write_text(out / "index.html", Page("The panel", lead, sections).html())


def _lead(errors: PanelErrors, best: str, reference: str) -> list[str]:
    test = errors.test(best)
    if test is None:
        return [
            "Test errors are not shown: a part has fewer than ten participants, or the models' parts differ by fewer "
            "than ten."
        ]
    lead = [f"Lowest validation error: {best}, whose test MAE is {with_interval(test.mean)} years."]
    if best != reference and (minus := errors.test(best, reference)) is not None:
        lead.append(f"Minus {reference}: {difference_text(minus)}.")
    return lead


def _accuracy(table: pd.DataFrame, errors: PanelErrors) -> Section:
    test = errors.test(errors.order[0])
    terms = "test errors are not shown" if test is None else test.terms
    note = (
        f"MAE in years, mean over {table['n_splits'].iloc[0]} splits of {errors.n_train:.0f} training, "
        f"{errors.n('val'):.0f} validation and {errors.n('test'):.0f} test participants. In the order of validation "
        "error, which says which model is best; test sets choose nothing. Milliseconds of this machine's CPU to "
        "predict a participant, on one thread, 64 together. Seconds on the clock to fit the model once."
    )
    return Section("Accuracy", [_METHOD.format(terms=terms)], [Table(*text_rows(table), note=note)])


def front_figure(found: PanelResults, errors: PanelErrors) -> Figure | None:
    """Draw test error against the number of parameters, and the front by validation error."""
    tests = {name: test for name in errors.order if (test := errors.test(name)) is not None}
    if not tests:
        return None
    sizes = {name: max(1, found.runs[name].parameters) for name in tests}
    front = on_front({name: (sizes[name], errors.mean(name, "val") or 0.0) for name in tests})
    values = {name: test.mean.value or 0.0 for name, test in tests.items()}
    highest = _HIGHEST * min(values.values())

    def plot(canvas: Canvas) -> None:
        axes, names = canvas.subplots(1, 2, width_ratios=(4, 1))
        for place, (name, test) in enumerate(tests.items(), start=1):
            size, value, colour = sizes[name], min(values[name], highest), GREEN if name in front else BLUE
            if test.mean.low is not None and test.mean.high is not None and values[name] <= highest:
                axes.plot([size] * 2, [test.mean.low, test.mean.high], color=colour, linewidth=1, alpha=0.5)
            marker, width = ("o", 12) if values[name] <= highest else ("^", 18)
            axes.plot(size, value, marker, color=colour, markersize=width)
            axes.text(size, value, str(place), color="white", fontsize=7, ha="center", va="center")
            names.text(0, 1 - (place - 0.5) / len(tests), f"{place}  {name}", fontsize=8, color=colour, va="center")
        line = [(sizes[name], min(values[name], highest)) for name in front]
        axes.plot(*zip(*line, strict=True), ":", color=GREY, zorder=1)
        axes.set(xscale="log", xlabel="parameters", ylabel="test MAE (years)", xlim=(0.5, 2 * max(sizes.values())))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        names.axis("off")

    alt = "Test MAE against the number of parameters: " + ", ".join(
        f"{name} {integer(sizes[name])}, {number(test.mean.value)} years" for name, test in tests.items()
    )
    caption = (
        "Numbers are places by validation error, lines 95 % intervals. Green, joined by the dotted line: the front, "
        "models that have a lower validation error than every model of the same or a smaller size."
    )
    if max(values.values()) > highest:
        caption += f" Triangles have a test MAE above {number(highest)} years."
    return draw("front", f"{alt}.", plot, size=(9, 4.5), caption=caption)


def _order(table: pd.DataFrame, terms: str) -> Section:
    """Return whether networks use the order of time points."""
    rows = [
        [
            row["network"],
            *(number_text(row[column]) for column in ("in_order_mae", "shuffled_mae")),
            difference_in(row, "difference"),
        ]
        for row in table.to_dict("records")
    ]
    text = (
        "The networks with the lowest validation error, trained and tested again on series whose time points are "
        "shuffled (one permutation for all components of a participant, which keeps their correlations). Where their "
        "error is higher, the network uses the order of time points."
    )
    note = f"Test MAE in years; one seed; corrected resampled t-test: {terms}."
    header = ("network", "trained on series in order", "trained on shuffled series", "shuffled minus in order")
    return Section("Use of the order of time", [text], [Table(header, rows, note=note)])


def _what_was_run(
    panel: Panel, machine: str, links: Sequence[tuple[str, str]], commits: list[tuple[str, str]]
) -> Section:
    own = [(f"model {name}", shlex.join(words)) for name, words in panel.models.items()]
    about = [*made_with(), ("machine", machine), ("size", panel.described())]
    about += [("every training", shlex.join(panel.overrides) or "no overrides"), *own, *commits]
    return Section(
        "What was run", tables=[Table((), about, text=True)], links=[(f"{n}: report", at) for n, at in links]
    )
