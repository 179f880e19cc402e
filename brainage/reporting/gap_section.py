"""The section of the brain-age gap of a page of findings."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from brainage.evaluation.disclosure import MIN_SHOWN, may_describe
from brainage.evaluation.findings import Findings
from brainage.evaluation.gap import Correction
from brainage.evaluation.intervals import Estimate
from brainage.reporting import run_figures as figures
from brainage.reporting.about import About
from brainage.reporting.densities import GAPS
from brainage.reporting.page import Section, Table, some
from brainage.reporting.text import interval, mean_sd, number

_CORRECTIONS = {
    "linear": "gap - (intercept + slope · age), fitted on gaps",
    "cole": "(predicted age - intercept) / slope - age, fitted on predicted ages",
    "crossfit": "gap - (intercept + slope · age), fitted on gaps of held-out participants",
    "in_sample": "gap - (intercept + slope · age), fitted on the analysed rows themselves, as published: the linear "
    "trend with age is removed by construction",
}


def gap_section(findings: Findings, about: About) -> Section | None:
    """Return the gap, its correction, and what remains by age; None where too few participants are analysed."""
    if not may_describe(findings.accuracy.n):
        return None
    texts = [
        "The brain-age gap is predicted minus chronological age. It depends on age, because predictions regress to the "
        "mean."
    ]
    texts += [_correction_text(findings.corrections)] if findings.corrections else []
    texts += [] if findings.trend is None else [_trend_text(findings.trend)]
    by_age = findings.by_age
    names = [name for name in ("bag", "bag_corrected") if name in by_age]
    header = ("age (years)", "N", *(GAPS[name][0] for name in names))
    rows = [
        [
            f"{row['age_low']:g} to {row['age_high']:g}",
            f"{row['n']:,}",
            *("" if pd.isna(row[name]) else mean_sd(row[name], row[f"{name}_sd"]) for name in names),
        ]
        for row in by_age.to_dict("records")
    ]
    note = (
        f"Mean ± SD, in years; bins of fewer than {MIN_SHOWN} participants are merged with a neighbour. A mean "
        "corrected gap other than 0 within a bin is bias that the correction does not remove "
        "(Zhang et al. 2023, doi 10.1016/j.nicl.2023.103319)."
    )
    drawn = [figures.gap_against_age(findings.rows, points=about.points), figures.gap_by_age(by_age)]
    return Section("Brain-age gap", texts, [Table(header, rows, note=note)], some(drawn))


def _trend_text(trend: Estimate) -> str:
    between = f" (95 % interval {interval(trend)}, which includes that of the fit)" if trend.low is not None else ""
    return f"In the analysed rows, the corrected gap correlates with age with r = {number(trend.value)}{between}."


def _correction_text(fits: Sequence[Correction]) -> str:
    fit = fits[0]
    method = f"Corrected gap ({fit.method}): {_CORRECTIONS[fit.method]}."
    if fit.method == "crossfit" and len(fits) > 1:
        return (
            f"{method} Each participant is corrected by a fit on others: {fit.n:,} participants in {len(fits) - 1} "
            "parts, of which each is corrected by a fit on the others (cross-fitting; de Lange and Cole 2020, doi "
            "10.1016/j.nicl.2020.102229, discuss corrections)."
        )
    if all(other.fitted_on.startswith("validation of ") for other in fits):
        what = "networks" if fit.fitted_on.startswith("validation of network") else "folds"
        slopes, sizes = [other.slope for other in fits], [other.n for other in fits]
        return (
            f"{method} Each of the {len(fits)} {what} uses a fit on its own validation participants (n = {min(sizes)} "
            f"to {max(sizes)}); slopes {min(slopes):.4f} to {max(slopes):.4f} per year. All fits: findings.json."
        )
    fitted_on = "validation participants" if fit.fitted_on == "validation" else fit.fitted_on
    cross = f" Validation participants are corrected by {len(fits) - 1}-fold cross-fitting." if len(fits) > 1 else ""
    return (
        f"{method} Fitted on {fitted_on} (n = {fit.n:,}): intercept {fit.intercept:.3f} years, slope {fit.slope:.4f} "
        f"per year.{cross}"
    )
