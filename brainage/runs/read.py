"""Finished runs, as ``report.py`` and ``compare.py`` read them from their folders."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import OmegaConf

from brainage.config.hydra import parse
from brainage.config.instantiate import check_targets
from brainage.config.saved import read_config
from brainage.config.schema import Config
from brainage.data.cohorts.checks import check_age_range
from brainage.data.cohorts.columns import (
    STANDARD_COLUMNS,
    ages,
    numbers,
    participant_ids,
    phenotype,
    standard_table,
)
from brainage.data.cohorts.tables import read_columns, read_header
from brainage.errors import EvaluationError, MissingPathError
from brainage.runs.folder import read_summary
from brainage.system.invocation import command_text

PARTS = ("train", "val", "test")

# What a table of predictions holds that is no phenotype.
_PREDICTED = ("eid", "f.eid", "split", "age", "predicted_age", "bag", "bag_corrected", "predicted_age_sd")


@dataclass(frozen=True)
class Run:
    """A finished run.

    Parameters
    ----------
    folder : Path
        Where it lies.
    config : Config
        Its own.
    config_text : str
        ``config.yaml``.
    summary : dict
        ``summary.json``.
    predictions : DataFrame
        ``participant_id, split, age, predicted_age``.
    """

    folder: Path
    config: Config
    config_text: str
    summary: dict[str, Any]
    predictions: pd.DataFrame

    @property
    def label(self) -> str:
        """What it is called: its model and modality."""
        return f"{self.config.model_value('name')}, {self.config.modality.name}"


def read_run(folder: Path, key: str) -> Run:
    """Read a finished run.

    Parameters
    ----------
    folder : Path
        Its folder.
    key : str
        What names it on the command line.

    Raises
    ------
    MissingPathError
        There is none.
    EvaluationError
        It did not finish, or left no predictions.
    ConfigError
        Its config is not of this version, or names what a run is not made of.
    """
    if not (folder / "config.yaml").is_file():
        raise MissingPathError(
            f"`{key}={folder}` must be the folder of a finished run, which holds `config.yaml`, but it "
            f"{'holds none' if folder.is_dir() else 'does not exist'}. The last line of train.py names a run's folder."
        )
    summary = _summary(folder, key)
    if summary["status"] != "finished":
        raise EvaluationError(
            f"`{key}={folder}` must be a run that finished, but its status is {summary['status']}. Finish it with: "
            f"{command_text('train', f'resume={folder}')}"
        )
    if not (folder / "predictions.csv").is_file():
        raise EvaluationError(
            f"`{key}={folder}` has no `predictions.csv`: it ran with evaluate=false, as a sweep's trials do. Train it "
            "again with evaluate=true."
        )
    path = folder / "config.yaml"
    composed = read_config(path)
    check_targets(OmegaConf.to_container(composed, resolve=False), path)
    config = parse(composed)
    predictions, _ = read_predictions(folder / "predictions.csv", key)
    return Run(folder, config, path.read_text(), summary, predictions)


def run_folders(given: list[str] | str) -> list[Path]:
    """Return the folders of several runs.

    Parameters
    ----------
    given : list of str, or str
        ``runs=``: folders of runs, or one folder of a multirun, of which those count that left predictions.

    Raises
    ------
    MissingPathError, EvaluationError
        There is no such folder, or it holds fewer than two finished runs; or a run is named twice.
    """
    parent = _multirun(given)
    if parent is None:
        found = [Path(run) for run in given]
    elif not parent.is_dir():
        raise MissingPathError(f"`runs={parent}` must be a multirun's folder, or a list of runs: it does not exist.")
    elif (parent / "predictions.csv").is_file():
        found = [parent]
    else:
        found = [job for job in _jobs(parent) if (job / "predictions.csv").is_file()]
    if len(found) < 2:
        raise EvaluationError(
            f"`runs` must name two finished runs or more, or a multirun's folder that holds them, but got "
            f"{len(found)}. Use runs=[FOLDER,FOLDER]."
        )
    if len({path.resolve() for path in found}) < len(found):
        raise EvaluationError("`runs` must name different runs, but one is named twice. Remove it.")
    return found


def jobs_left_out(given: list[str] | str) -> list[str]:
    """Return the jobs of a multirun that left no predictions, with what became of each.

    Parameters
    ----------
    given : list of str, or str
        See `run_folders`.
    """
    parent = _multirun(given)
    jobs = [] if parent is None else [job for job in _jobs(parent) if job.name.isdigit()]
    return [
        f"job {job.name}, which {_became(read_summary(job))}" for job in jobs if not (job / "predictions.csv").is_file()
    ]


def _multirun(given: list[str] | str) -> Path | None:
    if isinstance(given, str):
        return Path(given)
    return Path(given[0]) if len(given) == 1 else None


def _jobs(parent: Path) -> list[Path]:
    return sorted(
        (path for path in parent.iterdir() if path.is_dir()),
        key=lambda path: (not path.name.isdigit(), int(path.name) if path.name.isdigit() else 0, path.name),
    )


def _became(summary: dict[str, Any] | None) -> str:
    return "has not ended" if summary is None else f"is {summary['status']}"


def _summary(folder: Path, key: str) -> dict[str, Any]:
    try:
        summary = json.loads((folder / "summary.json").read_text())
        if not isinstance(summary["status"], str):
            raise TypeError
    except FileNotFoundError:
        raise EvaluationError(
            f"`{key}={folder}` must be a run that finished, but it has no `summary.json`: it still runs, or was "
            f"killed. Wait for it, or go on with: {command_text('train', f'resume={folder}')}"
        ) from None
    except (OSError, ValueError, KeyError, TypeError):
        raise EvaluationError(
            f"`{key}={folder}` must be a run that finished, but its `summary.json` cannot be read. Restore it."
        ) from None
    return dict(summary)


def read_predictions(path: Path, key: str) -> tuple[pd.DataFrame, list[str]]:
    """Read a table of predictions.

    Parameters
    ----------
    path : Path
        With ``participant_id`` (or ``eid``), ``age``, ``predicted_age``, and perhaps ``split``.
    key : str
        What names it on the command line.

    Returns
    -------
    DataFrame, list of str
        ``participant_id, split, age, predicted_age`` (rows without an age or a prediction are left out), and what is
        to be said of it.

    Raises
    ------
    MissingPathError, EvaluationError, CohortError
        It cannot be read, lacks a column, names a participant twice, or has a part that is none.
    """
    label = f"`{path}`"
    header = read_header(path, key)
    id_name = _id_column(header)
    missing = [name for name in ("age", "predicted_age") if name not in header]
    if id_name is None or missing:
        wanted = [*(["participant_id (or eid)"] if id_name is None else []), *missing]
        raise EvaluationError(
            f"{label} must be a table of predictions with the columns participant_id (or eid), age and predicted_age, "
            f"but lacks {', '.join(wanted)}. Rename its columns."
        )
    names = [id_name, "age", "predicted_age", *(["split"] if "split" in header else [])]
    text = read_columns(path, names, key)
    table = pd.DataFrame(
        {
            "participant_id": participant_ids(text[id_name], label),
            "split": _parts(text["split"], label) if "split" in text else pd.Series(None, text.index, dtype=object),
            "age": ages(text["age"], label),
            "predicted_age": numbers(text["predicted_age"], label),
        }
    )
    n_repeated = int(table["participant_id"].duplicated().sum())
    if n_repeated:
        raise EvaluationError(
            f"{label} must have one row a participant, but {n_repeated} rows repeat one. Remove them, or pool a "
            "person's predictions first."
        )
    check_age_range(table["age"], label, "remove these rows")
    whole = table[table["age"].notna() & table["predicted_age"].notna()].reset_index(drop=True)
    n_left_out = len(table) - len(whole)
    if whole.empty:
        raise EvaluationError(
            f"{label} must hold predictions, but none of its {len(table)} rows has age and prediction."
        )
    said = [f"{n_left_out} of {len(table)} rows have no age or no prediction, and are left out."] if n_left_out else []
    return whole, said


def read_phenotypes(path: Path) -> pd.DataFrame:
    """Read what a table of predictions holds beside them: sex, site, head motion, and phenotypes.

    Parameters
    ----------
    path : Path
        See `read_predictions`, which is to have read it.

    Raises
    ------
    CohortError
        A column cannot be used.
    """
    header, label = read_header(path, "predictions"), f"`{path}`"
    id_name = _id_column(header)
    assert id_name is not None
    standard = {"participant_id": id_name, **{name: name for name in STANDARD_COLUMNS[2:] if name in header}}
    others = [
        name
        for name in header
        if name and name not in (*standard.values(), *STANDARD_COLUMNS, *_PREDICTED) and header.count(name) == 1
    ]
    text = read_columns(path, [*standard.values(), *others], "predictions")
    table = standard_table({name: text[source] for name, source in standard.items()}, label)
    return table.assign(**{name: phenotype(text[name]) for name in others}).drop_duplicates("participant_id")


def _id_column(header: list[str]) -> str | None:
    return next((name for name in ("participant_id", "eid", "f.eid") if name in header), None)


def _parts(column: pd.Series, label: str) -> pd.Series:
    values = column.astype("string").str.strip()
    values = values.mask(values.isin(["", "n/a", "NA", "nan"]))
    unknown = values.notna() & ~values.isin(PARTS)
    if unknown.any():
        raise EvaluationError(
            f"{label}: `split` must be train, val or test, or empty, but {int(unknown.sum())} rows have something "
            "else. Rename the parts."
        )
    return values.astype(object).where(values.notna(), None)
