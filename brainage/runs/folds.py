"""Folds, or left-out sites, of a multirun: their table, and the pooled predictions of their test participants."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString

from brainage.config.saved import read_config
from brainage.evaluation import METRICS
from brainage.evaluation.accuracy import measure_accuracy
from brainage.evaluation.folds import Fold, FoldResults, fold_of, mean_sd_of
from brainage.evaluation.gap import MIN_CROSSFITTED, MIN_VALIDATION
from brainage.runs.cells import cell_of, chosen_cells
from brainage.runs.folder import read_summary
from brainage.sweep import TUNED
from brainage.system.console import cell, show_table
from brainage.system.files import write_csv
from brainage.system.invocation import command_text
from brainage.system.reading import read_csv

# Overrides that differ between folds.
_KEYS = ("split.fold", "split.site")

_METRICS = tuple(f"{part}/{name}" for part in ("val", "test") for name in METRICS)
_VALIDATION = ("n_test", "val/mse", "val/mae")
_SHOWN = (*_VALIDATION, "test/mae", "test/rmse", "test/r2", "test/pearson_r")


@dataclass(frozen=True)
class Folds:
    """Jobs that differ in their fold only: the fold's key, shared overrides, and rows of the table by fold."""

    key: str
    overrides: tuple[str, ...]
    jobs: dict[str, dict[str, Any]]

    @property
    def finished(self) -> dict[str, dict[str, Any]]:
        """Rows of the finished jobs."""
        return {fold: row for fold, row in self.jobs.items() if row["status"] == "finished"}


def finish_folds(folder: Path, rows: list[dict[str, Any]]) -> list[FoldResults]:
    """Write and print ``folds.csv`` and ``pooled_predictions.csv``, if there are folds; return their results.

    The table has one row per fold, their mean and SD. Pooled predictions have every participant once, as held-out, and
    need all folds. Both are in ``folds/0``, ``folds/1``, ... where other overrides vary too: of several models, test
    errors are printed of the one with the lowest validation MSE only.
    """
    chosen = chosen_cells(rows)
    found = [folds for folds in group_folds(rows) if len(folds.jobs) > 1]
    results = []
    for number, folds in enumerate(found):
        place = folder if len(found) == 1 else folder / "folds" / str(number)
        place.mkdir(parents=True, exist_ok=True)
        tested = _tested(folds, folder)
        name = " ".join(word for word in folds.overrides if any(word not in other.overrides for other in found))
        each = replace(_each(folds, tested), name=name, chosen=cell_of(folds.overrides) in chosen)
        _write_table(folds, each, tested, place)
        sentence = _pool(folds, each, tested, folder, place / "pooled_predictions.csv")
        results.append(_results(folds, tested, replace(each, sentence=sentence), folder))
    return results


def _each(folds: Folds, tested: dict[str, pd.DataFrame]) -> FoldResults:
    """Return the results of each fold."""
    metrics = {fold: {key: row[f"test/{key}"] for key in METRICS} for fold, row in folds.finished.items()}
    each = [
        fold_of(fold, tested[fold], own) if fold in tested else Fold(fold, None, own) for fold, own in metrics.items()
    ]
    errors = {key: [row[f"val/{key}"] for row in folds.finished.values()] for key in ("mse", "mae")}
    validation = {key: spread for key, values in errors.items() if (spread := mean_sd_of(values)) is not None}
    return FoldResults(folds.key.partition(".")[2], each, validation=validation)


def _results(folds: Folds, tested: dict[str, pd.DataFrame], each: FoldResults, folder: Path) -> FoldResults:
    """Add the pooled results, unless they would tell those of a few participants, or are not shown."""
    if not each.chosen or _incomplete(folds, tested, folder) or each.hides_few:
        return each
    jobs = {row["job"]: fold for fold, row in folds.finished.items()}
    config = read_config(folder / min(jobs) / "config.yaml")
    # In the order of the report of pooled folds, whose resamples are the same.
    pooled = pd.concat([tested[jobs[job]] for job in sorted(jobs)])[["age", "predicted_age"]].astype(float)
    accuracy = measure_accuracy(
        pooled["age"],
        pooled["predicted_age"],
        mean_age=float(pooled["age"].mean()),
        n_resamples=int(config.report.n_resamples),
        seed=int(config.seed),
    )
    return replace(each, accuracy=accuracy, predictions=pooled)


def why_not_pooled(folder: Path, rows: list[dict[str, Any]]) -> str | None:
    """Return why the test participants of a multirun's folds cannot be pooled; None if they can, or it has no folds."""
    reasons = (_incomplete(folds, _tested(folds, folder), folder) for folds in group_folds(rows))
    return next((reason for reason in reasons if reason), None)


def group_folds(rows: list[dict[str, Any]]) -> list[Folds]:
    """Group the rows of jobs that differ in their fold only."""
    found: dict[tuple[str, tuple[str, ...]], dict[str, dict[str, Any]]] = {}
    for row in rows:
        for key in _KEYS:
            own = [word for word in row["overrides"] if word.startswith(f"{key}=")]
            if own:
                shared = tuple(word for word in row["overrides"] if word not in own)
                found.setdefault((key, shared), {})[_value(own[-1])] = row
    return [Folds(key, shared, jobs) for (key, shared), jobs in found.items()]


