"""The page of a panel, and its tables: ``index.html``, ``panel.csv`` and ``errors.csv``."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter

from brainage import models
from brainage.evaluation.panel import PanelErrors, on_front, panel_errors
from brainage.evaluation.resampled import ResampledTest
from brainage.reporting.figure import BLUE, GREEN, GREY, Figure, draw
from brainage.reporting.page import Page, Section, Table, made_with
from brainage.reporting.text import integer, number, p_phrase, signed_interval, with_interval
from brainage.study.panel_plan import ORDER_MODELS, Panel
from brainage.study.panel_runs import ModelRuns
from brainage.study.plan import Step
from brainage.system.files import write_csv, write_text

_METHOD = (
    "Each split draws training, validation and test participants of the same cohort anew. Predictions of a network are "
    "averaged over its seeds within each split. Intervals (95 %) and p values are those of the corrected resampled "
    "t-test (Nadeau & Bengio 2003, doi 10.1023/A:1024068626366) over splits, which allows for training sets that "
    "overlap: {terms}. p values are not corrected for the number of models."
)


@dataclass(frozen=True)
class PanelResults:
    """Results of the models whose trainings have finished.

    Parameters
    ----------
    runs : dict of str to ModelRuns
        By name.
    errors : PanelErrors or None
        Of these models; None before the first has finished.
    milliseconds : dict of str to float
        To predict a participant, by name, where it was measured.
    left_out : dict of str to str
        Why other models are not compared.
    shuffled : dict of str to ModelRuns
        Of networks that were trained on shuffled series, by name.
    """

    runs: Mapping[str, ModelRuns] = field(default_factory=dict)
    errors: PanelErrors | None = None
    milliseconds: Mapping[str, float] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    shuffled: Mapping[str, ModelRuns] = field(default_factory=dict)

    def best_networks(self, panel: Panel) -> list[str]:
        """Return the networks with the lowest validation error that are trained on series in order."""
        ranked = [] if self.errors is None else self.errors.order
        in_order = [name for name in ranked if "recipe.shuffle_time=true" not in panel.words(name)]
        return [name for name in in_order if not models.is_baseline(self.runs[name].model)][:ORDER_MODELS]


def write_panel(out: Path, panel: Panel, steps: Sequence[Step], found: PanelResults, machine: str) -> None:
    """Write the page and the tables into the panel's folder."""
    sections = []
    lead = [f"{len(found.runs)} of {len(panel.models)} models are compared, on {panel.n_splits} random splits."]
    if found.errors is not None:
        table = panel_table(panel, found, found.errors)
        write_csv(out / "panel.csv", table)
        write_csv(out / "errors.csv", found.errors.shown())
        best = found.errors.order[0]
        lead += _lead(found.errors, best, panel.reference)
        sections += _sections(panel, found, found.errors)
    sections += [order_section(found)] if found.shuffled else []
    if found.left_out:
        rows = [[name, reason] for name, reason in found.left_out.items()]
        sections.append(Section("Not compared", tables=[Table(("model", "reason"), rows, text=True)]))
    links = [(step.label, quote(f"{step.stage}/{step.name}/report.html")) for step in steps if step.result.is_file()]
    sections.append(_what_was_run(panel, machine, links))
    write_text(out / "index.html", Page("The panel", lead, sections).html())


def panel_table(panel: Panel, found: PanelResults, errors: PanelErrors) -> pd.DataFrame:
    """Return ``panel.csv``: a row a model, by validation error."""
    best = errors.order[0]
    rows = []
    for name in errors.order:
        runs, val = found.runs[name], errors.mean(name, "val")
        row: dict[str, object] = {"model": name, "overrides": shlex.join(panel.models[name]), "val_mae": val}
        tests = {
            "test_mae": errors.test(name),
            "minus_best": errors.test(name, best) if name != best else None,
            "minus_reference": errors.test(name, panel.reference) if name != panel.reference else None,
        }
        for column, test in tests.items():
            row |= _columns(column, test)
        row |= {"parameters": runs.parameters, "milliseconds": found.milliseconds.get(name), "seconds": runs.seconds}
        row |= {"n_splits": len(runs.predicted), "n_seeds": len(runs.seeds), "n_train": runs.n_train}
        rows.append(row | {"n_val": errors.n("val"), "n_test": errors.n("test")})
    return pd.DataFrame(rows).drop(columns=["test_mae_p"])


def _columns(name: str, test: ResampledTest | None) -> dict[str, float | None]:
    if test is None:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high", f"{name}_p"))
    return {name: test.mean.value, f"{name}_low": test.mean.low, f"{name}_high": test.mean.high, f"{name}_p": test.p}


def _lead(errors: PanelErrors, best: str, reference: str) -> list[str]:
    test = errors.test(best)
    if test is None:
        return ["A test or validation part has fewer than ten participants, so that its errors are not shown."]
    lead = [f"Lowest validation error: {best}, whose test MAE is {with_interval(test.mean)} years."]
    if best != reference and (minus := errors.test(best, reference)) is not None:
        lead.append(f"Minus {reference}: {difference_text(minus)}.")
    return lead


def difference_text(test: ResampledTest | None) -> str:
    """Return a difference with its interval and p, or a dash."""
    if test is None:
        return "-"
    return signed_interval(test.mean) + ("" if test.p is None else f", {p_phrase(test.p)}")


