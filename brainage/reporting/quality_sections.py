"""Sections on the quality of predictions: calibration, residuals, and groups of participants."""

from __future__ import annotations

from collections.abc import Sequence

from brainage.evaluation.disclosure import MIN_SHOWN, may_describe
from brainage.evaluation.findings import Findings
from brainage.evaluation.groups import Group
from brainage.evaluation.residuals import Residuals
from brainage.reporting import quality_figures as figures
from brainage.reporting.about import About
from brainage.reporting.page import Section, Table, some
from brainage.reporting.text import interval, number, p_text, signed_interval, with_interval, years

# Percentiles of a standard normal distribution.
_NORMAL = {"5": -1.64, "25": -0.67, "50": 0.0, "75": 0.67, "95": 1.64}


def calibration_section(findings: Findings, about: About) -> Section | None:
    """Return the regression of predicted on true age, and its residuals."""
    if not may_describe(findings.accuracy.n):
        return None
    estimates, residuals = findings.accuracy.estimates, findings.residuals
    text = (
        "The regression of predicted on true age. With a slope of 1 and an intercept of 0, predictions are right on "
        "average at every age; a slope below 1 means that they regress to the mean, so that the gap falls with age."
    )
    names = {"slope": "slope", "intercept": "intercept (years)", "mean_gap": "mean gap (years)"}
    rows = [[name, number(estimates[key].value), interval(estimates[key])] for key, name in names.items()]
    tables = [Table(("predicted on true age", "value", "95 % interval"), rows)]
    if residuals is not None:
        tables.append(_residual_table(residuals))
    drawn = [figures.residuals(findings.rows, residuals, points=about.points)]
    return Section("Calibration and residuals", [text], tables, some(drawn))


def _residual_table(residuals: Residuals) -> Table:
    (bend, bend_p), (spread, spread_p) = residuals.curvature, residuals.spread
    rows = [
        ["SD", years(residuals.sd), ""],
        ["r of their size with age (95 % interval)", with_interval(spread), p_text(spread_p)],
        ["partial r of predicted age with age² (95 % interval)", with_interval(bend), p_text(bend_p)],
        *(
            [f"{percent}th percentile, in SDs (normal: {_NORMAL[percent]:.2f})", f"{value:.2f}", ""]
            for percent, value in residuals.percentiles.items()
        ),
    ]
    note = (
        "Size that changes with age: errors are larger at some ages. Age²: the relation is bent, so a linear "
        "correction leaves bias."
    )
    return Table((f"residuals, N = {residuals.n:,}", "value", "p"), rows, note=note)


def groups_section(findings: Findings) -> Section | None:
    """Return accuracy and mean gap by sex and third of age; sites have a section of their own."""
    groups = [group for group in findings.groups if group.variable != "site"]
    if not groups:
        return None
    note = (
        f"In years, with 95 % bootstrap intervals. Groups of fewer than {MIN_SHOWN} participants, and those that would "
        "give them away, are not shown. Groups differ in age: the mean gap of an older group is lower by itself, so "
        "compare the corrected gap."
    )
    return Section("Groups", tables=[groups_table(groups, "group", note)], figures=some([figures.groups(groups)]))


def groups_table(groups: Sequence[Group], kind: str, note: str) -> Table:
    """Return N, MAE and mean gaps of groups; of a ``site``, the name of the variable is in the header."""
    has_corrected = any(group.mean_gap_corrected.value is not None for group in groups)
    header = (kind, "N", "MAE", "mean gap", *(["mean corrected gap"] if has_corrected else []))
    rows = [
        [
            group.level if kind == group.variable else f"{group.variable}: {group.level}",
            f"{group.n:,}",
            with_interval(group.mae),
            signed_interval(group.mean_gap),
            *([signed_interval(group.mean_gap_corrected)] if has_corrected else []),
        ]
        for group in groups
    ]
    return Table(header, rows, note=note)
