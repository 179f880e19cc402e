"""Report of a run, or of a table of predictions."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from brainage.evaluation.accuracy import Accuracy
from brainage.evaluation.associations import coded
from brainage.evaluation.disclosure import MIN_RANKED, MIN_SHOWN, may_describe
from brainage.evaluation.findings import Findings
from brainage.evaluation.gap import Correction
from brainage.reporting import run_figures as figures
from brainage.reporting.association_figures import forest, phenotype
from brainage.reporting.densities import GAPS, drawable
from brainage.reporting.figure import Figure
from brainage.reporting.page import Card, Page, Section, Table
from brainage.reporting.text import (
    METRICS,
    PART_NAMES,
    correlation_in,
    interval,
    mean_sd,
    middle,
    number,
    p_phrase,
    p_text,
    percent,
    signed,
    slug,
    with_interval,
    years,
)
from brainage.system.provenance import commit

# Variables drawn at most: those with the strongest partial correlations.
_MOST_DRAWN = 20

_CORRECTIONS = {
    "linear": "gap - (intercept + slope · age), fitted on gaps",
    "cole": "(predicted age - intercept) / slope - age, fitted on predicted ages",
    "crossfit": "gap - (intercept + slope · age), fitted on gaps of held-out participants",
    "in_sample": "gap - (intercept + slope · age), fitted on the analysed rows themselves, as published: the linear "
    "trend with age is removed by construction",
}


@dataclass(frozen=True)
class About:
    """Everything in a report besides the findings.

    `facts` are names and values of what was run, `config` the resolved config as YAML, `curves` the table
    ``metrics.csv``, `exclusions` the numbers of excluded participants by reason (None where unknown), and `points` is
    ``report.points``. `augmented` says whether training batches were augmented. `key_facts` are at the top of the page.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    config: str = ""
    curves: pd.DataFrame | None = None
    best_epoch: int | None = None
    exclusions: Mapping[str, int] | None = None
    points: str = "none"
    augmented: bool = False
    key_facts: Sequence[tuple[str, str]] = ()


def findings_page(findings: Findings, about: About) -> Page:
    """Return the report."""
    sections = [
        _accuracy(findings, about),
        _training(findings, about),
        _gap(findings, about),
        _associations(findings, about),
        _motion(findings),
        _truth(findings),
        _exclusions(about),
        Section(
            "What was run",
            tables=[Table((), [*about.facts, ("analysis", _analysis(findings))], text=True)],
            listing=about.config,
            listing_title="Config of the training",
        ),
    ]
    shown = [section for section in sections if section]
    return Page(about.title, lead(findings), shown, findings.notes, about.key_facts, cards(findings))


def _analysis(findings: Findings) -> str:
    settings = findings.settings
    return (
        f"rows {settings.rows}, gap correction {settings.gap_correction}, {settings.n_resamples:,} resamples, seed "
        f"{settings.seed}, {time.strftime('%Y-%m-%d %H:%M')}, commit {commit() or 'unknown'}"
    )


def cards(findings: Findings) -> list[Card]:
    """Return the headline numbers; only the number of participants where they are too few to be described."""
    accuracy, of = findings.accuracy, f"{rows_name(findings)} participants"
    if not may_describe(accuracy.n):
        return [Card(of, f"{accuracy.n}", "too few to describe their accuracy")]
    estimates = accuracy.estimates
    found = [
        Card("MAE", years(estimates["mae"].value), f"95 % interval {interval(estimates['mae'])}"),
        Card(f"MAE of predicting the mean age of {findings.mean_age_of}", years(accuracy.mean_mae),
             f"skill {percent(accuracy.skill)}"),
        Card("R²", number(estimates["r2"].value), f"95 % interval {interval(estimates['r2'])}"),
        Card("Pearson r", number(estimates["pearson_r"].value), f"95 % interval {interval(estimates['pearson_r'])}"),
        Card(of, f"{accuracy.n:,}", f"aged {mean_sd(accuracy.age_mean, accuracy.age_sd)} years"),
    ]  # fmt: skip
    if (difference := findings.against_ridge) is not None:
        mae = difference.mae
        note = f"{interval(mae)} years, {p_phrase(difference.p)}; below 0, the model is better"
        found.append(Card("MAE minus that of the ridge on connectivity", f"{signed(mae.value)} years", note))
    return found


def lead(findings: Findings) -> list[str]:
    """Return the summary sentences at the top of the page."""
    table = findings.associations.table
    if table.empty:
        return []
    names = ", ".join(table.loc[table["q_partial"] < 0.05, "variable"])
    return [
        f"Of {len(table)} variables, the gap is associated with {names or 'none'} (q < 0.05, partial r, adjusted for "
        "covariates)."
    ]


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


