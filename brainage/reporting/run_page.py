"""Report of a run, or of a table of predictions."""

from __future__ import annotations

import time

from brainage.evaluation.disclosure import may_describe
from brainage.evaluation.findings import Findings
from brainage.reporting.about import About
from brainage.reporting.association_section import associations_section
from brainage.reporting.difference_section import difference_lead, difference_section
from brainage.reporting.field import field_section
from brainage.reporting.fold_section import fold_cards, fold_section, repeat_cards, repeat_section
from brainage.reporting.gap_section import gap_section
from brainage.reporting.interval_section import interval_section
from brainage.reporting.methods import methods_section
from brainage.reporting.page import Card, Page, Section, Table
from brainage.reporting.quality_sections import calibration_section, groups_section
from brainage.reporting.rescans_section import rescans_section
from brainage.reporting.run_sections import (
    accuracy_section,
    exclusions_section,
    motion_section,
    rows_name,
    sample_section,
    truth_section,
)
from brainage.reporting.site_section import sites_section
from brainage.reporting.text import interval, mean_sd, number, p_phrase, percent, signed, years
from brainage.reporting.time_order_section import time_order_section
from brainage.system.provenance import commit


def findings_page(findings: Findings, about: About) -> Page:
    """Return the report."""
    sections = [
        about.first,
        accuracy_section(findings, about),
        fold_section(about.folds) if about.folds and not about.folds.hides_few else None,
        repeat_section(about.repeats) if about.repeats else None,
        calibration_section(findings, about),
        difference_section(findings, about),
        groups_section(findings),
        sites_section(findings),
        interval_section(findings),
        rescans_section(about),
        time_order_section(findings, about),
        sample_section(findings, about),
        gap_section(findings, about),
        associations_section(findings, about),
        motion_section(findings),
        truth_section(findings),
        exclusions_section(about),
        field_section(findings, about),
        methods_section(findings, about),
        Section(
            "What was run",
            tables=[Table((), [*about.facts, ("analysis", _analysis(findings))], text=True)],
            listing=about.config,
            listing_title="Config of the training",
        ),
    ]
    folds = fold_cards(about.folds) if about.folds else repeat_cards(about.repeats) if about.repeats else []
    shown = [section for section in sections if section]
    return Page(about.title, lead(findings), shown, findings.notes, about.key_facts, [*folds, *cards(findings)])


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
    if (ridge := findings.ridge) is not None:
        mae, p = ridge.difference.mae, ridge.difference.p
        note = f"{interval(mae)} years, {p_phrase(p)}; below 0, the model is better"
        found.append(Card(f"MAE minus that of the {ridge.label}", f"{signed(mae.value)} years", note))
    return found


def lead(findings: Findings) -> list[str]:
    """Return the summary sentences at the top of the page."""
    found = difference_lead(findings.differences)
    table = findings.associations.table
    if table.empty:
        return found
    names = ", ".join(table.loc[table["q_partial"] < 0.05, "variable"])
    return [
        *found,
        f"Of {len(table)} variables, the gap is associated with {names or 'none'} (q < 0.05, partial r, adjusted for "
        "covariates).",
    ]