def _sections(panel: Panel, found: PanelResults, errors: PanelErrors) -> list[Section]:
    best = errors.order[0]
    others = list(dict.fromkeys((best, panel.reference)))
    rows = []
    for name in errors.order:
        runs, test = found.runs[name], errors.test(name)
        minus = [difference_text(errors.test(name, other)) if name != other else "-" for other in others]
        test_mae = "-" if test is None else with_interval(test.mean)
        sizes = [integer(runs.parameters), _short(found.milliseconds.get(name)), _short(runs.seconds)]
        rows.append([name, number(errors.mean(name, "val")), test_mae, *minus, *sizes])
    header = ("model", "validation MAE", "test MAE", *(f"minus {other}" for other in others), "parameters")
    test = errors.test(best)
    terms = "too few participants are tested" if test is None else test.terms
    note = (
        f"MAE in years, mean over {len(found.runs[best].predicted)} splits; training, validation and test participants "
        f"of a split: {errors.n_train:.0f}, {errors.n('val'):.0f}, {errors.n('test'):.0f}. In the order of validation "
        "error, which says which model is best; test sets choose nothing. Milliseconds to predict a participant, on "
        "one thread of this machine's CPU, 64 at a time. Seconds to fit the model once."
    )
    columns = (*header, "ms", "s to train")
    accuracy = Section("Accuracy", [_METHOD.format(terms=terms)], [Table(columns, rows, note=note)])
    drawn = front_figure(found, errors)
    return [accuracy] if drawn is None else [accuracy, Section("Error and size", figures=[drawn])]


def _short(value: float | None) -> str:
    """Return milliseconds or seconds with two digits or more, or a dash."""
    return "-" if value is None else "< 0.01" if value < 0.01 else f"{value:.2g}" if value < 10 else f"{value:,.0f}"


def front_figure(found: PanelResults, errors: PanelErrors) -> Figure | None:
    """Draw test error against the number of parameters, and the front by validation error."""
    tests = {name: test for name in errors.order if (test := errors.test(name)) is not None}
    if not tests:
        return None
    sizes = {name: max(1, found.runs[name].parameters) for name in tests}
    front = on_front({name: (sizes[name], errors.mean(name, "val") or 0.0) for name in tests})

    def plot(canvas: Canvas) -> None:
        axes = canvas.subplots()
        values = {name: float(test.mean.value or 0.0) for name, test in tests.items()}
        for name, test in tests.items():
            colour = GREEN if name in front else BLUE
            if test.mean.low is not None and test.mean.high is not None:
                axes.plot([sizes[name]] * 2, [test.mean.low, test.mean.high], color=colour, linewidth=1)
            axes.scatter(sizes[name], values[name], color=colour, zorder=3)
            where = (sizes[name], values[name])
            axes.annotate(name, where, xytext=(6, 4), textcoords="offset points", fontsize=8)
        axes.plot(
            [sizes[name] for name in front], [values[name] for name in front], color=GREY, linestyle=":", zorder=1
        )
        axes.set(xscale="log", xlabel="parameters", ylabel="test MAE (years)")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.margins(x=0.25)

    alt = "Test MAE against the number of parameters: " + ", ".join(
        f"{name} {integer(sizes[name])}, {number(test.mean.value)} years" for name, test in tests.items()
    )
    caption = (
        "Lines are 95 % intervals. Green, joined by the dotted line: the front, models that have a lower validation "
        "error than every model of the same or a smaller size."
    )
    return draw("front", f"{alt}.", plot, size=(8, 4.5), caption=caption)


def order_section(found: PanelResults) -> Section:
    """Return whether networks use the order of time points: the error of the same ones trained on shuffled series."""
    rows, tests = [], []
    for name, shuffled in found.shuffled.items():
        [seed] = shuffled.seeds
        both = {"shuffled": shuffled.predicted, "in order": found.runs[name].predicted_with(seed)}
        errors = panel_errors(both, shuffled.n_train)
        each = [errors.test(one) for one in ("in order", "shuffled")]
        means = [number(None if test is None else test.mean.value) for test in each]
        minus = errors.test("shuffled", "in order")
        tests += [] if minus is None else [minus]
        rows.append([name, *means, difference_text(minus)])
    text = (
        "The networks with the lowest validation error, trained and tested again on series whose time points are "
        "shuffled (one permutation for all components of a participant, which keeps their correlations). Where their "
        "error is higher, the network uses the order of time points."
    )
    splits = [len(each.predicted) for each in found.shuffled.values()]
    note = f"Test MAE in years; {max(splits)} splits, one seed"
    note += f"; corrected resampled t-test: {tests[0].terms}." if tests else "."
    header = ("network", "trained on series in order", "trained on shuffled series", "shuffled minus in order")
    return Section("Use of the order of time", [text], [Table(header, rows, note=note)])


def _what_was_run(panel: Panel, machine: str, links: Sequence[tuple[str, str]]) -> Section:
    own = [(f"model {name}", shlex.join(words)) for name, words in panel.models.items()]
    about = [*made_with(), ("machine", machine), ("size", panel.described())]
    about += [("every training", shlex.join(panel.overrides) or "no overrides"), *own]
    return Section(
        "What was run", tables=[Table((), about, text=True)], links=[(f"{n}: report", at) for n, at in links]
    )
