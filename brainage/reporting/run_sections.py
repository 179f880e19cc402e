"""Sections of a page of findings."""

from __future__ import annotations

import math

from brainage.evaluation.accuracy import Accuracy
from brainage.evaluation.disclosure import MIN_RANKED, MIN_SHOWN, may_describe
from brainage.evaluation.findings import Findings
from brainage.reporting import run_figures as figures
from brainage.reporting.about import About
from brainage.reporting.densities import drawable
from brainage.reporting.page import Section, Table, some
from brainage.reporting.sample_table import sample_table
from brainage.reporting.text import (
    METRICS,
    PART_NAMES,
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
        f"doi 10.1002/hbm.25837). Intervals are from {findings.settings.n_resamples:,} bootstrap resamples of "
        "participants: percentiles, and bias-corrected and accelerated (BCa) for RMSE, R² and r, which few large "
        "errors skew (Efron 1987, doi 10.1080/01621459.1987.10478410)."
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
    if findings.baselines:
        tables.append(_baselines_table(findings))
    texts += chance_texts(findings)
    if may_describe(accuracy.n) and not drawable(accuracy.n, about.points):
        texts.append(
            f"Densities need {MIN_RANKED} participants; report.points=all draws single ones (do not share it)."
        )
    drawn = [figures.predicted(findings.rows, accuracy, points=about.points)]
    return Section("Accuracy", texts, tables, some(drawn))


def chance_texts(findings: Findings) -> list[str]:
    """Return the tests against chance in words, if there are any."""
    what = {"": "of these participants", "refits": "of training participants, and the ridge fitted again each time"}
    texts = []
    for kind, found in (("", findings.chance), ("refits", findings.refitted)):
        if found is not None:
            where = f" within {found.n_sites} sites" if found.n_sites > 1 else ""
            texts.append(
                f"Against chance: MAE is {with_interval(found.permuted)} years with {found.n_permutations:,} "
                f"permutations{where} of the ages {what[kind]}, and {number(found.mae)} without ({p_phrase(found.p)})."
            )
    return texts


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


def baseline_rows(findings: Findings) -> list[list[str]]:
    """Return one row per baseline: label, MAE, difference with interval, in years, and p."""
    return [
        [one.label, number(one.mae), signed_interval(one.difference.mae), p_text(one.difference.p)]
        for one in findings.baselines
    ]


def _baselines_table(findings: Findings) -> Table:
    note = (
        f"Trained and tested ({findings.baselines[0].difference.n:,} participants) on the same participants. Below 0, "
        "the model is better. Intervals and p are those of a paired bootstrap."
    )
    return Table(
        ("baselines", "MAE (years)", "model minus baseline (95 % interval)", "p"), baseline_rows(findings), note=note
    )


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
