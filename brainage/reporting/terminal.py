"""Findings and comparisons as tables in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from brainage.evaluation.accuracy import Accuracy
from brainage.evaluation.compare_runs import Comparison
from brainage.evaluation.disclosure import may_describe
from brainage.evaluation.findings import Findings
from brainage.reporting.comparison_page import (
    comparison_notes,
    comparison_rows,
    difference_rows,
    method_rows,
    weight_rows,
)
from brainage.reporting.difference_section import HEADER, group_rows
from brainage.reporting.run_sections import baseline_rows, chance_texts, metric_rows, rows_name
from brainage.reporting.text import correlation_in, interval, number, p_text, percent, years
from brainage.system.console import show, show_note, show_table

# Variables printed at most; the report has all of them.
_N_SHOWN = 12


def show_findings(findings: Findings) -> None:
    """Print accuracy, the strongest associations and all notes."""
    if may_describe(findings.accuracy.n):  # otherwise a note says why there is none
        title = f"Accuracy of raw predictions, {rows_name(findings)}"
        show_table(title, ("", "", "95 % interval"), _accuracy_rows(findings))
    for text in chance_texts(findings):
        show(text)
    if findings.baselines:
        header = ("", "MAE (years)", "model minus this (95 %)", "p")
        show_table("Baselines on the same test participants", header, baseline_rows(findings))
    if findings.differences is not None and len(findings.differences.table):
        settings = findings.differences.settings
        title = f"Gaps of groups of {settings.column} minus those of {settings.reference}, adjusted"
        # Without the permuted p: 80 columns.
        names, *cells = ([*row[:3], *row[4:]] for row in (("", *HEADER[1:]), *group_rows(findings.differences)))
        show_table(title, names, cells)
    table = findings.associations.table
    if len(table):
        strongest = table.sort_values(["q_partial", "p_partial"], kind="stable").head(_N_SHOWN)
        cells = [
            [row["variable"], correlation_in(row, "_partial"), p_text(row["q_partial"]), f"{row['n']:,}"]
            for row in strongest.to_dict("records")
        ]
        title = f"Correlations with the gap, {len(cells)} of {len(table)} variables"
        show_table(title, ("", "partial r (95 % interval)", "q", "N"), cells)
    for note in findings.notes:
        show_note(note)


def _accuracy_rows(findings: Findings) -> list[list[str]]:
    accuracy = findings.accuracy
    rows = [
        *metric_rows(accuracy),
        ["MAE of the mean predictor", years(accuracy.mean_mae), f"skill {percent(accuracy.skill)}"],
        ["participants", f"{accuracy.n:,}", _ages(accuracy)],
    ]
    if findings.trend is not None:
        rows.append(["r of corrected gap with age", number(findings.trend.value), interval(findings.trend)])
    if findings.coverage:
        overall = findings.coverage[0]
        name = f"{percent(findings.intervals[0].level)} intervals: coverage, width"
        rows.append([name, f"{percent(overall.coverage.value)}, {years(overall.width.value)}", ""])
    if (truth := findings.truth) is not None:
        best = f"best possible {number(truth.best_r)}, 1.00"
        rows.append(["r with true gap: gap, corrected", f"{number(truth.r)}, {number(truth.r_corrected)}", best])
    return rows


def _ages(accuracy: Accuracy) -> str:
    return "" if accuracy.age_mean is None else f"age {accuracy.age_mean:.1f} ± {accuracy.age_sd:.1f} years"


def show_comparison(found: Comparison, parameters: Sequence[int | None], excluded: Sequence[str]) -> None:
    """Print the metrics of all runs, the paired differences, and the excluded jobs."""
    show(f"{found.n_shared:,} test participants are shared, of {', '.join(f'{n:,}' for n in found.n_test)}.")
    show_table("Raw predictions on these (95 % interval)", *comparison_rows(found, parameters))
    if found.has_repeats:
        show_table("Methods", *method_rows(found))
    if len(found.differences):
        show_table("Paired differences in MAE", *difference_rows(found))
    if found.stack is not None:
        show_table(f"Weights of the stack, fitted on {found.stack.whom}", *weight_rows(found.stack))
    for note in comparison_notes(found):
        show_note(note)
    for job in excluded:
        show_note(f"Excluded: {job}")
