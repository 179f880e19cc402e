"""Sections of a page of findings."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from brainage.evaluation.accuracy import Accuracy
from brainage.evaluation.disclosure import MIN_RANKED, MIN_SHOWN, may_describe
from brainage.evaluation.findings import Findings
from brainage.evaluation.gap import Correction
from brainage.reporting import run_figures as figures
from brainage.reporting.about import About
from brainage.reporting.densities import GAPS, drawable
from brainage.reporting.page import Section, Table, some
from brainage.reporting.sample_table import sample_table
from brainage.reporting.text import (
    METRICS,
    PART_NAMES,
    interval,
    mean_sd,
    middle,
    number,
    p_text,
    percent,
    with_interval,
    years,
)

_CORRECTIONS = {
    "linear": "gap - (intercept + slope · age), fitted on gaps",
    "cole": "(predicted age - intercept) / slope - age, fitted on predicted ages",
    "crossfit": "gap - (intercept + slope · age), fitted on gaps of held-out participants",
    "in_sample": "gap - (intercept + slope · age), fitted on the analysed rows themselves, as published: the linear "
    "trend with age is removed by construction",
}


def rows_name(findings: Findings) -> str:
    """Return the name of the analysed rows."""
    if not findings.rows["split"].notna().any():
        return "all rows"
    return " and ".join(PART_NAMES.get(str(part), str(part)) for part in findings.rows["split"].dropna().unique())


def metric_rows(accuracy: Accuracy) -> list[list[str]]:
    """Return one row per metric: name, value with unit, interval."""
    return [
        [name, f"{number(accuracy.estimates[key].value)}{unit}", interval(accuracy.estimates[key])]
        for key, (name, unit) in METRICS.items()
    ]


def accuracy_section(findings: Findings, about: About) -> Section:
    """Return the accuracy of raw predictions, in the analysed rows and in other parts."""
    texts = [
        "Metrics of raw predictions. Those of corrected predictions are not reported: age-bias correction adds age to "
        "the prediction, which inflates accuracy by construction (Butler et al. 2021, doi 10.1002/hbm.25533). Accuracy "
        "depends on the age range: compare it with other studies only together with N and ages (de Lange et al. 2022, "
        f"doi 10.1002/hbm.25837). Intervals are percentiles of {findings.settings.n_resamples:,} bootstrap resamples "
        "of participants."
    ]
    accuracy = findings.accuracy
    tables = [_metrics_table(accuracy)] if may_describe(accuracy.n) else []
    if findings.other_parts:
        rows = [
            [PART_NAMES.get(part, part), f"{other.n:,}", *(number(other.estimates[key].value) for key in METRICS)]
            for part, other in findings.other_parts.items()
        ]
        header = ("other parts", "N", *(name for name, _ in METRICS.values()))
        note = (
            "The model was fitted on training participants, and its epoch selected on validation participants. Parts "
            f"of fewer than {MIN_SHOWN} participants are only counted."
        )
        tables.append(Table(header, rows, note=note))
    if may_describe(accuracy.n) and not drawable(accuracy.n, about.points):
        texts.append(
            f"Densities need {MIN_RANKED} participants; report.points=all draws single ones (do not share it)."
        )
    drawn = [figures.predicted(findings.rows, accuracy, points=about.points)]
    return Section("Accuracy", texts, tables, some(drawn))


def _metrics_table(accuracy: Accuracy) -> Table:
    rows = [
        *metric_rows(accuracy),
        ["N", f"{accuracy.n:,}", ""],
        ["age (years), mean ± SD", mean_sd(accuracy.age_mean, accuracy.age_sd), ""],
        ["age, 5th to 95th percentile", middle(accuracy.age_p5, accuracy.age_p95), ""],
        ["SD of predictions", years(accuracy.predicted_sd), ""],
        ["MAE of the mean predictor", years(accuracy.mean_mae), ""],
        ["skill (1 - MAE / MAE of the mean predictor)", percent(accuracy.skill), ""],
    ]
    return Table(("raw predictions", "value", "95 % interval"), rows)


def sample_section(findings: Findings, about: About) -> Section:
    """Return the participants of each part of the split, their ages, and the training."""
    drawn = [figures.ages(findings.predictions, points=about.points)]
    if about.curves is not None:
        counts = findings.predictions["split"].value_counts()
        small = {f"{part}/loss": math.nan for part in ("train", "val") if not may_describe(int(counts.get(part, 0)))}
        curves = about.curves.assign(**small)
        error = about.summary.get("metrics", {}).get("train", {}) if about.augmented else None
        drawn.append(figures.training(curves, about.best_epoch, error))
    return Section("Participants and training", tables=[sample_table(findings.sample)], figures=some(drawn))


def gap_section(findings: Findings, about: About) -> Section | None:
    """Return the gap, its correction, and what remains by age; None where too few participants are analysed."""
    if not may_describe(findings.accuracy.n):
        return None
    texts = [
        "The brain-age gap is predicted minus chronological age. It depends on age, because predictions regress to the "
        "mean."
    ]
    texts += [_correction_text(findings.corrections)] if findings.corrections else []
    by_age = findings.by_age
    names = [name for name in ("bag", "bag_corrected") if name in by_age]
    header = ("age (years)", "N", *(GAPS[name][0] for name in names))
    rows = [
        [
            f"{row['age_low']:.0f} to {row['age_high']:.0f}",
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


def motion_section(findings: Findings) -> Section | None:
    """Return what head motion predicts; None where it is unknown."""
    motion = findings.motion
    if motion is None:
        return None
    names = {"age": "age", "predicted_age": "predicted age", "bag": "gap"}
    rows = [
        [f"r with {names[name]} (95 % interval)", with_interval(r), p_text(p)]
        for name, (r, p) in motion.correlations.items()
    ]
    if motion.alone_mae is not None:
        rows.append(["MAE of age predicted from motion alone", years(motion.alone_mae), ""])
    rows += [
        [f"MAE in the half with the least motion (n = {motion.n_still:,})", years(motion.still_mae), ""],
        [f"MAE in the other half (n = {motion.n - motion.n_still:,})", years(motion.moving_mae), ""],
    ]
    text = "Older participants move more, and motion changes the series: a network can predict age from motion."
    return Section("Head motion", [text], [Table((f"head motion, N = {motion.n:,}", "value", "p"), rows)])


def truth_section(findings: Findings) -> Section | None:
    """Return how well true gaps are recovered; None where they are unknown."""
    truth = findings.truth
    if truth is None:
        return None
    rows = [
        ["r of gap with true gap", number(truth.r), number(truth.best_r)],
        ["r of corrected gap with true gap", number(truth.r_corrected), "1.00"],
        ["MAE", years(findings.accuracy.estimates["mae"].value), years(truth.best_mae)],
    ]
    text = "The true gap of simulated participants is known. Best possible: regression of age on true brain age."
    return Section("Known truth", [text], [Table(("", "value", "best possible"), rows)])


def exclusions_section(about: About) -> Section | None:
    """Return how many participants were excluded, by reason; None where that is unknown."""
    if about.exclusions is None:
        return None
    if not about.exclusions:
        return Section("Exclusions", ["No participant with a file was excluded."])
    rows = [[reason, str(count)] for reason, count in about.exclusions.items()]
    return Section("Exclusions", tables=[Table(("reason", "participants"), rows)])
