"""A run's folder: its files, each written whole."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from brainage.errors import OutputError
from brainage.system.files import as_output_error, ensure_writable, write_whole
from brainage.system.provenance import commit, versions

if TYPE_CHECKING:
    import pandas as pd

# What a run that got to work leaves in its folder, or in a multirun's; a mistake leaves none of it.
_TRACES = ("metrics.csv", "predictions.csv", "splits.csv", "*/metrics.csv", "*/predictions.csv", "*/splits.csv")


class RunFolder:
    """Where one run writes.

    Parameters
    ----------
    path : Path
        The folder; made if need be.

    Raises
    ------
    OutputError
        It cannot be made, or another process writes there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        ensure_writable(path)
        self._lock = FileLock(path / ".lock")
        with as_output_error(path):
            try:
                self._lock.acquire(timeout=0)
            except Timeout:
                raise OutputError(
                    f"`{path}` must belong to one process at a time, but another one is training there. Wait for its "
                    "end, or stop it."
                ) from None
        # A summary says that a run ended; this one has just begun.
        summary = path / "summary.json"
        with as_output_error(path):
            self._former_summary = summary.read_bytes() if summary.exists() else None
            summary.unlink(missing_ok=True)

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *exception: object) -> None:
        """Let another process write here."""
        self._lock.release()

    def write_csv(self, name: str, table: pd.DataFrame) -> None:
        """Write a table under this name."""
        self._write(name, lambda path: table.to_csv(path, index=False))

    def write_text(self, name: str, text: str) -> None:
        """Write text under this name."""
        self._write(name, lambda path: path.write_text(text))

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write ``summary.json``, the last file of a run. Numbers that are not finite become null."""
        self.write_text("summary.json", json.dumps(_finite(summary), indent=2) + "\n")

    def give_summary_back(self) -> bool:
        """Write the summary again that was here before; tell whether there was one that still holds."""
        former = self._former_summary
        if former is not None:
            self._write("summary.json", lambda path: path.write_bytes(former))
        return former is not None

    def forget_summary(self) -> None:
        """Let the summary that was here before hold no more."""
        self._former_summary = None

    def _write(self, name: str, write: Callable[[Path], object]) -> None:
        with as_output_error(self.path):
            write_whole(self.path / name, write)


def ensure_unused(path: Path) -> None:
    """See that a folder holds no run yet, nor runs in its own folders.

    Parameters
    ----------
    path : Path
        The folder; it need not exist.

    Raises
    ------
    OutputError
        It does: a new run would overwrite a part of it.
    """
    used = next((found for name in _TRACES for found in sorted(path.glob(name))), None)
    if used is not None:
        raise OutputError(
            f"`hydra.run.dir={path}` must be a folder without a run, but it holds `{used.relative_to(path)}`. Choose "
            "another place with hydra.run.dir=DIR (hydra.sweep.dir=DIR with --multirun), or remove the old run."
        )


def empty_summary() -> dict[str, Any]:
    """Return a summary of a run about which nothing is known yet; every key is there."""
    metrics = dict.fromkeys(("mae", "mse", "rmse", "r2", "pearson_r"))
    return {
        "status": "failed",
        "reason": None,
        "objective": {"name": None, "value": None},
        "metrics": {part: dict(metrics) for part in ("train", "val", "test")},
        "baseline": {part: {"mae": None} for part in ("val", "test")},
        "n": dict.fromkeys(("train", "val", "test")),
        "model": {"name": None, "parameters": None, "encoder_parameters": None},
        "cohort": {"name": None, "fingerprint": None, "n_participants": None, "n_excluded": None},
        "seed": None,
        "epochs": None,
        "best_epoch": None,
        "seconds": {"ingest": None, "fit": None, "total": None},
        "versions": versions(),
        "commit": commit(),
    }


def read_summary(folder: Path) -> dict[str, Any] | None:
    """Return a run's ``summary.json``; None where there is none that could be one.

    Parameters
    ----------
    folder : Path
        The run's folder.
    """
    try:
        summary: dict[str, Any] = json.loads((folder / "summary.json").read_text())
        return summary if isinstance(summary["status"], str) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
