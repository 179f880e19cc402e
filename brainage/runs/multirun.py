"""What Hydra calls around runs: a look at the output folder before, the table of all jobs after a multirun."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from brainage.config.hydra import resolved
from brainage.config.schema import refuse_ids, refuse_ids_in
from brainage.errors import BrainageError, SweepError
from brainage.runs.folder import ensure_unused, read_summary
from brainage.runs.folds import close_folds
from brainage.runs.resume import check_resume, given_words
from brainage.system.console import show_table
from brainage.system.files import ensure_writable, write_whole

_PARTS, _METRICS = ("train", "val", "test"), ("mae", "mse", "rmse", "r2", "pearson_r")


class JobFolders(Callback):
    """Refuses an output folder that cannot be written or is in use; closes a multirun with ``summary.csv``."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Look at the run's folder."""
        _refuse_unusable(config, multirun=False)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Look at the multirun's folder; a sweep goes on in its own."""
        if _is_sweep(config):
            return
        _refuse_unusable(config, multirun=True)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Write and print the table; exit with 1 where a job failed, other than by being impossible."""
        if _is_sweep(config):
            return
        rows = close(Path(config.hydra.sweep.dir))
        if any(row["status"] not in ("finished", "impossible", "pruned") for row in rows):
            sys.exit(1)


def close(folder: Path) -> list[dict[str, Any]]:
    """Write and print the table of a multirun's jobs, finished or not.

    Parameters
    ----------
    folder : Path
        The multirun's folder.

    Returns
    -------
    list of dict
        As collected.
    """
    rows = collect(folder)
    write_summary_csv(folder / "summary.csv", rows)
    print()
    show_table(f"{len(rows)} jobs", _SHOWN, _cells(rows))
    for row in rows:
        if row["reason"]:
            print(f"job {row['job']}: {row['reason']}")
    print(f"Table: {folder / 'summary.csv'}")
    close_folds(folder, rows)
    print(f"Report: {_write_report(folder, rows)}")
    return rows


def _write_report(folder: Path, rows: list[dict[str, Any]]) -> Path:
    from brainage.reporting.multirun_page import Job, write_multirun_report

    own, shared = _varied(rows)
    jobs = [Job(folder / row["job"], words, row) for row, words in zip(rows, own, strict=True)]
    return write_multirun_report(folder, jobs, shared)


def _is_sweep(config: DictConfig) -> bool:
    return str(config.hydra.sweeper.get("_target_", "")).startswith("hydra_plugins.brainage_sweeper.")


_SHOWN = ("job", "overrides", "status", "val/mse", "val/mae", "test/mae", "parameters", "epochs", "seconds")


def collect(folder: Path) -> list[dict[str, Any]]:
    """Read what the jobs of a multirun left.

    Parameters
    ----------
    folder : Path
        The multirun's folder, with one folder a job.

    Returns
    -------
    list of dict
        One a job, by number: job, overrides (a list), status, reason, objective, every metric as ``part/metric``,
        parameters, epochs, seconds. What a job did not leave is None; one without a summary has the status ``failed``.
    """
    found = {path.parent for path in folder.rglob("summary.json")}
    found |= {path.parents[1] for path in folder.rglob(".hydra/overrides.yaml")}
    jobs = sorted(found, key=lambda path: (path.name.isdigit(), int(path.name) if path.name.isdigit() else 0, path))
    return [_row(path, path.relative_to(folder).as_posix()) for path in jobs]


def _row(job: Path, name: str) -> dict[str, Any]:
    summary = read_summary(job) or {"status": "failed", "reason": "The job left no summary; see its log."}
    try:
        overrides = [str(word) for word in OmegaConf.load(job / ".hydra" / "overrides.yaml")]
    except (OSError, ValueError, YAMLError, OmegaConfBaseException):  # a process may be killed while it writes
        overrides = []
    metrics = summary.get("metrics", {})
    return {
        "job": name,
        "overrides": overrides,
        "status": summary["status"],
        "reason": summary.get("reason"),
        "objective": summary.get("objective", {}).get("value"),
        **{f"{part}/{name}": metrics.get(part, {}).get(name) for part in _PARTS for name in _METRICS},
        "parameters": summary.get("model", {}).get("parameters"),
        "epochs": summary.get("epochs"),
        "best_epoch": summary.get("best_epoch"),
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

    joined = [{**row, "overrides": " ".join(row["overrides"])} for row in rows]
    # Whole numbers with gaps stay whole numbers.
    table = pd.DataFrame(joined).convert_dtypes()
    write_whole(path, lambda partial: table.to_csv(partial, index=False))


def _cells(rows: list[dict[str, Any]]) -> list[list[str]]:
    """Return what is printed: overrides that all jobs share are left out."""
    own, _ = _varied(rows)
    return [
        [words if name == "overrides" else _text(row[name]) for name in _SHOWN]
        for row, words in zip(rows, own, strict=True)
    ]


def _varied(rows: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Return the overrides of each job that not all share, and those that all share."""
    each = [row["overrides"] for row in rows]
    shared = set.intersection(*map(set, each)) if len(rows) > 1 else set()
    own = [" ".join(word for word in words if word not in shared) for words in each]
    return own, [word for word in each[0] if word in shared] if each else []


def _text(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _refuse_unusable(config: DictConfig, *, multirun: bool) -> None:
    # Hydra makes this folder itself and answers with a traceback; and it turns a callback's errors into warnings.
    words = given_words(config.hydra.overrides)
    # Of an experiment that is a grid.
    sweeper: Any = OmegaConf.to_container(config.hydra.sweeper, resolve=False)
    params = sweeper.get("params") or {}
    try:
        # Before Hydra, or a message, copies them. What an experiment of several says is refused by its job.
        refuse_ids_in([*words, *(f"{key}={value}" for key, value in params.items())])
        sweep = config.hydra.runtime.choices.get("sweep")
        if sweep is not None and not multirun:
            raise SweepError(
                f"`sweep={sweep}` searches with many trainings, and needs --multirun. The command is: python train.py "
                f"--multirun {' '.join(word for word in words if not word.startswith('hydra.mode='))}"
            )
        with resolved():
            folder = Path(config.hydra.sweep.dir if multirun else config.hydra.run.dir)
            resume, query = config.resume, OmegaConf.select(config, "cohort.include")
        if resume is not None:
            check_resume(Path(resume), words, multirun=multirun)
            ensure_writable(folder)
            return
        refuse_ids(str(query))
        ensure_unused(folder)
        ensure_writable(folder)
    except BrainageError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
