"""Analysis of predictions with a config's settings, and its files: tables, ``findings.json`` and the report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from brainage.config.groups.groups import GroupsConfig
from brainage.config.schema import Config
from brainage.evaluation.conformal import BOUNDS
from brainage.evaluation.disclosure import shown_summary
from brainage.evaluation.findings import AnalysisSettings, Findings
from brainage.evaluation.group_difference import GroupSettings
from brainage.models import is_baseline
from brainage.reporting.about import About
from brainage.reporting.page import Page, write_report
from brainage.reporting.run_page import findings_page
from brainage.runs.channels import read_channel_names
from brainage.runs.facts import key_facts, run_facts
from brainage.runs.folder import finite
from brainage.runs.time_order import read_time_order
from brainage.system.console import track
from brainage.system.files import write_csv, write_text
from brainage.system.keys import make_key
from brainage.system.reading import read_csv, yaml_values

# Do not share it: with it, the hashes of participants in ``findings.json`` can be compared with guesses.
PEOPLE_KEY = ".people.key"

# Agreement of two scans, see `brainage.evaluation.rescans.Rescans.table`.
RELIABILITY = "reliability.csv"

_COLUMNS = ("participant_id", "split", "age", "predicted_age", "bag", "bag_corrected", *BOUNDS)


def settings_of(config: Config, *, strict: bool = False) -> AnalysisSettings:
    """Return a run's settings of the analysis."""
    return AnalysisSettings(
        rows=config.associations.rows,
        gap_correction=config.gap_correction,
        variables=config.associations.variables,
        covariates=config.associations.covariates,
        planned=config.associations.planned,
        interval_level=config.intervals.level,
        interval_kind=config.intervals.kind,
        n_resamples=config.report.n_resamples,
        seed=config.seed,
        strict=strict,
        groups=group_settings(config.groups),
        harmonize=config.harmonize,
        permutations=config.permutations,
    )


def group_settings(groups: GroupsConfig) -> GroupSettings | None:
    """Return which groups are compared, None where no column of groups is given."""
    if groups.column is None or groups.reference is None:
        return None
    return GroupSettings(groups.column, groups.reference, groups.n_permutations)


def about_run(folder: Path, summary: Mapping[str, Any], config: str, points: str) -> About:
    """Return everything in a run's report besides the findings."""
    curves, excluded, values = _read(folder / "metrics.csv"), _read(folder / "exclusions.csv"), yaml_values(config)
    recipe, names = values.get("recipe") or {}, read_channel_names(folder)
    kinds = [] if excluded is None else [str(reason).partition(":")[0] for reason in excluded["reason"]]
    return About(
        title=f"{summary['model']['name']}, cohort {summary['cohort']['name']}",
        facts=run_facts(summary, values, names),
        key_facts=key_facts(summary, values, names),
        summary=shown_summary(summary),
        is_baseline=is_baseline(summary["model"]["name"]),
        config=config,
        curves=curves,
        best_epoch=summary["best_epoch"],
        exclusions=dict(Counter(kinds).most_common()),
        points=points,
        augmented=bool(recipe.get("circular_shift") or recipe.get("cutmix")),
        time_order=read_time_order(folder),
    )


def _read(path: Path) -> pd.DataFrame | None:
    return read_csv(path) if path.exists() else None


def progress(variables: Sequence[str]) -> Iterator[str]:
    """Yield variables and show how many are associated."""
    return track(variables, len(variables), "Associations")


def _people_key(folder: Path) -> bytes:
    """Return the key of participants' hashes, one for all results in ``outputs/``; empty if it cannot be made."""
    place = folder.absolute()
    outputs = next((parent for parent in place.parents if parent.name == "outputs"), place.parent)
    with suppress(OSError):
        return make_key(outputs / PEOPLE_KEY)
    return b""


def write_findings(folder: Path, findings: Findings, about: About, predictions: pd.DataFrame | None = None) -> Page:
    """Write ``predictions.csv``, ``associations.csv``, ``gap.csv``, ``findings.json`` and the report; return it."""
    page = findings_page(findings, about)  # first: if this fails, no file has been written
    if predictions is None:
        predictions = findings.predictions[[name for name in _COLUMNS if name in findings.predictions]]
    write_csv(folder / "predictions.csv", predictions)
    found = findings.associations
    write_csv(
        folder / "associations.csv",
        pd.concat([found.table, found.nuisance], ignore_index=True) if len(found.nuisance) else found.table,
    )
    write_csv(folder / "gap.csv", findings.by_age)
    if findings.differences is not None:
        write_csv(folder / "group_differences.csv", findings.differences.table)
    if about.rescans is not None:
        write_csv(folder / RELIABILITY, about.rescans.table())
    saved = findings.as_json(_people_key(folder) if findings.corrections else b"")
    write_text(folder / "findings.json", json.dumps(finite(saved), indent=2) + "\n")
    write_report(folder, page)
    return page
