"""The rows of the table of a multirun's jobs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from yaml import YAMLError

from brainage.data.splits import PARTS
from brainage.evaluation import METRICS
from brainage.evaluation.disclosure import shown_summary
from brainage.runs.cells import cell_of, chosen_cells
from brainage.runs.folder import read_summary
from brainage.system.reading import read_yaml


def finish_multirun(folder: Path) -> list[dict[str, Any]]:
    """Write and print the table of all jobs, their folds and the page; return the table's rows."""
    # Imports pandas and matplotlib.
    from brainage.runs.multirun_end import end_multirun

    rows = collect(folder)
    end_multirun(folder, rows, chosen_alone(rows), *varied_overrides(rows))
    return rows


def chosen_alone(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows without the test errors of cells that were not chosen: none may be chosen by them.

    The cell with the lowest mean validation MSE is chosen.
    """
    chosen = chosen_cells(rows)
    return [row if cell_of(row["overrides"]) in chosen else {**row, "test/mae": None} for row in rows]


def collect(folder: Path) -> list[dict[str, Any]]:
    """Return one row per job, by job number; missing values are None, a job without a summary has failed."""
    found = {path.parent for path in folder.rglob("summary.json")}
    found |= {path.parents[1] for path in folder.rglob(".hydra/overrides.yaml")}
    jobs = sorted(found, key=lambda path: (path.name.isdigit(), int(path.name) if path.name.isdigit() else 0, path))
    return [_row(path, path.relative_to(folder).as_posix()) for path in jobs]


def _row(job: Path, name: str) -> dict[str, Any]:
    summary = shown_summary(
        read_summary(job) or {"status": "failed", "reason": "The job left no summary; see its log."}
    )
    overrides: list[str] = []
    with suppress(OSError, ValueError, TypeError, YAMLError):  # a process may be killed while it writes
        overrides = [str(word) for word in read_yaml(job / ".hydra" / "overrides.yaml") or ()]
    metrics = summary.get("metrics", {})
    return {
        "job": name,
        "overrides": overrides,
        "status": summary["status"],
        "reason": summary.get("reason"),
        "objective": summary.get("objective", {}).get("value"),
        **{f"{part}/{name}": metrics.get(part, {}).get(name) for part in PARTS for name in METRICS},
        "parameters": summary.get("model", {}).get("parameters"),
        "epochs": summary.get("epochs"),
        "best_epoch": summary.get("best_epoch"),
        "seconds": summary.get("seconds", {}).get("total"),
    }


def varied_overrides(rows: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Return each job's own overrides as text, and the overrides that all jobs share."""
    each = [row["overrides"] for row in rows]
    shared = set.intersection(*map(set, each)) if len(rows) > 1 else set()
    own = [" ".join(word for word in words if word not in shared) for words in each]
    return own, [word for word in each[0] if word in shared] if each else []
