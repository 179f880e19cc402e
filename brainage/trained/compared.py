"""The stack that ``compare.py ensemble=stack`` fitted, with its trained networks."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path
from typing import Any

from brainage.errors import EvaluationError
from brainage.evaluation.gap import Correction
from brainage.evaluation.metrics import accuracy
from brainage.evaluation.shared import shared_test
from brainage.evaluation.stack import Stack, fit_stack
from brainage.runs.members import Entry, entries_of
from brainage.runs.read import Run
from brainage.system.provenance import commit, versions
from brainage.system.reading import read_json, yaml_values
from brainage.trained.intervals import fitted_intervals
from brainage.trained.load import correction_of, read_network_of_run
from brainage.trained.network import TrainedStack

_KEY = "--stack"

# How far weights that are fitted again may be from those of the comparison.
_SAME = 1e-6


def read_compared_stack(folder: Path) -> tuple[TrainedStack, list[dict[str, Any]]]:
    """Fit the stack of a comparison again, on the runs that it names; return it with the configs of its networks.

    Raises
    ------
    EvaluationError
        The folder is not that of a comparison with a stack; its runs have changed since; or one of them with a weight
        is not that of a network.
    """
    recorded = _recorded(folder)
    entries = entries_of(recorded["given"])
    members = [entry.member(name) for name, entry in entries.items()]
    stack = fit_stack(members, shared_test(members))
    before = recorded["weights"]
    if not all(math.isclose(weight, before.get(name, -1), abs_tol=_SAME) for name, weight in stack.weights.items()):
        raise EvaluationError(
            f"`{_KEY}={folder}` must have the weights of its runs, but their predictions have changed since they were "
            "compared. Compare them again with ensemble=stack."
        )
    used = {name: entries[name] for name, weight in stack.weights.items() if weight > 0}
    runs = [run for entry in used.values() for run in entry.runs.values()]
    weights = [stack.weights[name] / len(entry.runs) for name, entry in used.items() for _ in entry.runs]
    method, correction, reason = _correction(entries, stack)
    networks = tuple(read_network_of_run(run.folder, _KEY) for run in runs)
    facts = _facts(stack, next(iter(entries.values())).first)
    intervals = fitted_intervals(stack.predictions, next(iter(entries.values())).first.config.intervals)
    stacked = TrainedStack(folder, networks, tuple(weights), method, correction, reason, facts, intervals)
    return stacked, [yaml_values(run.config_text) for run in runs]


def _recorded(folder: Path) -> dict[str, Any]:
    """Return what ``comparison.json`` says of a stack."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        stack = read_json(folder / "comparison.json")["stack"]
        given = [stack["given"]] if isinstance(stack["given"], str) else stack["given"]
        if all(isinstance(path, str) for path in given) and isinstance(stack["weights"], dict):
            return {"given": stack["given"], "weights": stack["weights"]}
    raise EvaluationError(
        f"`{_KEY}={folder}` must be the folder of a comparison with a stack, but is not. Make one with: brainage "
        "compare runs=[FOLDER,FOLDER] ensemble=stack"
    )


def _correction(entries: dict[str, Entry], stack: Stack) -> tuple[str, Correction | None, str]:
    """Return the runs' method, the fit of the joined gap, or why there is none.

    The networks of folds have no validation participants in common: the fit is that on all out-of-fold ones.
    """
    methods = {entry.first.config.gap_correction for entry in entries.values()}
    if len(methods) > 1:
        return "none", None, "The stacked runs have different settings of gap_correction."
    method = methods.pop()
    if stack.n_folds and method in ("linear", "cole"):
        method = "crossfit"
    has_groups = any(entry.first.config.groups.column is not None for entry in entries.values())
    return method, *correction_of(method, stack.predictions, has_groups=has_groups)


def _facts(stack: Stack, first: Run) -> dict[str, Any]:
    """Return what a bundle says of the stack."""
    parts = {str(part): rows for part, rows in stack.predictions.groupby("split")}
    return {
        "metrics": {part: accuracy(rows["age"], rows["predicted_age"]) for part, rows in parts.items()},
        "baseline": None if stack.n_folds else first.summary.get("baseline"),
        "n": {part: len(rows) for part, rows in parts.items()},
        "runs": stack.weights,
        "fitted_on": stack.whom,
        "versions": versions(),
        "commit": commit(),
    }
