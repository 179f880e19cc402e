"""Report of a run, or of a table of predictions."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from brainage.evaluation.accuracy import Accuracy
from brainage.evaluation.associations import Associations, coded
from brainage.evaluation.findings import Findings
from brainage.evaluation.gap import MIN_SHOWN, Correction
from brainage.evaluation.paired import Difference
from brainage.reporting import run_figures as figures
from brainage.reporting.figure import Figure
from brainage.reporting.page import Page, Section, Table
from brainage.reporting.text import (
    METRICS,
    PART_NAMES,
    correlation_in,
    interval,
    number,
    p_phrase,
    p_text,
    percent,
    signed_interval,
    slug,
    with_interval,
)
from brainage.system.provenance import commit

# Variables drawn at most: those with the strongest partial correlations.
_MOST_DRAWN = 20

_CORRECTIONS = {
    "linear": "gap - (intercept + slope · age), fitted on gaps",
    "cole": "(predicted age - intercept) / slope - age, fitted on predicted ages",
    "in_sample": "gap - (intercept + slope · age), fitted on the analysed rows themselves, as published: the linear "
    "trend with age is removed by construction",
}


@dataclass(frozen=True)
class About:
    """Everything in a report besides the findings.

    Parameters
    ----------
    title : str
        Heading of the page.
    facts : list of (str, str)
        Names and values of what was run.
    config : str
        The resolved config, as YAML.
    curves : DataFrame or None
        ``metrics.csv``.
    best_epoch : int or None
        The selected epoch.
    exclusions : dict of str to int
        Excluded participants by reason; None where unknown.
    points : {"all", "none"}
        ``report.points``.
    augmented : bool
        Whether training batches were augmented.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    config: str = ""
    curves: pd.DataFrame | None = None
    best_epoch: int | None = None
    exclusions: Mapping[str, int] | None = field(default_factory=dict)
    points: str = "all"
    augmented: bool = False


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
    return Page(about.title, lead(findings), [section for section in sections if section], findings.notes)


def _analysis(findings: Findings) -> str:
    settings = findings.settings
    return (
        f"rows {settings.rows}, gap correction {settings.gap_correction}, {settings.n_resamples:,} resamples, seed "
        f"{settings.seed}, {time.strftime('%Y-%m-%d %H:%M')}, commit {commit() or 'unknown'}"
    )


def lead(findings: Findings) -> list[str]:
    """Return the summary sentences at the top of the page."""
    accuracy = findings.accuracy
    sentences = [
        f"MAE {with_interval(accuracy.estimates['mae'])} years on {accuracy.n:,} participants "
        f"({rows_name(findings)}), whose ages are {accuracy.age_mean:.1f} ± {accuracy.age_sd:.1f} years, from "
        f"{accuracy.age_min:.0f} to {accuracy.age_max:.0f}. Predicting the mean age of {findings.mean_age_of} gives "
        f"{accuracy.mean_mae:.2f} years: a skill of {percent(accuracy.skill)}."
    ]
    if findings.against_ridge is not None:
        sentences.append(_against(findings.against_ridge))
    found = _significant(findings.associations)
    if len(findings.associations.table):
        named = ", ".join(found) if found else "none"
        sentences.append(
            f"Of {len(findings.associations.table)} variables, the gap is associated with {named} (q < 0.05, "
            "adjusted for covariates)."
        )
    return sentences


def _against(difference: Difference) -> str:
    return (
        f"Difference in MAE (model - ridge on functional connectivity) on the same {difference.n:,} held-out "
        f"participants: {signed_interval(difference.mae)} years ({p_phrase(difference.p)}); below 0, the model is "
        "better."
    )


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


def accuracy_table(accuracy: Accuracy) -> Table:
    """Return all metrics with their intervals, and the ages that they depend on."""
    rows = [
        *metric_rows(accuracy),
        ["N", f"{accuracy.n:,}", ""],
        ["age, mean ± SD", f"{accuracy.age_mean:.2f} ± {accuracy.age_sd:.2f} years", ""],
        ["age, range", f"{accuracy.age_min:.1f} to {accuracy.age_max:.1f} years", ""],
        ["SD of predictions", f"{accuracy.predicted_sd:.2f} years", ""],
        ["MAE of the mean predictor", f"{accuracy.mean_mae:.2f} years", ""],
        ["skill (1 - MAE / that)", percent(accuracy.skill), ""],
    ]
    return Table(("raw predictions", "value", "95 % interval"), rows)


