"""The report of a run, or of a table of predictions."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from brainage.evaluation.accuracy import Accuracy
from brainage.evaluation.associations import Associations, coded
from brainage.evaluation.findings import Findings
from brainage.evaluation.gap import MIN_SHOWN, Correction
from brainage.evaluation.intervals import Estimate
from brainage.evaluation.paired import Difference
from brainage.reporting import run_figures as figures
from brainage.reporting.figure import Figure
from brainage.reporting.page import Page, Section, Table
from brainage.system.provenance import commit

# Variables whose gaps are drawn: those with the strongest partial correlations.
_MOST_DRAWN = 20

METRICS = {
    "mae": ("MAE", " years"),
    "rmse": ("RMSE", " years"),
    "r2": ("R²", ""),
    "pearson_r": ("Pearson r", ""),
    "spearman_rho": ("Spearman ρ", ""),
}

_PARTS = {"train": "training", "val": "validation", "test": "test"}

_CORRECTIONS = {
    "linear": "gap - (intercept + slope · age), fitted on gaps",
    "cole": "(predicted age - intercept) / slope - age, fitted on predicted ages",
    "in_sample": "gap - (intercept + slope · age), fitted on the very rows that are analysed, as published: the linear "
    "trend of age is gone from them by construction",
}


@dataclass(frozen=True)
class About:
    """What stands in a report beside its findings.

    Parameters
    ----------
    title : str
        Its heading.
    facts : list of (str, str)
        What was run: a name and a value each.
    config : str
        The resolved config, as YAML.
    curves : DataFrame or None
        ``metrics.csv``.
    best_epoch : int or None
        The one that was kept.
    exclusions : dict of str to int
        Reasons and how many participants each left out; None where this is not known.
    points : {"all", "none"}
        ``report.points``.
    augmented : bool
        Whether training batches were changed.
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
    """Return the report.

    Parameters
    ----------
    findings : Findings
        What was found.
    about : About
        What else stands in it.
    """
    sections = [
        _accuracy(findings, about),
        _course(findings, about),
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
    options = findings.options
    return (
        f"rows {options.rows}, gap correction {options.gap_correction}, {options.n_resamples:,} resamples, seed "
        f"{options.seed}, {time.strftime('%Y-%m-%d %H:%M')}, commit {commit() or 'unknown'}"
    )


def lead(findings: Findings) -> list[str]:
    """Return what a reader is to know first, in sentences."""
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
            f"Of {len(findings.associations.table)} variables, the gap goes along with {named} (q < 0.05, covariates "
            "held constant)."
        )
    return sentences


def _against(difference: Difference) -> str:
    return (
        f"MAE less that of the ridge on functional connectivity, on the same {difference.n:,} participants, from whom "
        f"neither has learned: {signed_interval(difference.mae)} years ({p_phrase(difference.p)}; below 0 is better "
        "than the ridge)."
    )


def rows_name(findings: Findings) -> str:
    """Return which rows are analysed."""
    if not findings.rows["split"].notna().any():
        return "all rows"
    return " and ".join(_PARTS.get(str(part), str(part)) for part in findings.rows["split"].dropna().unique())


def accuracy_table(accuracy: Accuracy) -> Table:
    """Return all metrics with their intervals, and what they depend on."""
    rows = [
        [name, f"{number(accuracy.estimates[key].value)}{unit}", interval(accuracy.estimates[key])]
        for key, (name, unit) in METRICS.items()
    ]
    rows += [
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
        "Of raw predictions, never of corrected ones: age-bias correction puts age into the prediction, and inflates "
        "accuracy by construction (Butler et al. 2021, doi 10.1002/hbm.25533). Accuracy depends on the range of ages: "
        "compare it with other studies' only beside N and ages (de Lange et al. 2022, doi 10.1002/hbm.25837). "
        f"Intervals are percentiles of {findings.options.n_resamples:,} bootstrap resamples of participants."
    ]
    tables = [accuracy_table(findings.accuracy)]
    if findings.other_parts:
        rows = [
            [_PARTS.get(part, part), f"{accuracy.n:,}", *(number(accuracy.estimates[key].value) for key in METRICS)]
            for part, accuracy in findings.other_parts.items()
        ]
        header = ("other rows", "N", *(name for name, _ in METRICS.values()))
        tables.append(Table(header, rows, note="Training rows were learned from, validation rows chose the epoch."))
    drawn = [figures.predicted(findings.rows, findings.accuracy, points=about.points)]
    return Section("Accuracy", texts, tables, _some(drawn))


def _course(findings: Findings, about: About) -> Section | None:
    drawn = [figures.ages(findings.predictions)]
    if about.curves is not None:
        drawn.append(figures.training(about.curves, about.best_epoch, augmented=about.augmented))
    return Section("Participants and training", figures=_some(drawn)) if _some(drawn) else None


def _gap(findings: Findings, about: About) -> Section:
    texts = [
        "The brain-age gap is predicted age less age. It follows age: people at the ends are pulled to the middle."
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
        f"Means ± SD, in years; bins of fewer than {MIN_SHOWN} people are only counted. A gap that is left within bins "
        "is bias that the correction does not reach (Zhang et al. 2023, doi 10.1016/j.nicl.2023.103319)."
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
            f"Corrected gap ({fit.method}): {_CORRECTIONS[fit.method]}. Each of the {len(fits)} {what} by a fit on "
            f"its own validation participants (n = {min(sizes)} to {max(sizes)}), slopes {min(slopes):.4f} to "
            f"{max(slopes):.4f} a year; all of them are in findings.json."
        )
    text = (
        f"Corrected gap ({fit.method}): {_CORRECTIONS[fit.method]}. Fitted on {fit.fitted_on} (n = {fit.n:,}): "
        f"intercept {fit.intercept:.3f} years, slope {fit.slope:.4f} a year."
    )
    if len(fits) > 1:
        text += f" {len(fits) - 1} further fits correct rows that this one was fitted on, each without them."
    return text


