"""The table of a panel: ``panel.csv``, and the same numbers as text for the page and as Markdown."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from brainage import models
from brainage.evaluation.panel import PanelErrors, panel_errors
from brainage.evaluation.resampled import ResampledTest
from brainage.reporting.text import estimate_in, integer, number, p_phrase, signed_interval, with_interval
from brainage.study.panel_plan import ORDER_MODELS, Panel
from brainage.study.panel_runs import ModelRuns

# Names of the model's own columns in the table, and in texts.
_SIZES = {"parameters": "parameters", "milliseconds": "ms", "seconds": "s to train"}


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
    done : dict of str to (str or None)
        Commits at which steps were finished, by the step's label.
    """

    runs: Mapping[str, ModelRuns] = field(default_factory=dict)
    errors: PanelErrors | None = None
    milliseconds: Mapping[str, float] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    shuffled: Mapping[str, ModelRuns] = field(default_factory=dict)
    done: Mapping[str, str | None] = field(default_factory=dict)

    def best_networks(self, panel: Panel) -> list[str]:
        """Return the networks with the lowest validation error that are trained on series in order."""
        ranked = [] if self.errors is None else self.errors.order
        in_order = [name for name in ranked if "recipe.shuffle_time=true" not in panel.words(name)]
        return [name for name in in_order if not models.is_baseline(self.runs[name].model)][:ORDER_MODELS]


def panel_table(panel: Panel, found: PanelResults, errors: PanelErrors) -> pd.DataFrame:
    """Return ``panel.csv``: a row a model, by validation error."""
    best, reference = errors.order[0], panel.reference
    rows = []
    for name in errors.order:
        runs = found.runs[name]
        tests = {
            "test_mae": errors.test(name),
            "minus_best": errors.test(name, best) if name != best else None,
            "minus_reference": errors.test(name, reference) if name != reference else None,
        }
        row: dict[str, object] = {"model": name, "overrides": shlex.join(panel.models[name])}
        row |= {"val_mae": errors.mean(name, "val")}
        for column, test in tests.items():
            row |= _columns(column, test)
        row |= {"parameters": runs.parameters, "milliseconds": found.milliseconds.get(name), "seconds": runs.seconds}
        row |= {"n_splits": len(runs.predicted), "n_seeds": len(runs.seeds), "n_train": runs.n_train}
        row |= {"n_val": errors.n("val"), "n_test": errors.n("test"), "reference": reference}
        rows.append(row | {"commit": found.done.get(f"models/{name}")})
    return pd.DataFrame(rows).drop(columns=["test_mae_p"])


def _columns(name: str, test: ResampledTest | None) -> dict[str, float | None]:
    if test is None:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high", f"{name}_p"))
    return {name: test.mean.value, f"{name}_low": test.mean.low, f"{name}_high": test.mean.high, f"{name}_p": test.p}


def order_table(found: PanelResults) -> tuple[pd.DataFrame, str]:
    """Return ``order.csv``, a row a network that was trained on shuffled series too, and what its test depends on."""
    rows, terms = [], "test errors are not shown"
    for name, shuffled in found.shuffled.items():
        [seed] = shuffled.seeds
        both = {"shuffled": shuffled.predicted, "in order": found.runs[name].predicted_with(seed)}
        errors = panel_errors(both, shuffled.n_train)
        in_order, other, minus = errors.test("in order"), errors.test("shuffled"), errors.test("shuffled", "in order")
        means = {"in_order_mae": _mean(in_order), "shuffled_mae": _mean(other)}
        rows.append({"network": name, **means, **_columns("difference", minus), "n_splits": len(shuffled.predicted)})
        terms = terms if minus is None else minus.terms
    return pd.DataFrame(rows), terms


def _mean(test: ResampledTest | None) -> float | None:
    return None if test is None else test.mean.value


def text_rows(table: pd.DataFrame) -> tuple[Sequence[str], list[list[str]]]:
    """Return header and rows of ``panel.csv`` as text."""
    best, reference = table["model"].iloc[0], table["reference"].iloc[0]
    minus = {"minus_best": best, "minus_reference": reference} if best != reference else {"minus_best": best}
    rows = []
    for row in table.to_dict("records"):
        test = with_interval(estimate_in(row, "test_mae", "test_mae_low", "test_mae_high"))
        differences = [difference_in(row, column) for column in minus]
        sizes = [integer(int(row["parameters"])), _short(row["milliseconds"]), _short(row["seconds"])]
        rows.append([row["model"], number_text(row["val_mae"]), test, *differences, *sizes])
    header = ("model", "validation MAE", "test MAE", *(f"minus {name}" for name in minus.values()), *_SIZES.values())
    return header, rows


def markdown(table: pd.DataFrame) -> str:
    """Return ``panel.csv`` as a table in Markdown."""
    header, rows = text_rows(table)
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def difference_text(test: ResampledTest | None) -> str:
    """Return a difference with its interval and p, or a dash."""
    return "-" if test is None else difference_in(_columns("minus", test), "minus")


def difference_in(row: Mapping[Any, Any], column: str) -> str:
    """Return the difference in a table's row, with its interval and p."""
    p = row[f"{column}_p"]
    text = signed_interval(estimate_in(row, column, f"{column}_low", f"{column}_high"))
    return text if pd.isna(p) else f"{text}, {p_phrase(p)}"


def number_text(value: Any) -> str:
    """Return a number of a table with two decimals, or a dash."""
    return number(None if pd.isna(value) else float(value))


def _short(value: Any) -> str:
    """Return milliseconds or seconds with about two digits, or a dash."""
    if pd.isna(value):
        return "-"
    if value < 1:
        return "< 0.01" if value < 0.01 else f"{value:.2g}"
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"