def _accuracy(findings: Findings, about: About) -> Section:
    texts = [
        "Of raw predictions, never of corrected ones: age-bias correction adds age to the prediction and inflates "
        "accuracy by construction (Butler et al. 2021, doi 10.1002/hbm.25533). Accuracy depends on the age range: "
        "compare it with other studies only together with N and ages (de Lange et al. 2022, doi 10.1002/hbm.25837). "
        f"Intervals are percentiles of {findings.settings.n_resamples:,} bootstrap resamples of participants."
    ]
    tables = [accuracy_table(findings.accuracy)]
    if findings.other_parts:
        rows = [
            [PART_NAMES.get(part, part), f"{accuracy.n:,}", *(number(accuracy.estimates[key].value) for key in METRICS)]
            for part, accuracy in findings.other_parts.items()
        ]
        header = ("other rows", "N", *(name for name, _ in METRICS.values()))
        tables.append(Table(header, rows, note="Training rows were fitted; the epoch was chosen on validation rows."))
    drawn = [figures.predicted(findings.rows, findings.accuracy, points=about.points)]
    return Section("Accuracy", texts, tables, _some(drawn))


def _training(findings: Findings, about: About) -> Section | None:
    drawn = [figures.ages(findings.predictions)]
    if about.curves is not None:
        drawn.append(figures.training(about.curves, about.best_epoch, augmented=about.augmented))
    return Section("Participants and training", figures=_some(drawn)) if _some(drawn) else None


def _gap(findings: Findings, about: About) -> Section:
    texts = [
        "The brain-age gap is predicted minus chronological age. It depends on age: predictions regress to the mean."
    ]
    texts += [_correction_text(findings.corrections)] if findings.corrections else []
    by_age = findings.by_age
    names = [name for name in ("bag", "bag_corrected") if name in by_age]
    header = ("age", "N", *(figures.GAPS[name][0] for name in names))
    rows = [
        [f"{row.age_low:.0f} to {row.age_high:.0f}", str(row.n), *(_mean_sd(row, name) for name in names)]
        for row in by_age.itertuples()
    ]
    note = (
        f"Means ± SD, in years; bins of fewer than {MIN_SHOWN} participants are only counted. A corrected gap that "
        "differs from 0 within bins is bias that the correction does not remove "
        "(Zhang et al. 2023, doi 10.1016/j.nicl.2023.103319)."
    )
    drawn = [figures.gap_against_age(findings.rows, points=about.points), figures.gap_by_age(by_age)]
    return Section("Brain-age gap", texts, [Table(header, rows, note=note)], _some(drawn))


def _mean_sd(row: object, name: str) -> str:
    mean, sd = getattr(row, name), getattr(row, f"{name}_sd")
    return "" if mean is None or pd.isna(mean) else f"{mean:.2f} ± {sd:.2f}"


def _correction_text(fits: Sequence[Correction]) -> str:
    fit = fits[0]
    if all(other.fitted_on.startswith("validation of ") for other in fits):
        what = "networks" if fit.fitted_on.startswith("validation of network") else "folds"
        slopes, sizes = [other.slope for other in fits], [other.n for other in fits]
        return (
            f"Corrected gap ({fit.method}): {_CORRECTIONS[fit.method]}. Each of the {len(fits)} {what} uses a "
            f"fit on its own validation participants (n = {min(sizes)} to {max(sizes)}), slopes {min(slopes):.4f} to "
            f"{max(slopes):.4f} per year; findings.json contains all fits."
        )
    text = (
        f"Corrected gap ({fit.method}): {_CORRECTIONS[fit.method]}. Fitted on {fit.fitted_on} (n = {fit.n:,}): "
        f"intercept {fit.intercept:.3f} years, slope {fit.slope:.4f} per year."
    )
    if len(fits) > 1:
        text += f" Validation rows are corrected by {len(fits) - 1}-fold cross-fitting."
    return text


