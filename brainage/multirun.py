"""What Hydra calls around runs: a look at the output folder before, the table of all jobs after a multirun."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from brainage.console import show_table
from brainage.errors import OutputError
from brainage.run import ensure_unused, ensure_writable

_PARTS, _METRICS = ("train", "val", "test"), ("mae", "mse", "rmse", "r2", "pearson_r")


class JobFolders(Callback):
    """Refuses an output folder that cannot be written or is in use; closes a multirun with ``summary.csv``."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Look at the run's folder."""
        _refuse_unusable(config.hydra.run.dir)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Look at the multirun's folder."""
        _refuse_unusable(config.hydra.sweep.dir)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Write and print the table; exit with 1 where a job failed, other than by being impossible."""
        folder = Path(config.hydra.sweep.dir)
        rows = collect(folder)
        write_summary_csv(folder / "summary.csv", rows)
        print()
        show_table(f"{len(rows)} jobs", _SHOWN, _cells(rows))
        for row in rows:
            if row["reason"]:
                print(f"job {row['job']}: {row['reason']}")
        print(f"Table: {folder / 'summary.csv'}")
        if any(row["status"] not in ("finished", "impossible", "pruned") for row in rows):
            sys.exit(1)


_SHOWN = ("job", "overrides", "status", "val/mse", "val/mae", "test/mae", "parameters", "epochs", "seconds")


def collect(folder: Path) -> list[dict[str, Any]]:
    """Read what the jobs of a multirun left.

    Parameters
    ----------
    folder : Path
        The multirun's folder, with one numbered folder a job.

    Returns
    -------
    list of dict
        One a job, by number: job, overrides, status, reason, objective, every metric as ``part/metric``, parameters,
        epochs, seconds. What a job did not leave is None; a job without a summary has the status ``failed``.
    """
    jobs = sorted((path for path in folder.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))
    return [_row(path) for path in jobs]


def _row(job: Path) -> dict[str, Any]:
    try:
        summary = json.loads((job / "summary.json").read_text())
    except (OSError, ValueError):
        summary = {"status": "failed", "reason": "The job left no summary; see its log."}
    try:
        overrides = " ".join(OmegaConf.to_container(OmegaConf.load(job / ".hydra" / "overrides.yaml")))  # type: ignore[arg-type]
    except OSError:
        overrides = ""
    metrics = summary.get("metrics", {})
    return {
        "job": int(job.name),
        "overrides": overrides,
        "status": summary["status"],
        "reason": summary.get("reason"),
        "objective": summary.get("objective", {}).get("value"),
        **{f"{part}/{name}": metrics.get(part, {}).get(name) for part in _PARTS for name in _METRICS},
        "parameters": summary.get("model", {}).get("parameters"),
        "epochs": summary.get("epochs"),
        "seconds": summary.get("seconds", {}).get("total"),
    }


def write_summary_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write the table of a multirun, whole or not at all.

    Parameters
    ----------
    path : Path
        The file.
    rows : list of dict
        As collected.
    """
    import pandas as pd

    partial = path.with_name(f".{path.name}.partial")
    # Whole numbers with gaps stay whole numbers.
    pd.DataFrame(rows).convert_dtypes().to_csv(partial, index=False)
    partial.replace(path)


def _cells(rows: list[dict[str, Any]]) -> list[list[str]]:
    """Return what is printed: overrides that all jobs share are left out."""
    each = [row["overrides"].split() for row in rows]
    shared = set.intersection(*map(set, each)) if len(rows) > 1 else set()
    own = [" ".join(word for word in words if word not in shared) for words in each]
    return [
        [words if name == "overrides" else _text(row[name]) for name in _SHOWN]
        for row, words in zip(rows, own, strict=True)
    ]


def _text(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _refuse_unusable(folder: str) -> None:
    # Hydra makes this folder itself and answers with a traceback; and it turns a callback's errors into warnings.
    try:
        ensure_unused(Path(folder))
        ensure_writable(Path(folder))
    except OutputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
