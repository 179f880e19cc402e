"""Read a trained network from a run or a bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

from brainage import models
from brainage.errors import EvaluationError
from brainage.evaluation.disclosure import MIN_SHOWN, may_describe, shown_counts, shown_summary
from brainage.evaluation.gap import HELD_OUT, VALIDATION, Correction, fit_correction, held_out
from brainage.evaluation.training_stats import Aggregates, spread_of
from brainage.models import geometry
from brainage.runs.channels import read_channel_names
from brainage.runs.read import read_run
from brainage.system.reading import read_json
from brainage.trained.baseline import read_arrays
from brainage.trained.bundle import MANIFEST, STACK, read_bundle
from brainage.trained.intervals import fitted_intervals
from brainage.trained.network import Architecture, Trained, TrainedStack
from brainage.trained.stack import is_stack, read_stack
from brainage.training.weights import read_checkpoint

_PREFIX = "network."
_FACTS = ("metrics", "baseline", "n", "seed", "epochs", "versions", "commit")


def read_trained(folder: Path, key: str, again: Mapping[str, Any] | None = None) -> Trained:
    """Read a network from a finished run or a bundle; nothing in the folder is executed.

    Parameters
    ----------
    folder : Path
        The run's or the bundle's folder.
    key : str
        Its key on the command line; ``bundle`` accepts bundles only.
    again : mapping or None
        Values that replace those of a run's config, see `brainage.config.again`.

    Raises
    ------
    MissingPathError, EvaluationError, ConfigError, CheckpointError, BundleError
        It is neither, or is damaged.
    """
    if key == "bundle" or any((folder / name).exists() for name in (MANIFEST, STACK)):
        return read_bundle(folder, key)
    return read_network_of_run(folder, key, again)


def read_models(sources: Sequence[tuple[str, Path]]) -> tuple[list[Trained], TrainedStack | None]:
    """Read what is named by keys and folders, as `read_trained`; or a bundle that is a stack, with its models."""
    [(key, folder), *others] = sources
    if key == "bundle" and not others and is_stack(folder):
        stack = read_stack(folder, key)
        return list(stack.members), stack
    return [read_trained(folder, key) for key, folder in sources], None


def read_network_of_run(folder: Path, key: str, again: Mapping[str, Any] | None = None) -> Trained:
    """Read the network of a finished run; raise as `read_trained`."""
    run = read_run(folder, key, again)
    model = str(run.config.model_value("name"))
    if not models.is_shared(model):
        raise EvaluationError(
            f"`{key}={folder}` must be the run of a network, but it is one of the baseline {model}, which is fitted in "
            "seconds: train it on your own participants, or name the run of a network or ridge."
        )
    geometry.check(model, run.config.model)
    architecture = Architecture(run.config.modality, model, run.config.network_arguments)
    weights = _weights(folder, architecture)
    correction, reason = correction_of(
        run.config.gap_correction, run.predictions, has_groups=run.config.groups.column is not None
    )
    training = run.predictions.loc[run.predictions["split"] == "train", "age"]
    aggregates = _aggregates(folder)
    return Trained(
        folder=folder,
        architecture=architecture,
        weights=weights,
        gap_correction=run.config.gap_correction,
        correction=correction,
        uncorrected=reason,
        ages=spread_of(training) if len(training) else None,
        series=aggregates.series if aggregates else {},
        facts=_facts(run.summary),
        channel_names=read_channel_names(folder, run.config.modality.n_channels),
        intervals=fitted_intervals(run.predictions, run.config.intervals),
        run=run,
        shuffle_seed=run.config.shuffle_seed,
    )


def _weights(folder: Path, architecture: Architecture) -> dict[str, Tensor]:
    if architecture.is_baseline:
        arrays = read_arrays(folder / "model.npz")
        architecture.check_weights(arrays, folder / "model.npz")
        return arrays
    found: dict[str, Tensor] = read_checkpoint(folder / "checkpoints" / "best.ckpt", architecture.outline(), _PREFIX)[
        "state_dict"
    ]
    return found


def _facts(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a bundle says of the run; parts of fewer than ten participants are only counted."""
    shown = {"metrics": {}, "baseline": {}, **shown_summary(summary)}
    t_r = (summary.get("t_r") or {}).get("train")
    return {**{name: shown.get(name) for name in _FACTS}, **({"t_r": shown_counts(t_r)} if t_r else {})}


def correction_of(method: str, predictions: pd.DataFrame, *, has_groups: bool = False) -> tuple[Correction | None, str]:
    """Return the correction fitted on the validation participants, or all held-out ones; or why there is none.

    With groups, some of the held-out participants, who are not marked, are not of the reference group.
    """
    if method not in ("linear", "cole", "crossfit"):
        return None, f"The run has gap_correction={method}, which fits nothing that applies to others."
    if method == "crossfit" and has_groups:
        return None, "The run compares groups, and gap_correction=crossfit would be fitted on all of them."
    fitted, name = predictions[predictions["split"] == "val"], VALIDATION
    if method == "crossfit":
        fitted, name = held_out(predictions), HELD_OUT
        if not all(map(may_describe, fitted["split"].value_counts())):
            return None, f"A part of the split has fewer than {MIN_SHOWN} participants, whom its fit would describe."
    try:
        return fit_correction(method, fitted, name), ""
    except EvaluationError as error:
        return None, str(error)


def _aggregates(folder: Path) -> Aggregates | None:
    """Return the statistics of the training participants; runs of the first version have none."""
    try:
        return Aggregates.from_json(read_json(folder / "training.json"))
    except (OSError, ValueError):
        return None
