"""From predictions to findings, files and a report: the last step of a run, and the first of ``report.py``."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from brainage.config.saved import training_summary
from brainage.config.schema import Config
from brainage.evaluation.findings import Findings, Options
from brainage.models import is_baseline
from brainage.reporting.page import write_report
from brainage.reporting.run_page import (
    METRICS,
    About,
    findings_page,
    interval,
    number,
    p_phrase,
    p_text,
    percent,
    rows_name,
    signed_interval,
    with_interval,
)
from brainage.system.console import printable, show_table
from brainage.system.files import write_whole

# Variables that are printed at most; all are in the report.
_N_SHOWN = 12

_COLUMNS = ("participant_id", "split", "age", "predicted_age", "bag", "bag_corrected")


def options_of(config: Config, *, strict: bool = False) -> Options:
    """Return how a config wants predictions analysed."""
    return Options(
        rows=config.associations.rows,
        gap_correction=config.gap_correction,
        variables=config.associations.variables,
        n_resamples=config.report.n_resamples,
        seed=config.seed,
        strict=strict,
    )


def about_run(folder: Path, summary: Mapping[str, Any], config: str, points: str) -> About:
    """Return what else stands in a run's report.

    Parameters
    ----------
    folder : Path
        The run's folder.
    summary : mapping
        ``summary.json``, as far as it is known.
    config : str
        ``config.yaml``.
    points : {"all", "none"}
        ``report.points``.
    """
    curves, values = _read(folder / "metrics.csv"), yaml.safe_load(config)
    recipe = values.get("recipe") or {}
    excluded = _read(folder / "exclusions.csv")
    kinds = [] if excluded is None else [str(reason).partition(":")[0] for reason in excluded["reason"]]
    model, cohort, seconds = summary["model"], summary["cohort"], summary["seconds"]
    facts = [
        ("model", f"{model['name']}, {_thousands(model['parameters'])} parameters"),
        (
            "cohort",
            f"{cohort['name']}, {_thousands(cohort['n_participants'])} participants, store {cohort['fingerprint']}",
        ),
        ("participants", ", ".join(f"{part} {n}" for part, n in summary["n"].items())),
        *([] if is_baseline(model["name"]) else _training(summary, values)),
        ("seed", str(summary["seed"])),
        ("time", ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items() if value is not None)),
        ("commit", summary["commit"] or "unknown"),
        ("versions", ", ".join(f"{name} {version}" for name, version in summary["versions"].items())),
    ]
    title = f"{model['name']}, cohort {cohort['name']}"
    return About(
        title,
        facts,
        config,
        curves,
        summary["best_epoch"],
        dict(Counter(kinds).most_common()),
        points,
        augmented=bool(recipe.get("circular_shift") or recipe.get("cutmix")),
    )


def _training(summary: Mapping[str, Any], config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return how a network was trained; a baseline is fitted at once."""
    return [
        ("training", training_summary(config)),
        ("epochs", f"{summary['epochs']}, of which number {summary['best_epoch']}, from 0, was kept"),
    ]


def _read(path: Path) -> pd.DataFrame | None:
    return pd.read_csv(path) if path.exists() else None


def _thousands(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def write_findings(folder: Path, findings: Findings, about: About, predictions: pd.DataFrame | None = None) -> None:
    """Write ``predictions.csv``, ``associations.csv``, ``gap.csv``, ``findings.json`` and the report.

    Parameters
    ----------
    folder : Path
        Where they go.
    findings : Findings
        What was found.
    about : About
        What else stands in the report.
    predictions : DataFrame or None
        ``predictions.csv``, where it holds more people than were analysed.
    """
    page = findings_page(findings, about)  # whatever goes wrong in it, nothing is half-written
    known = [name for name in _COLUMNS if name in findings.predictions]
    tables: Mapping[str, pd.DataFrame] = {
        "predictions.csv": findings.predictions[known] if predictions is None else predictions,
        "associations.csv": findings.associations.table,
        "gap.csv": findings.by_age,
    }
    for name, table in tables.items():
        write_whole(folder / name, _csv(table))
    text = json.dumps(_plain(findings.as_json()), indent=2) + "\n"
    write_whole(folder / "findings.json", lambda path: path.write_text(text))
    write_report(folder, page)


def _csv(table: pd.DataFrame) -> Callable[[Path], object]:
    return lambda path: table.to_csv(path, index=False)


def show_findings(findings: Findings) -> None:
    """Print what a researcher wants to know first."""
    accuracy = findings.accuracy
    rows = [
        [name, f"{number(accuracy.estimates[key].value)}{unit}", interval(accuracy.estimates[key])]
        for key, (name, unit) in METRICS.items()
    ]
    rows += [
        ["mean predictor's MAE", f"{accuracy.mean_mae:.2f} years", f"skill {percent(accuracy.skill)}"],
        ["participants", f"{accuracy.n:,}", f"age {accuracy.age_mean:.1f} ± {accuracy.age_sd:.1f} years"],
    ]
    if findings.against_ridge is not None:
        difference = findings.against_ridge
        rows.append(
            [f"MAE less the ridge's (n = {difference.n:,})", signed_interval(difference.mae), p_phrase(difference.p)]
        )
    if (truth := findings.truth) is not None:
        best = f"best possible {number(truth.best_r)}, 1.00"
        rows.append(["r with true gap: gap, corrected", f"{number(truth.r)}, {number(truth.r_corrected)}", best])
    show_table(f"Accuracy of raw predictions, {rows_name(findings)}", ("", "", "95 % interval"), rows)
    table = findings.associations.table
    if len(table):
        strongest = table.sort_values(["q_partial", "p_partial"], kind="stable").head(_N_SHOWN)
        cells = [_association(row) for row in strongest.to_dict("records")]
        title = f"Correlations with the gap, {len(cells)} of {len(table)} variables"
        show_table(title, ("", "partial r (95 % interval)", "q", "N"), cells)
    for note in findings.notes:
        print(f"note: {printable(note)}")


def _association(row: Mapping[Any, Any]) -> Sequence[str]:
    from brainage.evaluation.intervals import Estimate

    ends = (None if pd.isna(row[f"r_partial{end}"]) else float(row[f"r_partial{end}"]) for end in ("", "_low", "_high"))
    return [str(row["variable"]), with_interval(Estimate(*ends)), p_text(row["q_partial"]), f"{row['n']:,}"]


def _plain(value: Any) -> Any:
    """Return what JSON can hold: numbers that are not finite become null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
