"""The stack that ``compare.py ensemble=stack`` fitted, with its trained networks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from brainage.errors import EvaluationError
from brainage.evaluation.metrics import accuracy
from brainage.evaluation.shared import Member, shared_test
from brainage.evaluation.stack import Stack, fit_stack
from brainage.models import is_baseline
from brainage.runs.read import Run, read_run
from brainage.system.provenance import commit, versions
from brainage.system.reading import read_json, yaml_values
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
    runs = {name: read_run(Path(path), _KEY) for name, path in recorded["runs"].items()}
    members = [Member(name, run.predictions) for name, run in runs.items()]
    stack = fit_stack(members, shared_test(members))
    before = recorded["stack"]["weights"]
    if not all(math.isclose(weight, before.get(name, -1), abs_tol=_SAME) for name, weight in stack.weights.items()):
        raise EvaluationError(
            f"`{_KEY}={folder}` must have the weights of its runs, but their predictions have changed since they were "
            "compared. Compare them again with ensemble=stack."
        )
    used = {name: weight for name, weight in stack.weights.items() if weight > 0}
    for name in used:
        if is_baseline(model := str(runs[name].config.model_value("name"))):
            raise EvaluationError(
                f"`{_KEY}={folder}` must be a stack of networks, but {name} is the baseline {model}, which a bundle "
                "cannot contain. Compare the networks alone with ensemble=stack."
            )
    networks = tuple(read_network_of_run(runs[name].folder, _KEY) for name in used)
    methods = {run.config.gap_correction for run in runs.values()}
    method = methods.pop() if len(methods) == 1 else "none"
    correction, reason = correction_of(method, stack.predictions)
    reason = "The stacked runs have different settings of gap_correction." if methods else reason
    facts = _facts(stack, next(iter(runs.values())))
    stacked = TrainedStack(folder, networks, tuple(used.values()), method, correction, reason, facts)
    return stacked, [yaml_values(runs[name].config_text) for name in used]


def _recorded(folder: Path) -> dict[str, Any]:
    """Return what ``comparison.json`` says."""
    try:
        recorded = read_json(folder / "comparison.json")
        named = all(isinstance(path, str) for path in recorded["runs"].values())
        if named and isinstance(recorded["stack"]["weights"], dict):
            return dict(recorded)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    raise EvaluationError(
        f"`{_KEY}={folder}` must be the folder of a comparison with a stack, but is not. Make one with: brainage "
        "compare runs=[FOLDER,FOLDER] ensemble=stack"
    )


def _facts(stack: Stack, first: Run) -> dict[str, Any]:
    """Return what a bundle says of the stack."""
    parts = {str(part): rows for part, rows in stack.predictions.groupby("split")}
    return {
        "metrics": {part: accuracy(rows["age"], rows["predicted_age"]) for part, rows in parts.items()},
        "baseline": first.summary.get("baseline"),
        "n": {part: len(rows) for part, rows in parts.items()},
        "runs": stack.weights,
        "n_fitted": stack.n_fitted,
        "versions": versions(),
        "commit": commit(),
    }