def are_draws(rows: list[dict[str, Any]]) -> bool:
    """Return whether all jobs are folds of one model, which were drawn once or several times."""
    found = group_folds(rows)
    models = {tuple(word for word in folds.overrides if not word.startswith("split.repeat=")) for folds in found}
    return len(models) == 1 and sum(len(folds.jobs) for folds in found) == len(rows)


def _value(word: str) -> str:
    """Return the value of an override, without the quotes of Hydra's grammar."""
    value = OverridesParser.create().parse_override(word).value()
    return value.text if isinstance(value, QuotedString) else str(value)


def _write_table(folds: Folds, each: FoldResults, tested: dict[str, pd.DataFrame], place: Path) -> None:
    """Write ``folds.csv``, if at least two folds finished, and print the columns that may be shown."""
    shown = _SHOWN if each.chosen else _VALIDATION
    label = folds.key.partition(".")[2]
    n_test = {fold: len(table) for fold, table in tested.items()}
    table = [
        {label: fold, "job": row["job"], "n_test": n_test.get(fold), **{name: row[name] for name in _METRICS}}
        for fold, row in folds.finished.items()
    ]
    if len(table) < 2:
        return
    table += [
        {label: name, **{column: _over(how, table, column) for column in ("n_test", *_METRICS)}}
        for name, how in (("mean", statistics.fmean), ("sd", statistics.stdev))
    ]
    write_csv(place / "folds.csv", pd.DataFrame(table))
    cells = [[str(row[label]), *(cell(row[name]) for name in shown)] for row in table]
    print()
    show_table(f"Folds {each.name}".strip(), (label, *shown), cells)
    print(f"Folds: {place / 'folds.csv'}")


def _pool(folds: Folds, each: FoldResults, tested: dict[str, pd.DataFrame], folder: Path, target: Path) -> str:
    """Write ``pooled_predictions.csv``, or say why not; return a sentence."""
    target.unlink(missing_ok=True)  # of an earlier table, before a job was resumed
    if reason := _incomplete(folds, tested, folder):
        print(f"{target.name} is not written: {reason}")
        return f"The folds are not pooled: {reason}"
    pooled = pd.concat(tested.values()).sort_values("participant_id", kind="stable")
    write_csv(target, pooled)
    by = "a fold" if each.label == "fold" else "a training on the other sites"
    sentence = f"{len(pooled)} participants, each predicted once by {by}"
    # With the errors of other folds, the pooled one would tell that of a fold that is not shown.
    if each.chosen and not each.hides_few:
        error = (pooled["predicted_age"].astype(float) - pooled["age"].astype(float)).abs().mean()
        sentence += f": MAE {error:.2f} years"
    if each.chosen and (spread := each.mean_sd("mae")) is not None:
        sentence += f"; of {len(each.folds)} {each.label}s, {spread[0]:.2f} ± {spread[1]:.2f} years (mean ± SD)"
    print(f"Pooled: {sentence}: {target}")
    if target.parent == folder:
        print(f"Analyse them with: {_report_command(folder, folds, len(pooled))}")
    return f"{sentence}."


def _report_command(folder: Path, folds: Folds, n: int) -> str:
    """Return the command that analyses pooled predictions, with a correction of the gap for which they suffice."""
    summaries = [read_summary(folder / row["job"]) or {} for row in folds.finished.values()]
    few = any(summary.get("n", {}).get("val", 0) < MIN_VALIDATION for summary in summaries)
    words = ["gap_correction=crossfit"] if few and n >= MIN_CROSSFITTED else []
    return command_text("report", f"run={folder}", *words)


def _tested(folds: Folds, folder: Path) -> dict[str, pd.DataFrame]:
    """Return the test rows of finished folds' predictions, as text."""
    tables = {}
    for fold, row in folds.finished.items():
        path = folder / row["job"] / "predictions.csv"
        if path.exists():
            predictions = read_csv(path, dtype=str, keep_default_na=False)
            tables[fold] = predictions[predictions["split"] == "test"]
    return tables


def _incomplete(folds: Folds, tested: dict[str, pd.DataFrame], folder: Path) -> str | None:
    """Return why the folds do not predict every participant once; None if they do."""
    finished = folds.finished
    if missing := [fold for fold in folds.jobs if fold not in finished]:
        own = f"{folds.key}={','.join(missing)}"
        place = folder.parent if folder.name == TUNED else folder
        return f"{own} did not finish. The multirun's command with hydra.sweep.dir={place} continues it."
    if len(tested) < len(finished):
        return "with evaluate=false, there are no test predictions."
    if folds.key == "split.fold":
        job = next(iter(finished.values()))["job"]
        n_folds = int(read_config(folder / job / "config.yaml").split.n_folds)
        if missing := [str(fold) for fold in range(n_folds) if str(fold) not in finished]:
            return f"{folds.key}={','.join(missing)} is missing of {n_folds} folds. Give split.fold all of them."
    ids = [one for table in tested.values() for one in table["participant_id"]]
    if len(set(ids)) < len(ids):
        return "some participants were tested in more than one fold. Use the same split.seed in all jobs."
    return None


def _over(how: Any, table: list[dict[str, Any]], column: str) -> float | None:
    values = [row[column] for row in table if row[column] is not None]
    return float(how(values)) if len(values) == len(table) else None
