"""The section of prediction intervals of a page of findings."""

from __future__ import annotations

from brainage.evaluation.coverage import ALL
from brainage.evaluation.findings import Findings
from brainage.reporting.page import Section, Table
from brainage.reporting.run_sections import rows_name
from brainage.reporting.text import number, percent, with_interval


def interval_section(findings: Findings) -> Section | None:
    """Return coverage and width of the intervals, or why there are none; None where nothing could be fitted."""
    if findings.no_intervals:
        return Section("Prediction intervals", [f"There are none. {findings.no_intervals}"])
    if not findings.intervals:
        return None
    return Section("Prediction intervals", [_text(findings)], [_table(findings)] if findings.coverage else [])


def _text(findings: Findings) -> str:
    fits = findings.intervals
    ns = sorted({fit.n for fit in fits})
    how = {
        "adaptive": "they are wider at predicted ages at which errors were larger",
        "symmetric": "all have the same width",
    }[fits[0].kind]
    whom = f"{ns[0]:,}" if len(ns) == 1 else f"{ns[0]:,} to {ns[-1]:,}"
    each = " of the same fold" if len(fits) > 1 else ""
    return (
        f"Each prediction has an interval that is expected to contain the true age of {percent(fits[0].level)} of "
        f"participants like the {whom} validation participants{each} on whose errors it was fitted ({fits[0].kind}: "
        f"{how}). This holds over all of them and about so by predicted age, but not by true age: the youngest look "
        "older and the oldest younger, so that their ages are missed more often. Sites and groups that were not in the "
        "validation part may be covered less."
    )


def _table(findings: Findings) -> Table:
    rows = [
        [
            f"{group.variable}: {group.level}" if group.variable != ALL else f"all, {rows_name(findings)}",
            f"{group.n:,}",
            f"{percent(group.coverage.value)} ({percent(group.coverage.low)} to {percent(group.coverage.high)})",
            with_interval(group.width),
        ]
        for group in findings.coverage
    ]
    level = number(100 * findings.intervals[0].level).rstrip("0").rstrip(".")
    note = (
        f"Coverage: share of true ages inside their {level} % interval, with Wilson's 95 % interval. Width: mean in "
        "years, with its 95 % bootstrap interval. Small groups are left out as in the other tables."
    )
    return Table(("intervals", "N", "coverage", "width (years)"), rows, note=note)
