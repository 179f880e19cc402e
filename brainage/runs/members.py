"""What a comparison compares: finished runs, or all folds of a model as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from brainage.errors import EvaluationError
from brainage.evaluation.disclosure import MIN_SHOWN, may_describe
from brainage.evaluation.shared import Member
from brainage.runs.folds import Folds, group_folds, why_not_pooled
from brainage.runs.multirun_table import collect
from brainage.runs.read import Run, check_different, read_run, run_folders
from brainage.system.invocation import command_text


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

    def member(self, name: str) -> Member:
        """Return the predictions; of folds, those of test participants with their fold."""
        if len(self.runs) == 1:
            return Member(name, self.first.predictions)
        tables = {fold: run.predictions.assign(fold=fold) for fold, run in self.runs.items()}
        parts = dict(list(pd.concat(tables.values(), ignore_index=True).groupby("split")))
        return Member(name, parts["test"].reset_index(drop=True), parts["val"])


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
    seeds = [f", seed {entry.first.config.seed}" if labels.count(entry.label) > 1 else "" for entry in entries]
    return [f"{number}: {label}{seed}" for number, (label, seed) in enumerate(zip(labels, seeds, strict=True), start=1)]
