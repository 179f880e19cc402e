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
    estimate_in,
    integer,
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
    rows = [
        [f"({row['first']}) - ({row['second']})", _difference(row), p_text(row["p"])]
        for row in found.differences.to_dict("records")
    ]
    return ("first - second", "difference in MAE (95 % interval)", "p"), rows


def weight_rows(stack: Stack) -> Rows:
    """Return header and rows of a stack's weights, one row per run."""
    rows = [[name, number(weight), years(stack.shown_errors[name])] for name, weight in stack.weights.items()]
    return ("run", "weight", "MAE on validation participants"), rows


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
        Section(
            "Paired differences",
            ["All runs share the bootstrap resamples of participants. Below 0, the first run is better."],
            [Table(*difference_rows(found))],
        ),
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
            f"mean SD between its members {years(tested['predicted_age_sd'].mean())}."
        )
    if found.stack is not None:
        lead += [f"{_against(found, name, what)}." for name, what in _rivals(found.stack)]
    if len(found.agreement) == 1:
        row = found.differences.to_dict("records")[0]
        lead.append(
            f"Difference in MAE, ({row['first']}) - ({row['second']}): {_difference(row)} ({p_phrase(row['p'])})."
        )
    return lead
