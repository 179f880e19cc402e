"""The results of a run's steps, and ``summary.json``, which is built from them once, at the end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from brainage.config.rules import AUTO
from brainage.data.splits import PARTS
from brainage.errors import BrainageError, DivergedError
from brainage.evaluation import METRICS
from brainage.system.provenance import commit, versions
from brainage.system.signals import Interruption
from brainage.training.pruning import PrunedError

if TYPE_CHECKING:
    import pandas as pd

    from brainage.config.schema import Config
    from brainage.data.participants import Participants
    from brainage.runs.folder import RunFolder
    from brainage.runs.prepare import Prepared
    from brainage.runs.scores import Scores
    from brainage.training.loggers import Loggers


@dataclass(frozen=True)
class Job:
    """One run: its config, parsed and as ``config.yaml``, and its folder; a job of a multirun prints no results."""

    config: Config
    config_text: str
    folder: RunFolder
    quiet: bool = False


@dataclass(frozen=True)
class Fitted:
    """A fitted network or baseline: its sizes, finished epochs, selected epoch (from 0), and time."""

    parameters: int
    encoder_parameters: int | None
    epochs: int
    best_epoch: int
    seconds: float
    pruned: bool = False
    stopped_by: str | None = None


@dataclass
class Results:
    """What the steps of a run have returned; None for a step that was not reached."""

    started: float = field(default_factory=time.monotonic)
    config: Config | None = None
    prepared: Prepared | None = None
    fitted: Fitted | None = None
    scores: Scores | None = None
    predictions: pd.DataFrame | None = None
    phenotypes: pd.DataFrame | None = None
    loggers: Loggers | None = None
    notes: list[str] = field(default_factory=list)


def summary_of(results: Results, status: str, error: BaseException | None = None) -> dict[str, Any]:
    """Return ``summary.json``, always with all keys; unknown values are None."""
    config, fitted, scores = results.config, results.fitted, results.scores
    metrics = {} if scores is None else scores.metrics
    means = {} if scores is None else scores.mean_mae
    return {
        "status": status,
        "reason": None if error is None else reason_of(error),
        "error": None if error is None else type(error).__name__,
        "notes": results.notes,
        "objective": {
            "name": _known(config, "objective"),
            "value": _known(scores, "objective"),
            "standard_error": _known(scores, "objective_se"),
        },
        "metrics": {part: metrics.get(part, dict.fromkeys(METRICS)) for part in PARTS},
        "baseline": {part: {"mae": means.get(part)} for part in PARTS if part != "train"},
        **_participants(results),
        **_batch_size(results),
        "model": {
            "name": None if config is None else config.model_value("name"),
            "parameters": _known(fitted, "parameters"),
            "encoder_parameters": _known(fitted, "encoder_parameters"),
        },
        "seed": _known(config, "seed"),
        "epochs": _known(fitted, "epochs"),
        "best_epoch": _known(fitted, "best_epoch"),
        "stopped_by": _known(fitted, "stopped_by"),
        "seconds": {
            "ingest": _seconds(results.prepared),
            "fit": _seconds(fitted),
            "total": round(time.monotonic() - results.started, 3),
        },
        "versions": versions(),
        "commit": commit(),
    }


def _participants(results: Results) -> dict[str, Any]:
    """Return the participants' counts, in the parts of the split and in the cohort."""
    name = None if results.config is None else results.config.cohort.name
    if results.prepared is None:
        unknown = dict.fromkeys(("fingerprint", "n_participants", "n_excluded"))
        return {"n": dict.fromkeys(PARTS), "t_r": dict.fromkeys(PARTS), "cohort": {"name": name, **unknown}}
    participants = results.prepared.participants
    counts = participants.table["split"].value_counts()
    return {
        "n": {part: int(counts.get(part, 0)) for part in PARTS},
        "t_r": {part: participants.part(part).t_r_counts() for part in PARTS},
        "cohort": {
            "name": name,
            "fingerprint": participants.store.fingerprint,
            "n_participants": len(participants),
            "n_excluded": len(participants.store.excluded),
            **_repaired(participants),
        },
    }


def _batch_size(results: Results) -> dict[str, int]:
    """Return the number of participants a batch, where the config leaves it open."""
    is_auto = results.config is not None and results.config.batch_size == AUTO
    return {"batch_size": results.prepared.data.batch_size} if is_auto and results.prepared is not None else {}


def _repaired(participants: Participants) -> dict[str, int]:
    """Return how many participants have missing channels, which are zero, and interpolated time points; if any."""
    repaired = participants.store.repaired
    rows = [repaired[row] for row in participants.rows.tolist()] if repaired else []
    n_missing, n_interpolated = (sum(row[column] > 0 for row in rows) for column in (0, 1))
    counts = {"n_with_missing_channels": n_missing, "n_with_interpolated_time_points": n_interpolated}
    return {name: count for name, count in counts.items() if count}


def _known(step: object, name: str) -> Any:
    return None if step is None else getattr(step, name)


def _seconds(step: Prepared | Fitted | None) -> float | None:
    return None if step is None else round(step.seconds, 3)


def reason_of(error: BaseException) -> str:
    """Return the reason for ``summary.json``; the text of an unknown error may name participants, and is not in it."""
    known = isinstance(error, BrainageError | Interruption | PrunedError)
    return str(error) if known else f"{type(error).__name__}; see the log"


def has_diverged(summary: Mapping[str, Any]) -> bool:
    """Return whether a run failed because its training diverged."""
    # Version 0.1 wrote the reason only.
    return summary.get("error") == DivergedError.__name__ or str(summary.get("reason")).startswith("Training diverged:")
