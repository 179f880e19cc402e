"""What a comparison compares: finished runs, or all folds of a model as one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from brainage.config.overrides import leaves
from brainage.errors import EvaluationError
from brainage.evaluation.disclosure import MIN_SHOWN, may_describe
from brainage.evaluation.shared import Member
from brainage.models import is_baseline
from brainage.runs.folds import Folds, group_folds, why_not_pooled
from brainage.runs.multirun_table import collect
from brainage.runs.precision import FLOAT32
from brainage.runs.read import Run, check_different, read_run, run_folders
from brainage.system.invocation import command_text
from brainage.system.reading import yaml_values


@dataclass(frozen=True)
class Entry:
    """A run, or the runs of all folds of one model, by fold.

    Parameters
    ----------
    folder : Path
        The run's, or that of the folds' multirun.
    runs : dict of str to Run
        By the name of the fold, or left-out site; by an empty name for a single run.
    """

    folder: Path
    runs: dict[str, Run]

    @property
    def first(self) -> Run:
        """A run: all have one config, up to the fold."""
        return next(iter(self.runs.values()))

    @property
    def label(self) -> str:
        """Model and modality, and the number of folds."""
        return self.first.label + (f", {len(self.runs)} folds" if len(self.runs) > 1 else "")

    @property
    def draw(self) -> tuple[Any, ...]:
        """What its folds were drawn by."""
        return tuple(getattr(self.first.config.split, key, None) for key in ("seed", "repeat"))

    @property
    def method(self) -> str:
        """Everything that the predictions depend on but seeds and, of folds, their draw."""
        skipped = _SEEDS + (_DRAWS if len(self.runs) > 1 else ())
        values = leaves(yaml_values(self.first.config_text))
        kept = {key: values[key] for key in sorted(values) if key not in skipped and not key.startswith(_BESIDE)}
        if kept.get("trainer.precision") == FLOAT32:
            kept["trainer.precision"] = None  # which is the same, in runs before it was noted
        return json.dumps([kept, len(self.runs)], default=str)

    def member(self, name: str, method: str = "") -> Member:
        """Return the predictions; of folds, those of test participants with their fold."""
        varies = not is_baseline(self.first.config.model_value("name")) or "seed" in self.first.config.network_arguments
        if len(self.runs) == 1:
            return Member(name, self.first.predictions, method=method, varies=varies)
        tables = {fold: run.predictions.assign(fold=fold) for fold, run in self.runs.items()}
        parts = dict(list(pd.concat(tables.values(), ignore_index=True).groupby("split")))
        return Member(name, parts["test"].reset_index(drop=True), parts["val"], method, self.draw, varies)


# Keys that may differ between trainings of one method, and what predictions do not depend on.
_SEEDS = (
    "seed",
    "model.seed",
    *(f"trainer.{key}" for key in ("accelerator", "devices", "strategy", "enable_progress_bar")),
)
_DRAWS = ("split.fold", "split.site", "split.seed", "split.repeat")
_BESIDE = ("store.", "outputs.", "logger", "report.", "associations.", "gap_correction", "evaluate", "resume", "code")


def members_of(entries: Mapping[str, Entry]) -> list[Member]:
    """Return the entries for a comparison; those that differ by seed, or draw of folds, are trainings of one method."""
    grouped: dict[str, list[str]] = {}
    for name, entry in entries.items():
        grouped.setdefault(entry.method, []).append(name)
    methods = {name: _method_name(names, entries) for names in grouped.values() for name in names}
    return [entry.member(name, methods[name]) for name, entry in entries.items()]


def _method_name(names: Sequence[str], entries: Mapping[str, Entry]) -> str:
    """Return the name of one run, or the numbers and the label of several, and how often the method was trained."""
    if len(names) == 1:
        return names[0]
    numbers = [name.partition(":")[0] for name in names]
    is_row = int(numbers[-1]) - int(numbers[0]) == len(numbers) - 1
    listed = f"{numbers[0]}-{numbers[-1]}" if is_row else ", ".join(numbers)
    return f"{listed}: {entries[names[0]].label}, {len(names)} trainings"


def entries_of(given: list[str] | str) -> dict[str, Entry]:
    """Return what ``runs=`` names, by number and label, two or more: a list of runs or multiruns, or one multirun.

    Multiruns over folds have an entry for each model; any other multirun has one for each job.
    """
    paths = [Path(path).expanduser() for path in ([given] if isinstance(given, str) else given)]
    folded = [_folded(path) for path in paths]
    if any(folded):
        check_different(paths)
        found = [one for path, own in zip(paths, folded, strict=True) for one in own or [_single(path)]]
    else:
        found = list(map(_single, run_folders(given)))
    if len(found) < 2:
        raise EvaluationError(
            f"`runs` must name the folds of two models or more, but got those of one, {found[0].label}. Report them "
            f"with: {command_text('report', f'run={paths[0]}')}"
        )
    return dict(zip(_names(found), found, strict=True))


def _single(path: Path) -> Entry:
    return Entry(path, {"": read_run(path, "runs")})


def _folded(path: Path) -> list[Entry]:
    """Return the models of a multirun over folds; nothing for any other folder."""
    if (path / "config.yaml").is_file() or not path.is_dir():
        return []
    rows = collect(path)
    groups = [folds for folds in group_folds(rows) if len(folds.jobs) > 1]
    if groups and (reason := why_not_pooled(path, rows)):
        raise EvaluationError(f"`runs={path}` is a multirun over folds, which cannot be compared: {reason}")
    return [_of_folds(path, folds) for folds in groups]


def _of_folds(path: Path, folds: Folds) -> Entry:
    found = Entry(path, {fold: read_run(path / row["job"], "runs") for fold, row in folds.jobs.items()})
    n_few = sum(not may_describe(int((run.predictions["split"] == "test").sum())) for run in found.runs.values())
    if n_few:
        # With the errors of the other folds, that of all would tell theirs.
        raise EvaluationError(
            f"`runs={path}` must have folds of {MIN_SHOWN} or more test participants to be compared as one, but "
            f"{n_few} of {len(found.runs)} have fewer. Use fewer folds, or leave out small sites."
        )
    return found


def _names(entries: Sequence[Entry]) -> list[str]:
    """Return number and label of each entry, with the seed where several have the same label."""
    labels = [entry.label for entry in entries]
    own = [_told_apart(entry) if labels.count(entry.label) > 1 else "" for entry in entries]
    return [f"{number}: {label}{text}" for number, (label, text) in enumerate(zip(labels, own, strict=True), start=1)]


def _told_apart(entry: Entry) -> str:
    config = entry.first.config
    repeat = getattr(config.split, "repeat", None)
    return f", seed {config.network_arguments.get('seed', config.seed)}" + (
        "" if repeat is None else f", repeat {repeat}"
    )
