"""The section of associations of a page of findings."""

from __future__ import annotations

from dataclasses import replace

from brainage.evaluation.associations import coded
from brainage.evaluation.findings import Findings
from brainage.reporting.about import About
from brainage.reporting.association_figures import forest, phenotype
from brainage.reporting.figure import Figure
from brainage.reporting.page import Section, Table, some
from brainage.reporting.text import correlation_in, p_text, slug

# Variables drawn at most: those with the strongest partial correlations.
_MOST_DRAWN = 20


def associations_section(findings: Findings, about: About) -> Section | None:
    """Return the associations of the gap; None where there are no variables."""
    found = findings.associations
    if found.table.empty:
        excluded = [f"Excluded: {name}: {reason}." for name, reason in found.left_out.items()]
        return Section("Associations", excluded) if excluded else None
    texts = [
        "Pearson's r of gap and corrected gap with each variable, and the partial r of the raw gap adjusted for the "
        "covariates in the last column. Intervals are by Fisher's z; p is of the partial r, with standard errors that "
        "allow for unequal spread (HC3), and q is p after the Benjamini-Hochberg correction over the table. "
        "Associations are not causes."
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
    return some(drawn)
