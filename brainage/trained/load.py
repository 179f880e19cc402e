"""A trained network and what belongs to it, read from a run's folder or from a bundle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brainage import models
from brainage.config.saved import typed_parts
from brainage.config.schema import ModalityConfig, ModelConfig
from brainage.data.training_stats import Aggregates, Spread, spread_of
from brainage.errors import BundleError, EvaluationError
from brainage.evaluation.gap import Correction, fit_correction
from brainage.models import geometry

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor, nn

    from brainage.runs.read import Run


@dataclass(frozen=True)
class Trained:
    """A trained network.

    Parameters
    ----------
    folder : Path
        The run's or the bundle's.
    modality : ModalityConfig
        What it sees.
    model : str
        Its name.
    arguments : dict
        Its constructor's.
    weights : dict of str to Tensor
        Its ``state_dict()``; it gives years.
    gap_correction : {"linear", "cole", "in_sample", "none"}
        What the run was told.
    correction : Correction or None
        As fitted on the run's validation participants; None where there is none.
    uncorrected : str
        Why there is none.
    ages : Spread or None
        Of the training participants, in years; None where nothing is known of them.
    series : dict of str to Spread
        How the training participants' series look, see `brainage.data.training_stats.traits_of`; empty where not known.
    facts : dict
        Of the training, for people to read: metrics, versions and the like; plain values.
    run : Run or None
        Which it was read from; a bundle knows nobody.
    """

    folder: Path
    modality: ModalityConfig
    model: str
    arguments: dict[str, Any]
    weights: dict[str, Tensor]
    gap_correction: str
    correction: Correction | None
    uncorrected: str
    ages: Spread | None
    series: dict[str, Spread]
    facts: dict[str, Any]
    run: Run | None = None

    @property
    def label(self) -> str:
        """What it is called: its model and modality."""
        return f"{self.model}, {self.modality.name}"

    @property
    def people(self) -> pd.DataFrame | None:
        """``participant_id, split, age, predicted_age`` of the run; None where there is none."""
        return None if self.run is None else self.run.predictions

    def network(self) -> nn.Module:
        """Make the network, in evaluation mode, on the CPU: from (batch, n_channels, n_times) to (batch, 1), years."""
        network = _outline(self.model, self.arguments)
        network.load_state_dict(self.weights, assign=True)
        return network.requires_grad_(False).eval()


def read_trained(folder: Path, key: str) -> Trained:
    """Read a network from a finished run, or from a bundle.

    Parameters
    ----------
    folder : Path
        Either's.
    key : str
        What names it on the command line; ``bundle`` takes nothing else.

    Raises
    ------
    MissingPathError, EvaluationError, ConfigError, CheckpointError, BundleError
        It is neither, or not what was written; nothing in it is executed.
    """
    from brainage.trained.bundle import MANIFEST, read_bundle

    if key == "bundle" or (folder / MANIFEST).exists():
        return read_bundle(folder, key)
    return read_network_of_run(folder, key)


def read_network_of_run(folder: Path, key: str) -> Trained:
    """Read the network of a finished run; see `read_trained`."""
    from brainage.runs.read import read_run

    run = read_run(folder, key)
    model = str(run.config.model_value("name"))
    if models.is_baseline(model):
        raise EvaluationError(
            f"`{key}={folder}` must be the run of a network, but it is one of the baseline {model}, which is fitted in "
            "seconds: train it on the people that you have. Name a network's run."
        )
    geometry.check(model, run.config.model)
    from brainage.training.checkpoint import check_fits, read_checkpoint  # a mistake needs no torch

    path = folder / "checkpoints" / "best.ckpt"
    checkpoint = read_checkpoint(path)
    prefix = "network."
    weights = {name.removeprefix(prefix): tensor for name, tensor in checkpoint["state_dict"].items()}
    check_fits(_outline(model, run.config.network_arguments), {"state_dict": weights}, path)
    correction, reason = _correction_of(run.config.gap_correction, run.predictions)
    training = run.predictions.loc[run.predictions["split"] == "train", "age"]
    aggregates = _aggregates(folder)
    return Trained(
        folder=folder,
        modality=run.config.modality,
        model=model,
        arguments=run.config.network_arguments,
        weights=weights,
        gap_correction=run.config.gap_correction,
        correction=correction,
        uncorrected=reason,
        ages=spread_of(training) if len(training) else None,
        series=aggregates.series if aggregates else {},
        facts={
            name: run.summary.get(name) for name in ("metrics", "baseline", "n", "seed", "epochs", "versions", "commit")
        },
        run=run,
    )


def _correction_of(method: str, predictions: pd.DataFrame) -> tuple[Correction | None, str]:
    """Return the correction that the run fitted on its validation participants, or why there is none."""
    if method not in ("linear", "cole"):
        return None, f"The run was told gap_correction={method}, which leaves no fit for others."
    try:
        return fit_correction(method, predictions[predictions["split"] == "val"], "validation"), ""
    except EvaluationError as error:
        return None, str(error)


def _aggregates(folder: Path) -> Aggregates | None:
    """Return what the run noted of its training participants; runs of earlier versions noted nothing."""
    import json

    try:
        return Aggregates.from_json(json.loads((folder / "training.json").read_text()))
    except (OSError, ValueError):
        return None


def _outline(model: str, arguments: dict[str, Any]) -> nn.Module:
    """Make a network without memory for its weights."""
    import torch

    with torch.device("meta"):
        return models.build(model, arguments)


def checked_architecture(modality: Any, model: Any, source: Path) -> tuple[ModalityConfig, str, dict[str, Any]]:
    """Turn a bundle's modality and model into what a network is built of.

    Parameters
    ----------
    modality, model : Any
        Plain values, as somebody's file has them.
    source : Path
        That file, for messages.

    Returns
    -------
    ModalityConfig, str, dict
        The modality, the model's name, and its constructor's arguments.

    Raises
    ------
    BundleError, ConfigError
        They are not of this version, or no network of this project.
    """
    seen, described = typed_parts(modality, model, source)
    name = str(described.get("name") if isinstance(described, dict) else described.name)
    if models.is_baseline(name) or name not in models.names():
        raise BundleError(f"`{source}` must describe a network of this project, but its model is called {name!r}.")
    geometry.check(name, described)
    items = described if isinstance(described, dict) else vars(described)
    arguments = {key: value for key, value in items.items() if key not in ModelConfig.__dataclass_fields__}
    for key, expected in (("in_channels", seen.n_channels), ("n_times", seen.n_times)):
        if arguments.get(key, expected) != expected:
            raise BundleError(
                f"`{source}`: `model.{key}` must be {expected}, as its modality has, but is {arguments[key]!r}."
            )
    return seen, name, arguments


def check_weights(model: str, arguments: dict[str, Any], weights: dict[str, Tensor], source: Path) -> None:
    """See that weights are those of a network, and finite.

    Parameters
    ----------
    model, arguments
        Of the network.
    weights : dict of str to Tensor
        By name.
    source : Path
        Where they were read.

    Raises
    ------
    BundleError
        They are not; the message names the first key that differs, and both shapes.
    """
    import torch

    from brainage.training.checkpoint import first_difference

    if (difference := first_difference(_outline(model, arguments), weights)) is not None:
        raise BundleError(
            f"`{source}` must hold the weights of the architecture that it describes, but {difference}. Look for the "
            "file that belongs to it."
        )
    for key, tensor in weights.items():
        if not torch.isfinite(tensor).all():
            raise BundleError(f"`{source}` must hold finite weights, but `{key}` has some that are not.")
