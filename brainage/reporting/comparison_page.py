"""Report of a comparison of runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from brainage.evaluation.compare_runs import MEAN, STACK, Comparison
from brainage.evaluation.stack import Stack
from brainage.reporting import run_figures as figures
from brainage.reporting.page import Page, Section, Table, made_with
from brainage.reporting.text import (
    METRICS,
    SD_NOTE,
    estimate_in,
    integer,
    interval,
    mean_sd,
    middle,
    number,
    p_phrase,
    p_text,
    percent,
    signed_interval,
    with_interval,
    years,
)

# Pairs of runs drawn at most.
_MOST_DRAWN = 6

Rows = tuple[Sequence[str], list[list[str]]]


def comparison_rows(found: Comparison, parameters: Sequence[int | None]) -> Rows:
    """Return header and rows of all metrics, one row per run; `parameters` are the sizes of their models."""
    sizes = [*map(integer, parameters), "-", "-"][: len(found.names)]
    rows = [
        [name, *(with_interval(found.accuracy[name].estimates[key]) for key in METRICS), size]
        for name, size in zip(found.names, sizes, strict=True)
    ]
    return ("run", *(name for name, _ in METRICS.values()), "parameters"), rows


def difference_rows(found: Comparison) -> Rows:
    """Return header and rows of the paired differences, one row per pair."""
    header, columns = ["first - second", "difference in MAE (95 % interval)", "p"], ["p"]
    if len(found.differences) > 1:
        header, columns = [*header, "p (Holm)"], [*columns, "p_holm"]
    tested = bool(found.differences["p_resampled"].notna().any())
    rows = [
        [
            f"({row['first']}) - ({row['second']})",
            _difference(row),
            *(p_text(row[column]) for column in columns),
            *([_resampled(row)] if tested else []),
        ]
        for row in found.differences.to_dict("records")
    ]
    return [*header, *(["over folds, corrected resampled t-test"] if tested else [])], rows


def _resampled(row: Mapping[Any, Any]) -> str:
    estimate = estimate_in(row, "mae_difference", "resampled_low", "resampled_high")
    return "-" if estimate.low is None else f"{interval(estimate)}, {p_phrase(row['p_resampled'])}"


def method_rows(found: Comparison) -> Rows:
    """Return header and rows of the methods, with mean and SD of the MAE over their trainings."""
    rows = [
        [str(row["method"]), str(row["trainings"]), number(row["mae_mean"]), number(row["mae_sd"])]
        for row in (method.row() for method in found.methods)
    ]
    return ("method", "trainings", "mean MAE (years)", "SD over trainings"), rows


def comparison_notes(found: Comparison) -> list[str]:
    """Return what the differences do not say: that methods were trained once, or that there is one method only."""
    single = [method.name for method in found.methods if method.is_single]
    if len(found.methods) == 1:
        return ["All runs are trainings of one method, which differ by their seed only: there are no two to compare."]
    if not single:
        return []
    whose = "each" if len(single) == len(found.methods) else f"only of {'; '.join(single)}"
    return [
        f"One training {whose}: intervals and p contain no variation between seeds, and another seed may reverse a "
        "difference. To compare methods, train several seeds of each (--multirun seed=1,2,3,4) and compare all runs."
    ]


def weight_rows(stack: Stack) -> Rows:
    """Return header and rows of a stack's weights, one row per run."""
    rows = [[name, number(weight), years(stack.shown_errors[name])] for name, weight in stack.weights.items()]
    return ("run", "weight", "MAE on validation participants"), rows


def _differences(found: Comparison) -> Section:
    """Return the methods and their differences."""
    texts = ["Below 0, the first is better. Intervals and p are from a bootstrap over participants, the same for all."]
    if found.has_repeats:
        texts.append(
            "Runs that differ only by seed, or draw of folds, are trainings of one method: its error is their mean, "
            "and the bootstrap resamples participants and trainings."
        )
    if len(found.differences) > 1:
        texts.append(f"p (Holm) is adjusted for the {len(found.differences)} comparisons of the table.")
    if found.differences["p_resampled"].notna().any():
        texts.append(
            "Folds share training participants: the corrected resampled t-test multiplies the variance over folds by "
            "1 / (repeats x folds) + 1 / (folds - 1) (Nadeau and Bengio 2003, doi 10.1023/A:1024068626366)."
        )
    tables = [Table(*method_rows(found))] if found.has_repeats else []
    if len(found.differences):
        tables.append(Table(*difference_rows(found)))
    return Section("Paired differences", [*texts, *comparison_notes(found)], tables)


