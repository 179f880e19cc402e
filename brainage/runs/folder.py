"""A run's folder: every file is written atomically, by one process at a time."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import AcquireReturnProxy, BaseFileLock

from brainage.errors import OutputError
from brainage.system.files import (
    as_output_error,
    ensure_writable,
    refuse_links,
    remove_partials,
    write_csv,
    write_text,
)
from brainage.system.locks import acquire
from brainage.system.reading import read_json

if TYPE_CHECKING:
    import pandas as pd

# Files that show that a run, or a multirun's job, began; a mistake on the command line leaves none of them.
_NAMES = ("metrics.csv", "predictions.csv", "splits.csv", "checkpoints/last.ckpt")
_TRACES = (*_NAMES, *(f"*/{name}" for name in _NAMES))


class RunFolder:
    """The folder of one run, created, and locked while it is open."""

    def __init__(self, path: Path) -> None:
        self.path, self.resumed, self.began = path, False, False
        self._waiting: dict[str, pd.DataFrame] = {}
        ensure_writable(path)
        self._lock = lock_folder(path, str(path))
        refuse_links(path / "checkpoints", path / "figures")

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *exception: object) -> None:
        """Release the lock."""
        self._lock.lock.release()

    def resume(self) -> None:
        """Continue the run of this folder. Nothing of it changes before `begin`; tables wait until then."""
        self.resumed = True
        remove_partials(self.path)

    def write_csv(self, name: str, table: pd.DataFrame) -> None:
        """Write a table under this name."""
        if self.resumed and not self.began:
            self._waiting[name] = table
            return
        write_csv(self.path / name, table)

    def write_text(self, name: str, text: str) -> None:
        """Write text under this name."""
        write_text(self.path / name, text)

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write ``summary.json``, the last file of a run. Numbers that are not finite become null."""
        self.write_text("summary.json", json.dumps(finite(summary), indent=2) + "\n")

    def begin(self, config_text: str) -> None:
        """Write ``config.yaml`` and delete an earlier ``summary.json``, once."""
        if self.began:
            return
        self.began = True
        self.write_text("config.yaml", config_text)
        with as_output_error(self.path):
            (self.path / "summary.json").unlink(missing_ok=True)
        for name, table in self._waiting.items():
            self.write_csv(name, table)

    @property
    def keeps_summary(self) -> bool:
        """Whether an earlier summary is still valid: a resumed run has not begun."""
        return self.resumed and not self.began and (self.path / "summary.json").exists()


# Locks of folders where this process will run, until the run's `RunFolder` takes them.
_reserved: dict[Path, AcquireReturnProxy[BaseFileLock]] = {}


def reserve(path: Path) -> None:
    """Lock a run's folder for this process, before Hydra writes there."""
    _reserved[path.resolve()] = lock_folder(path, f"hydra.run.dir={path}")


def lock_folder(path: Path, name: str) -> AcquireReturnProxy[BaseFileLock]:
    """Lock a folder, unless this process has reserved it, until the lock is released or the process ends."""
    with as_output_error(path):
        return _reserved.pop(path.resolve(), None) or acquire(
            path / ".lock", f"`{name}`", OutputError, doing="training there"
        )


def ensure_unused(path: Path) -> None:
    """Raise an `OutputError` if a folder, which need not exist, contains a run or jobs of a multirun."""
    used = next((found for name in _TRACES for found in sorted(path.glob(name))), None)
    if used is not None:
        raise OutputError(
            f"`hydra.run.dir={path}` must be a folder without a run, but it contains `{used.relative_to(path)}`. "
            "Choose another place with hydra.run.dir=DIR (hydra.sweep.dir=DIR with --multirun), or remove the old run."
        )


def read_summary(folder: Path) -> dict[str, Any] | None:
    """Return a run's ``summary.json``; None if it is missing or cannot be read."""
    try:
        summary: dict[str, Any] = read_json(folder / "summary.json")
        return summary if isinstance(summary["status"], str) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def finite(value: Any) -> Any:
    """Replace numbers that are not finite by None, which JSON can represent."""
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