def _associations(findings: Findings, about: About) -> Section | None:
    found = findings.associations
    if found.table.empty and not found.left_out:
        return None
    texts = [
        "Pearson's r of gap and corrected gap with each variable, and the partial r of the raw gap with the covariates "
        "of its row held constant; intervals by Fisher's z, q by Benjamini and Hochberg over the partial p of the "
        "table. Associations, not causes."
    ]
    texts += [f"Left out: {name}: {reason}." for name, reason in found.left_out.items()]
    texts += [f"Coded: {name}: {coding}." for name, coding in found.coding.items()]
    if len(found.table) > _MOST_DRAWN:
        texts.append(f"Drawn are the {_MOST_DRAWN} of {len(found.table)} variables with the strongest partial r.")
    texts += [f"With care: {name}: {reason}." for name, reason in found.flagged.items()]
    return Section("Associations", texts, [associations_table(found)], _association_figures(findings, about))


def associations_table(found: Associations) -> Table:
    """Return the associations as text."""
    header = ("variable", "kind", "N", "r, gap", "r, corrected", "partial r", "p", "q", "held constant")
    rows = []
    for row in found.table.to_dict("records"):
        cells = [_r_text(row, ""), _r_text(row, "_corrected"), _r_text(row, "_partial")]
        mark = " ⚠" if row["variable"] in found.flagged else ""
        p, q = p_text(row["p_partial"]), p_text(row["q_partial"])
        rows.append([f"{row['variable']}{mark}", row["kind"], f"{row['n']:,}", *cells, p, q, row["covariates"]])
    return Table(header, rows)


def _association_figures(findings: Findings, about: About) -> list[Figure]:
    table = findings.associations.table
    strongest = table.assign(size=table["r_partial"].astype(float).abs()).nlargest(_MOST_DRAWN, "size", keep="first")
    drawn = [figures.forest(table[table["variable"].isin(set(strongest["variable"]))])]
    for number, (name, kind) in enumerate(zip(table["variable"], table["kind"], strict=True), start=1):
        if name in set(strongest["variable"]):
            values, _ = coded(findings.rows[name])
            label = f"{name} ({coding})" if (coding := findings.associations.coding.get(name)) else name
            figure = figures.phenotype(findings.rows, label, values, kind, points=about.points)
            # Two names may differ in signs only that no file's name has.
            drawn.append(figure and replace(figure, name=f"phenotype-{number:02d}-{figures.slug(name)}"))
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
        rows.append(["MAE of a line from motion to age alone", f"{motion.alone_mae:.2f} years", ""])
    rows += [
        [f"MAE in the half that moved least (n = {motion.n_still:,})", f"{motion.still_mae:.2f} years", ""],
        [f"MAE in the other half (n = {motion.n - motion.n_still:,})", f"{motion.moving_mae:.2f} years", ""],
    ]
    text = "Older people move more, and motion changes the series: a network can read age from motion."
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
    text = (
        "These people are simulated: their true gap is known. The best possible is a line from true brain age to age."
    )
    return Section("Known truth", [text], [Table(("", "found", ""), rows)])


def _exclusions(about: About) -> Section | None:
    if about.exclusions is None:
        return None
    if not about.exclusions:
        return Section("Exclusions", ["Nobody with a file was excluded."])
    rows = [[reason, str(count)] for reason, count in about.exclusions.items()]
    return Section("Exclusions", tables=[Table(("reason", "participants"), rows)])


def _significant(found: Associations) -> list[str]:
    table = found.table
    return [str(name) for name in table.loc[table["q_partial"] < 0.05, "variable"]]


def _some(drawn: Sequence[Figure | None]) -> list[Figure]:
    return [figure for figure in drawn if figure is not None]


def _r_text(row: Mapping[Any, Any], suffix: str) -> str:
    r, low, high = (row[f"r{suffix}{end}"] for end in ("", "_low", "_high"))
    return with_interval(Estimate(_none(r), _none(low), _none(high)))


def _none(value: float | None) -> float | None:
    return None if value is None or pd.isna(value) else float(value)


def number(value: float | None) -> str:
    """Return a number of two digits after the point, or a dash."""
    return figures.text_of(value)


def interval(estimate: Estimate) -> str:
    """Return an interval as text; empty where there is none."""
    return "" if estimate.low is None else f"{number(estimate.low)} to {number(estimate.high)}"


def with_interval(estimate: Estimate) -> str:
    """Return a number with its interval in brackets."""
    return number(estimate.value) + (f" ({interval(estimate)})" if estimate.low is not None else "")


def signed_interval(estimate: Estimate) -> str:
    """Return a difference with its sign, and its interval."""
    if estimate.value is None:
        return "-"
    between = f" ({estimate.low:+.2f} to {estimate.high:+.2f})" if estimate.low is not None else ""
    return f"{estimate.value:+.2f}{between}"


def percent(value: float | None) -> str:
    """Return a share in percent."""
    return "-" if value is None else f"{value:.0%}"


def p_text(value: float | None) -> str:
    """Return a p or q as text."""
    if value is None or pd.isna(value):
        return "-"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def p_phrase(value: float | None) -> str:
    """Return a p as it stands in a sentence."""
    text = p_text(value)
    return f"p {text}" if text.startswith("<") else f"p = {text}"