def _associations(findings: Findings, about: About) -> Section | None:
    found = findings.associations
    if found.table.empty and not found.left_out:
        return None
    texts = [
        "Pearson's r of gap and corrected gap with each variable, and the partial r of the raw gap adjusted for the "
        "covariates of its row; intervals by Fisher's z, q by Benjamini and Hochberg over the partial p of the table. "
        "Associations, not causes."
    ]
    texts += [f"Excluded: {name}: {reason}." for name, reason in found.left_out.items()]
    texts += [f"Coded: {name}: {coding}." for name, coding in found.coding.items()]
    if len(found.table) > _MOST_DRAWN:
        texts.append(f"Figures show the {_MOST_DRAWN} of {len(found.table)} variables with the strongest partial r.")
    texts += [f"Interpret with care: {name}: {reason}." for name, reason in found.flagged.items()]
    return Section("Associations", texts, [associations_table(found)], _association_figures(findings, about))


def associations_table(found: Associations) -> Table:
    """Return the associations as text."""
    header = ("variable", "kind", "N", "r, gap", "r, corrected", "partial r", "p", "q", "adjusted for")
    rows = []
    for row in found.table.to_dict("records"):
        cells = [correlation_in(row, suffix) for suffix in ("", "_corrected", "_partial")]
        mark = " ⚠" if row["variable"] in found.flagged else ""
        p, q = p_text(row["p_partial"]), p_text(row["q_partial"])
        rows.append([f"{row['variable']}{mark}", row["kind"], f"{row['n']:,}", *cells, p, q, row["covariates"]])
    return Table(header, rows)


def _association_figures(findings: Findings, about: About) -> list[Figure]:
    table = findings.associations.table
    strongest = table.assign(size=table["r_partial"].astype(float).abs()).nlargest(_MOST_DRAWN, "size", keep="first")
    drawn = [figures.forest(table[table["variable"].isin(set(strongest["variable"]))])]
    for position, (name, kind) in enumerate(zip(table["variable"], table["kind"], strict=True), start=1):
        if name in set(strongest["variable"]):
            values, _ = coded(findings.rows[name])
            label = f"{name} ({coding})" if (coding := findings.associations.coding.get(name)) else name
            figure = figures.phenotype(findings.rows, label, values, kind, points=about.points)
            # Numbered, because two names may give the same slug.
            drawn.append(figure and replace(figure, name=f"phenotype-{position:02d}-{slug(name)}"))
    return _some(drawn)


def _motion(findings: Findings) -> Section | None:
    motion = findings.motion
    if motion is None:
        return None
    names = {"age": "age", "predicted_age": "predicted age", "bag": "gap"}
    rows = [
        [f"correlation with {names[name]}", with_interval(r), p_phrase(p)]
        for name, (r, p) in motion.correlations.items()
    ]
    if motion.alone_mae is not None:
        rows.append(["MAE of age predicted from motion alone", f"{motion.alone_mae:.2f} years", ""])
    rows += [
        [f"MAE in the half with the least motion (n = {motion.n_still:,})", f"{motion.still_mae:.2f} years", ""],
        [f"MAE in the other half (n = {motion.n - motion.n_still:,})", f"{motion.moving_mae:.2f} years", ""],
    ]
    text = "Older participants move more, and motion changes the series: a network can predict age from motion."
    return Section("Head motion", [text], [Table((f"N = {motion.n:,}", "", ""), rows)])


def _truth(findings: Findings) -> Section | None:
    truth = findings.truth
    if truth is None:
        return None
    rows = [
        ["correlation of gap with true gap", number(truth.r), f"best possible {number(truth.best_r)}"],
        ["correlation of corrected gap with true gap", number(truth.r_corrected), "best possible 1.00"],
        [
            "MAE",
            f"{number(findings.accuracy.estimates['mae'].value)} years",
            f"best possible {truth.best_mae:.2f} years",
        ],
    ]
    text = "Simulated participants have a known true gap. Best possible: age regressed on true brain age."
    return Section("Known truth", [text], [Table(("", "found", ""), rows)])


def _exclusions(about: About) -> Section | None:
    if about.exclusions is None:
        return None
    if not about.exclusions:
        return Section("Exclusions", ["No participant with a file was excluded."])
    rows = [[reason, str(count)] for reason, count in about.exclusions.items()]
    return Section("Exclusions", tables=[Table(("reason", "participants"), rows)])


def _significant(found: Associations) -> list[str]:
    table = found.table
    return [str(name) for name in table.loc[table["q_partial"] < 0.05, "variable"]]


def _some(drawn: Sequence[Figure | None]) -> list[Figure]:
    return [figure for figure in drawn if figure is not None]