def _stack(found: Comparison, stack: Stack) -> Section:
    """Return how the runs were joined, and how the stack differs from what it should beat."""
    fitted = (
        f"The weights below were fitted on the {stack.whom}. The participants of each fold are predicted with weights "
        "that were fitted on those of the other folds."
        if stack.n_folds
        else f"They were fitted on the {stack.whom} that all runs share; test participants had no part in them."
    )
    texts = [
        "The age predicted by the stack is the weighted mean of the ages that the runs predict. Weights are 0 or more. "
        f"{fitted}",
        *(f"{_against(found, name, what)}." for name, what in _rivals(stack)),
    ]
    return Section("Stack", texts, [Table(*weight_rows(stack))])


def _rivals(stack: Stack) -> list[tuple[str, str]]:
    return [(stack.best, f"best run by validation error ({stack.best})"), (MEAN, MEAN)]


def _against(found: Comparison, name: str, what: str) -> str:
    rows = found.differences
    row = rows[(rows["first"] == name) & (rows["second"] == STACK)].to_dict("records")[0]
    return f"Difference in test MAE, {what} - stack: {_difference(row)} ({p_phrase(row['p'])})"


def _sample(found: Comparison) -> Table:
    """Return the ages that accuracy depends on, and the spread of each run's predictions."""
    first = found.accuracy[found.names[0]]
    note = (
        f"N = {first.n:,}; age {mean_sd(first.age_mean, first.age_sd)} years, 5th to 95th percentile "
        f"{middle(first.age_p5, first.age_p95)}; MAE of the mean predictor {years(first.mean_mae)}."
    )
    rows = [[name, years(each.predicted_sd), percent(each.skill)] for name, each in found.accuracy.items()]
    return Table(("run", "SD of predictions", "skill (1 - MAE / MAE of the mean predictor)"), rows, note=note)


def _difference(row: Mapping[Any, Any]) -> str:
    return f"{signed_interval(estimate_in(row, 'mae_difference', 'low', 'high'))} years"


def comparison_page(
    found: Comparison,
    places: Sequence[tuple[str, str]],
    parameters: Sequence[int | None],
    left_out: Sequence[str] = (),
    *,
    points: str,
) -> Page:
    """Return the report."""
    drawn = [
        figures.agreement(found.gap(a), found.gap(b), (a, b), points=points)
        for a, b in list(found.agreement)[:_MOST_DRAWN]
    ]
    agreement = [[f"{a} and {b}", number(None if math.isnan(r) else r)] for (a, b), r in found.agreement.items()]
    excluded = [("excluded", job) for job in left_out]
    sections = [
        Section(
            "Accuracy",
            ["Metrics of raw predictions on the shared test participants, with 95 % bootstrap intervals."],
            [Table(*comparison_rows(found, parameters)), _sample(found)],
        ),
        _differences(found),
        *([] if found.stack is None else [_stack(found, found.stack)]),
        Section(
            "Agreement",
            ["Correlation of the brain-age gaps of two runs over participants."],
            [Table(("gaps of", "r"), agreement)],
            [figure for figure in drawn if figure is not None],
        ),
        Section("What was compared", tables=[Table((), [*places, *excluded, *made_with()], text=True)]),
    ]
    return Page(f"Comparison of {len(found.n_test)} runs", _lead(found), sections)


def _lead(found: Comparison) -> list[str]:
    """Return the summary sentences at the top of the page."""
    best = min(found.runs, key=lambda name: found.accuracy[name].estimates["mae"].value or 0.0)
    lead = [
        f"{found.n_shared:,} test participants are shared by {len(found.runs)} runs. Lowest MAE: {best}, "
        f"{with_interval(found.accuracy[best].estimates['mae'])} years."
    ]
    if found.ensemble is not None:
        tested = found.ensemble[found.ensemble["split"] == "test"]
        name, what = (MEAN, "mean of all runs") if found.stack is None else (STACK, "stack of all runs")
        lead.append(
            f"Ensemble ({what}): MAE {with_interval(found.accuracy[name].estimates['mae'])} years; "
            f"mean SD between its members {years(tested['predicted_age_sd'].mean())}. {SD_NOTE}"
        )
    if found.stack is not None:
        lead += [f"{_against(found, name, what)}." for name, what in _rivals(found.stack)]
    if len(found.differences) == 1:
        row = found.differences.to_dict("records")[0]
        lead.append(
            f"Difference in MAE, ({row['first']}) - ({row['second']}): {_difference(row)} ({p_phrase(row['p'])})."
        )
    return [*lead, *comparison_notes(found)]
