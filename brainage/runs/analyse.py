"""Analysis of predictions with a config's settings, and its files: tables, ``findings.json`` and the report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from brainage.config.saved import training_summary
from brainage.config.schema import Config
from brainage.evaluation.disclosure import shown_counts
from brainage.evaluation.findings import AnalysisSettings, Findings
from brainage.models import is_baseline
from brainage.reporting.page import write_report
from brainage.reporting.run_page import About, findings_page
from brainage.reporting.text import integer
from brainage.runs.channels import CHANNELS, read_channel_names, shown_names
from brainage.runs.folder import finite
from brainage.system.console import track
from brainage.system.files import write_csv, write_text
from brainage.system.keys import make_key
from brainage.system.reading import read_csv, yaml_values

# Do not share it: with it, the hashes of participants in ``findings.json`` can be compared with guesses.
PEOPLE_KEY = ".people.key"

_COLUMNS = ("participant_id", "split", "age", "predicted_age", "bag", "bag_corrected")


def settings_of(config: Config, *, strict: bool = False) -> AnalysisSettings:
    """Return a run's settings of the analysis."""
    return AnalysisSettings(
        rows=config.associations.rows,
        gap_correction=config.gap_correction,
        variables=config.associations.variables,
        n_resamples=config.report.n_resamples,
        seed=config.seed,
        strict=strict,
    )


def about_run(folder: Path, summary: Mapping[str, Any], config: str, points: str) -> About:
    """Return everything in a run's report besides the findings."""
    curves, excluded, values = _read(folder / "metrics.csv"), _read(folder / "exclusions.csv"), yaml_values(config)
    recipe = values.get("recipe") or {}
    kinds = [] if excluded is None else [str(reason).partition(":")[0] for reason in excluded["reason"]]
    return About(
        title=f"{summary['model']['name']}, cohort {summary['cohort']['name']}",
        facts=[*_facts(summary, values), *_channels(folder, values)],
        config=config,
        curves=curves,
        best_epoch=summary["best_epoch"],
        exclusions=dict(Counter(kinds).most_common()),
        points=points,
        augmented=bool(recipe.get("circular_shift") or recipe.get("cutmix")),
    )


_REPAIRED = {
    "n_with_missing_channels": "missing channels, set to zero",
    "n_with_interpolated_time_points": "interpolated time points",
}


def _facts(summary: Mapping[str, Any], config: Mapping[str, Any]) -> list[tuple[str, str]]:
    model, cohort = summary["model"], summary["cohort"]
    training = [
        ("training", training_summary(config)),
        ("epochs", f"{summary['epochs']}, selected: number {summary['best_epoch']}, counted from 0"),
    ]
    n_participants = integer(cohort["n_participants"])
    return [
        ("model", f"{model['name']}, {integer(model['parameters'])} parameters"),
        ("cohort", f"{cohort['name']}, {n_participants} participants, store {cohort['fingerprint']}"),
        ("participants", ", ".join(f"{part} {n}" for part, n in summary["n"].items())),
        *((name, f"{integer(cohort[key])} participants") for key, name in _REPAIRED.items() if cohort.get(key)),
        *_t_r_fact(summary.get("t_r") or {}, config.get("modality") or {}),
        *([] if is_baseline(model["name"]) else training),
        ("seed", str(summary["seed"])),
        ("time", ", ".join(f"{name} {value:.1f} s" for name, value in summary["seconds"].items() if value is not None)),
        ("commit", summary["commit"] or "unknown"),
        ("versions", ", ".join(f"{name} {version}" for name, version in summary["versions"].items())),
    ]


def _t_r_fact(counts: Mapping[str, Any], modality: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the repetition times of a run's participants; runs of earlier versions did not record them."""
    parts = {part: shown_counts(found) for part, found in counts.items() if found}
    if not parts:
        return []
    if len(names := {name for found in parts.values() for name in found}) == 1:
        text = _t_r_text(names.pop())
    else:
        listed = (
            f"{part} {', '.join(f'{_t_r_text(name)} ({n})' for name, n in found.items())}"
            for part, found in parts.items()
        )
        text = "; ".join(listed)
    t_r = modality.get("t_r")
    if t_r is not None and modality.get("resample"):
        text += f"; resampled to {t_r:g} s"
    elif t_r is not None and "unknown" in text:
        text += f"; {t_r:g} s is assumed"
    return [("repetition time", text)]


def _t_r_text(name: str) -> str:
    return name if name in ("unknown", "other") else f"{name} s"


def _channels(folder: Path, config: Mapping[str, Any]) -> list[tuple[str, str]]:
    names, dimension = read_channel_names(folder), (config.get("modality") or {}).get("dimension")
    return [] if names is None else [("channels", f"{len(names)} of {dimension}: {shown_names(names)} ({CHANNELS})")]


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


def write_findings(folder: Path, findings: Findings, about: About, predictions: pd.DataFrame | None = None) -> None:
    """Write ``predictions.csv``, ``associations.csv``, ``gap.csv``, ``findings.json`` and the report."""
    page = findings_page(findings, about)  # first: if this fails, no file has been written
    if predictions is None:
        predictions = findings.predictions[[name for name in _COLUMNS if name in findings.predictions]]
    write_csv(folder / "predictions.csv", predictions)
    write_csv(folder / "associations.csv", findings.associations.table)
    write_csv(folder / "gap.csv", findings.by_age)
    saved = findings.as_json(_people_key(folder) if findings.corrections else b"")
    write_text(folder / "findings.json", json.dumps(finite(saved), indent=2) + "\n")
    write_report(folder, page)
