"""The section of associations of a page of findings."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from brainage.evaluation.associations import Associations, adjusted_for_covariates
from brainage.evaluation.coding import coded
from brainage.evaluation.covariates import Covariates
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
    texts += [_plan(findings.settings.planned)] if findings.settings.planned else []
    texts += [f"Excluded: {name}: {reason}." for name, reason in found.left_out.items()]
    texts += [f"Coding of {name}: {coding}." for name, coding in found.coding.items()]
    if len(found.table) > _MOST_DRAWN:
        texts.append(f"Figures show the {_MOST_DRAWN} of {len(found.table)} variables with the strongest partial r.")
    texts += [f"Interpret with care: {name}: {reason}." for name, reason in found.flagged.items()]
    tables = [
        _table(found, family) for family in ("planned", "exploratory", "") if (found.table["family"] == family).any()
    ]
    if len(found.nuisance):
        texts.append(
            "Head motion and site disturb predictions: the last table relates them to the gap in the same way. If they "
            "go with the gap, so may what goes with them."
        )
        tables.append(Table(_HEADER, _rows(found.nuisance, found.flagged), note="Site: the multiple correlation."))
    return Section("Associations", texts, tables, _association_figures(findings, about))


_HEADER = (
    "variable", "partial r", "q", "p", "r, corrected gap", "r, gap", "N", "imputed", "partial r, complete cases",
    "kind", "adjusted for",
)  # fmt: skip


def _table(found: Associations, family: str) -> Table:
    """Return the variables of a family."""
    part = found.table[found.table["family"] == family]
    return Table((f"{family} variable".strip(), *_HEADER[1:]), _rows(part, found.flagged))


def _rows(table: pd.DataFrame, flagged: Mapping[str, str]) -> list[list[str]]:
    rows = []
    for row in table.to_dict("records"):
        name = f"{row['variable']} ⚠" if row["variable"] in flagged else row["variable"]
        suffixes = ("_partial", "_corrected", "", "_complete")
        partial_r, corrected, raw, complete = (correlation_in(row, suffix) for suffix in suffixes)
        covariates = row["covariates"].replace("age^2", "age²").replace(" ", ", ")
        p, q = p_text(row["p_partial"]), p_text(row["q_partial"])
        counts = [f"{row['n']:,}", f"{row['n_imputed']:,}"]
        complete = complete if row["n_imputed"] else ""
        rows.append([name, partial_r, q, p, corrected, raw, *counts, complete, row["kind"], covariates])
    return rows


def _plan(planned: Sequence[str]) -> str:
    """Return what was planned, with a hash that shows whether a plan is the one that was registered."""
    digest = hashlib.sha256("\n".join(sorted(planned)).encode()).hexdigest()
    return (
        f"Planned variables (associations.planned): {', '.join(planned)}; SHA-256 of their sorted names, one a line: "
        f"{digest}; reported {time.strftime('%Y-%m-%d')}. They are a family of their own in q, and all others are "
        "exploratory."
    )


def _association_figures(findings: Findings, about: About) -> list[Figure]:
    table = findings.associations.table
    strongest = table["r_partial"].abs().sort_values(ascending=False, kind="stable").index[:_MOST_DRAWN]
    shown = table.loc[strongest.sort_values()]
    drawn = [forest(shown)]
    covariates = Covariates(findings.rows, findings.settings.covariates, findings.settings.confounds)
    for position, name, kind in zip(shown.index, shown["variable"], shown["kind"], strict=True):
        if kind == "category":
            continue
        values, _, coding = coded(findings.rows[name])
        adjusted = adjusted_for_covariates(findings.rows, name, values, covariates)
        figure = phenotype(findings.rows, name, values, kind, adjusted, points=about.points, coding=coding)
        # Numbered, because two names may give the same slug.
        drawn.append(figure and replace(figure, name=f"phenotype-{position + 1:02d}-{slug(name)}"))
    return some(drawn)
