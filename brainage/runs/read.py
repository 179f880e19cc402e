"""Finished runs, read from their folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import OmegaConf

from brainage.config.again import give_again
from brainage.config.allowed import check_targets
from brainage.config.hydra import parse
from brainage.config.saved import read_config
from brainage.config.schema import Config
from brainage.errors import EvaluationError, MissingPathError
from brainage.runs.folder import read_summary
from brainage.runs.predictions_table import read_predictions
from brainage.system.invocation import command_text
from brainage.system.reading import open_table, read_text


@dataclass(frozen=True)
class Run:
    """A finished run: ``config.yaml`` parsed and as text, ``summary.json``, and predictions by `read_predictions`."""

    folder: Path
    config: Config
    config_text: str
    summary: dict[str, Any]
    predictions: pd.DataFrame

    @property
    def label(self) -> str:
        """Model and modality."""
        return f"{self.config.model_value('name')}, {self.config.modality.name}"


def read_run(folder: Path, key: str, again: Mapping[str, Any] | None = None) -> Run:
    """Read a finished run; `again` are values that replace those of its config, see `brainage.config.again`.

    Raises
    ------
    MissingPathError, EvaluationError
        There is no run, it has not finished, or it has no predictions.
    ConfigError
        Its config is invalid in this version, or names a class outside the allow-list.
    """
    path = folder / "config.yaml"
    if not path.is_file() and (jobs := sorted(folder.glob("*/config.yaml"))):
        several = f"; runs={folder} alone means all of its jobs" if key == "runs" else ""
        raise MissingPathError(
            f"`{key}={folder}` must be the folder of one finished run, but is a multirun of {len(jobs)} jobs. Name one "
            f"of them, such as {jobs[0].parent}{several}."
        )
    if not path.is_file():
        raise MissingPathError(
            f"`{key}={folder}` must be the folder of a finished run, which contains `config.yaml`, but it "
            f"{'contains none' if folder.is_dir() else 'does not exist'}. The last line of train.py names a run's "
            "folder."
        )
    summary = _finished_summary(folder, key)
    if not (folder / "predictions.csv").is_file():
        raise EvaluationError(
            f"`{key}={folder}` has no `predictions.csv`: it ran with evaluate=false, as a sweep's trials do. Train it "
            "again with evaluate=true."
        )
    composed, text = read_config(path), read_text(path)
    check_targets(OmegaConf.to_container(composed, resolve=False), path)
    give_again(composed, again or {})
    config = parse(composed)
    with open_table(folder / "predictions.csv"):
        pass  # it may be opened
    predictions, _ = read_predictions(folder / "predictions.csv", key)
    return Run(folder, config, text, summary, predictions)


def run_folders(given: list[str] | str) -> list[Path]:
    """Return the folders that ``runs=`` names, two or more: a list, or the jobs with predictions of one multirun."""
    parent = _multirun(given)
    if parent is None:
        found = [Path(run).expanduser() for run in given]
    elif not parent.is_dir():
        raise MissingPathError(f"`runs={parent}` must be a multirun's folder, or a list of runs: it does not exist.")
    elif (parent / "predictions.csv").is_file():
        found = [parent]
    else:
        found = [job for job in _jobs(parent) if (job / "predictions.csv").is_file()]
    if len(found) < 2:
        raise EvaluationError(
            f"`runs` must name at least two finished runs, or a multirun's folder that contains them, but got "
            f"{len(found)}. Use runs=[FOLDER,FOLDER]."
        )
    check_different(found)
    return found


def check_different(folders: Sequence[Path]) -> None:
    """Raise an `EvaluationError` if a folder is named twice."""
    if len({path.resolve() for path in folders}) < len(folders):
        raise EvaluationError("`runs` must name different runs, but one is named twice. Remove it.")


def excluded_jobs(given: list[str] | str) -> list[str]:
    """Return the jobs without predictions of the multirun that ``runs=`` names, with their status."""
    parent = _multirun(given)
    jobs = [] if parent is None else [job for job in _jobs(parent) if job.name.isdigit()]
    missing = [(job.name, read_summary(job)) for job in jobs if not (job / "predictions.csv").is_file()]
    return [
        f"job {name}, which {'has not ended' if summary is None else 'is ' + summary['status']}"
        for name, summary in missing
    ]


def _multirun(given: list[str] | str) -> Path | None:
    if isinstance(given, str):
        return Path(given).expanduser()
    return Path(given[0]).expanduser() if len(given) == 1 else None


def _jobs(parent: Path) -> list[Path]:
    """Return subfolders: jobs by number, then others by name."""
    return sorted(
        (path for path in parent.iterdir() if path.is_dir()),
        key=lambda path: (not path.name.isdigit(), int(path.name) if path.name.isdigit() else 0, path.name),
    )


def _finished_summary(folder: Path, key: str) -> dict[str, Any]:
    required = f"`{key}={folder}` must be a run that finished, but"
    resume = command_text("train", f"resume={folder}")
    if not (folder / "summary.json").exists():
        raise EvaluationError(
            f"{required} it has no `summary.json`: it is still running, or was killed. Wait for it, or resume it "
            f"with: {resume}"
        )
    if (summary := read_summary(folder)) is None:
        raise EvaluationError(f"{required} its `summary.json` cannot be read. Restore it.")
    if summary["status"] != "finished":
        raise EvaluationError(f"{required} its status is {summary['status']}. Finish it with: {resume}")
    return summary