def _accuracy(findings: Findings, about: About) -> Section:
    texts = [
        "Metrics of raw predictions. Those of corrected predictions are not reported: age-bias correction adds age to "
        "the prediction, which inflates accuracy by construction (Butler et al. 2021, doi 10.1002/hbm.25533). Accuracy "
        "depends on the age range: compare it with other studies only together with N and ages (de Lange et al. 2022, "
        f"doi 10.1002/hbm.25837). Intervals are percentiles of {findings.settings.n_resamples:,} bootstrap resamples "
        "of participants."
    ]
    accuracy = findings.accuracy
    rows = [
        *metric_rows(accuracy),
        ["N", f"{accuracy.n:,}", ""],
        ["age, mean ± SD", f"{mean_sd(accuracy.age_mean, accuracy.age_sd)} years", ""],
        ["age, 5th to 95th percentile", f"{middle(accuracy.age_p5, accuracy.age_p95)} years", ""],
        ["SD of predictions", years(accuracy.predicted_sd), ""],
        ["MAE of the mean predictor", years(accuracy.mean_mae), ""],
        ["skill (1 - MAE / MAE of the mean predictor)", percent(accuracy.skill), ""],
    ]
    tables = [Table(("raw predictions", "value", "95 % interval"), rows)]
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
    return Section("Accuracy", texts, tables, _some(drawn))


def _training(findings: Findings, about: About) -> Section | None:
    drawn = [figures.ages(findings.predictions, points=about.points)]
    if about.curves is not None:
        counts = findings.predictions["split"].value_counts()
        small = {f"{part}/loss": math.nan for part in ("train", "val") if not may_describe(int(counts.get(part, 0)))}
        curves = about.curves.assign(**small)
        drawn.append(figures.training(curves, about.best_epoch, augmented=about.augmented))
    return Section("Participants and training", figures=_some(drawn)) if _some(drawn) else None


def _gap(findings: Findings, about: About) -> Section:
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
    return Section("Brain-age gap", texts, [Table(header, rows, note=note)], _some(drawn))


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


def _associations(findings: Findings, about: About) -> Section | None:
    found = findings.associations
    if found.table.empty and not found.left_out:
        return None
    texts = [
        "Pearson's r of gap and corrected gap with each variable, and the partial r of the raw gap adjusted for the "
        "covariates in the last column. Intervals are by Fisher's z; p is of the partial r, and q is p after the "
        "Benjamini-Hochberg correction over the table. Associations are not causes."
    ]
    texts += [f"Excluded: {name}: {reason}." for name, reason in found.left_out.items()]
    texts += [f"Coding of {name}: {coding}." for name, coding in found.coding.items()]
    if len(found.table) > _MOST_DRAWN:
        texts.append(f"Figures show the {_MOST_DRAWN} of {len(found.table)} variables with the strongest partial r.")
    texts += [f"Interpret with care: {name}: {reason}." for name, reason in found.flagged.items()]
    header = ("variable", "partial r", "q", "p", "r, corrected gap", "r, gap", "N", "kind", "adjusted for")
    rows = []
    for row in found.table.to_dict("records"):
        name = f"{row['variable']} ⚠" if row["variable"] in found.flagged else row["variable"]
        partial_r, corrected, raw = (correlation_in(row, suffix) for suffix in ("_partial", "_corrected", ""))
        covariates = row["covariates"].replace("age^2", "age²").replace(" ", ", ")
        p, q = p_text(row["p_partial"]), p_text(row["q_partial"])
        rows.append([name, partial_r, q, p, corrected, raw, f"{row['n']:,}", row["kind"], covariates])
    return Section("Associations", texts, [Table(header, rows)], _association_figures(findings, about))


def _association_figures(findings: Findings, about: About) -> list[Figure]:
    table = findings.associations.table
    strongest = table["r_partial"].abs().sort_values(ascending=False, kind="stable").index[:_MOST_DRAWN]
    shown = table.loc[strongest.sort_values()]
    drawn = [forest(shown)]
    for position, name, kind in zip(shown.index, shown["variable"], shown["kind"], strict=True):
        values, _, coding = coded(findings.rows[name])
        figure = phenotype(findings.rows, name, values, kind, points=about.points, coding=coding)
        # Numbered, because two names may give the same slug.
        drawn.append(figure and replace(figure, name=f"phenotype-{position + 1:02d}-{slug(name)}"))
    return _some(drawn)


def _motion(findings: Findings) -> Section | None:
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


def _truth(findings: Findings) -> Section | None:
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


def _exclusions(about: About) -> Section | None:
    if about.exclusions is None:
        return None
    if not about.exclusions:
        return Section("Exclusions", ["No participant with a file was excluded."])
    rows = [[reason, str(count)] for reason, count in about.exclusions.items()]
    return Section("Exclusions", tables=[Table(("reason", "participants"), rows)])


def _some(drawn: Sequence[Figure | None]) -> list[Figure]:
    return [figure for figure in drawn if figure is not None]
