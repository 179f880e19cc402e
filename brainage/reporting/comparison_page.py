"""The report of a comparison of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from brainage.evaluation.compare_runs import ENSEMBLE, SideBySide
from brainage.evaluation.intervals import Estimate
from brainage.reporting import run_figures as figures
from brainage.reporting.page import Page, Section, Table, made_with
from brainage.reporting.run_page import METRICS, p_phrase, percent, signed_interval, with_interval

# Pairs of runs whose gaps are drawn.
_MOST_DRAWN = 6

Rows = tuple[Sequence[str], list[list[str]]]


def metric_rows(found: SideBySide, parameters: Sequence[int | None]) -> Rows:
    """Return header and rows of all metrics, a row a run.

    Parameters
    ----------
    found : SideBySide
        The comparison.
    parameters : sequence of int or None
        Of each run's model.
    """
    sizes = [*(("-" if size is None else f"{size:,}") for size in parameters), "-"][: len(found.names)]
    rows = [
        [name, *(with_interval(found.accuracy[name].estimates[key]) for key in METRICS), size]
        for name, size in zip(found.names, sizes, strict=True)
    ]
    return ("run", *(name for name, _ in METRICS.values()), "parameters"), rows


def difference_rows(found: SideBySide) -> Rows:
    """Return header and rows of the paired differences, a row a pair."""
    rows = [
        [
            f"{row['first']} less {row['second']}",
            f"{signed_interval(_estimate(row))} years",
            p_phrase(row["p"]),
        ]
        for row in found.differences.to_dict("records")
    ]
    return ("", "difference in MAE", ""), rows


def _sample(found: SideBySide) -> Table:
    """Return what accuracy depends on, and each run's predictions beside it."""
    first = found.accuracy[found.names[0]]
    note = (
        f"N = {first.n:,}; ages {first.age_mean:.2f} ± {first.age_sd:.2f} years, {first.age_min:.1f} to "
        f"{first.age_max:.1f}; the mean predictor's MAE is {first.mean_mae:.2f} years."
    )
    rows = [
        [name, f"{found.accuracy[name].predicted_sd:.2f} years", percent(found.accuracy[name].skill)]
        for name in found.names
    ]
    return Table(("run", "SD of predictions", "skill (1 - MAE / mean predictor's)"), rows, note=note)


def _estimate(row: Mapping[Any, Any]) -> Estimate:
    values = (row[name] for name in ("mae_difference", "low", "high"))
    return Estimate(*(None if pd.isna(value) else float(value) for value in values))


def comparison_page(
    found: SideBySide,
    places: Sequence[tuple[str, str]],
    parameters: Sequence[int | None],
    left_out: Sequence[str] = (),
    *,
    points: str,
) -> Page:
    """Return the report.

    Parameters
    ----------
    found : SideBySide
        The comparison.
    places : sequence of (str, str)
        Each run's name and folder.
    parameters : sequence of int or None
        Of each run's model.
    left_out : sequence of str
        Jobs of the multirun that are not compared.
    points : {"all", "none"}
        ``report.points``.
    """
    gaps = {name: (found.predicted[name] - found.predicted["age"]).to_numpy(float) for name in found.names}
    drawn = [figures.agreement(gaps[a], gaps[b], (a, b), points=points) for a, b in list(found.agreement)[:_MOST_DRAWN]]
    agreement = [[f"{a} and {b}", figures.text_of(r if r == r else None)] for (a, b), r in found.agreement.items()]
    missing = [("left out", job) for job in left_out]
    sections = [
        Section(
            "Accuracy",
            ["Of raw predictions, on the participants that all runs tested; 95 % intervals by bootstrap."],
            [Table(*metric_rows(found, parameters)), _sample(found)],
        ),
        Section(
            "Paired differences",
            ["By a bootstrap over participants, the same resamples for all. Below 0: the first is better."],
            [Table(*difference_rows(found))],
        ),
        Section(
            "Agreement",
            ["How far the runs' brain-age gaps agree, person by person."],
            [Table(("gaps of", "r"), agreement)],
            [figure for figure in drawn if figure is not None],
        ),
        Section("What was compared", tables=[Table((), [*places, *missing, *made_with()], text=True)]),
    ]
    n_runs = len(found.n_test)
    return Page(f"Comparison of {n_runs} runs", _lead(found), sections)


def _lead(found: SideBySide) -> list[str]:
    """Return what a reader is to know first."""
    runs = found.names if found.ensemble is None else found.names[:-1]
    best = min(runs, key=lambda name: found.accuracy[name].estimates["mae"].value or 0.0)
    lead = [
        f"{found.n_shared:,} test participants are shared by {len(runs)} runs. Lowest MAE: {best}, "
        f"{with_interval(found.accuracy[best].estimates['mae'])} years."
    ]
    if found.ensemble is not None:
        lead.append(
            f"Of the ensemble, which is their mean: {with_interval(found.accuracy[ENSEMBLE].estimates['mae'])} years; "
            f"its members differ by {found.ensemble['predicted_age_sd'].mean():.2f} years in the mean participant (SD)."
        )
    if len(found.agreement) == 1:
        row = found.differences.to_dict("records")[0]
        lead.append(
            f"{row['first']} less {row['second']}: {signed_interval(_estimate(row))} years of MAE "
            f"({p_phrase(row['p'])})."
        )
    return lead
