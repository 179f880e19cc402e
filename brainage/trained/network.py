"""A trained network: its weights, what it was trained on, and its predictions. This module does not need Lightning."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from brainage import models
from brainage.config.groups.modality import ModalityConfig
from brainage.config.groups.model import ModelConfig
from brainage.config.saved import typed_parts
from brainage.data.datasets import series_batches
from brainage.data.participants import Participants
from brainage.data.store.layout import Store
from brainage.errors import BundleError, DivergedError, EvaluationError
from brainage.evaluation.gap import Correction
from brainage.evaluation.training_stats import Spread
from brainage.models import geometry
from brainage.runs.read import Run
from brainage.system.console import printable
from brainage.trained.baseline import MOST_VALUES, check_arrays, predict_baseline
from brainage.trained.intervals import UNKNOWN, Fitted
from brainage.training.predict import predict
from brainage.training.weights import first_difference


@dataclass(frozen=True)
class Architecture:
    """What a network is built from: its modality, the model's name, and arguments of the model's constructor."""

    modality: ModalityConfig
    model: str
    arguments: dict[str, Any]

    @property
    def is_baseline(self) -> bool:
        """Whether it is a baseline, whose weights are arrays."""
        return models.is_baseline(self.model)

    def outline(self) -> nn.Module:
        """Return the network without memory for its weights."""
        with torch.device("meta"):
            return models.build(self.model, self.arguments)

    def check_shapes(self, shapes: Mapping[str, tuple[int, ...]], source: Path) -> None:
        """Raise `BundleError` unless the weights of a file have the network's names and shapes."""
        n_values = sum(map(math.prod, shapes.values()))
        if self.is_baseline and n_values > MOST_VALUES:
            raise BundleError(f"`{source}` must have at most {MOST_VALUES:,} numbers, but has {n_values:,}.")
        if not self.is_baseline and (difference := first_difference(self.outline(), shapes)) is not None:
            raise BundleError(
                f"`{source}` must contain the weights of the architecture that it describes, but {difference}. Use the "
                "file that belongs to it."
            )

    def check_weights(self, weights: dict[str, Tensor], source: Path) -> None:
        """Raise `BundleError` unless the weights of a file have the network's names and shapes, and are finite."""
        self.check_shapes({key: tuple(tensor.shape) for key, tensor in weights.items()}, source)
        for key, tensor in weights.items():
            if not torch.isfinite(tensor).all():
                raise BundleError(f"`{source}` must contain finite weights, but `{key}` has NaN or infinite ones.")
        if self.is_baseline:
            check_arrays(self, weights, source)


@dataclass(frozen=True)
class Trained:
    """A trained network, or a fitted ridge.

    Parameters
    ----------
    folder : Path
        The run's or the bundle's folder.
    architecture, weights : Architecture, dict of str to Tensor
        What it is built from, and its ``state_dict()`` or, of a ridge, arrays; it predicts years.
    gap_correction : {"linear", "cole", "crossfit", "in_sample", "none"}
        The run's setting.
    correction, uncorrected : Correction or None, str
        Fitted on the run's validation participants, or the reason why there is none.
    ages, series : Spread or None, dict of str to Spread
        Ages of the training participants, in years, and traits of their series
        (`brainage.data.traits.traits_of`); None and empty if unknown.
    facts : dict
        Metrics, versions and the like of the training; plain values.
    channel_names : tuple of str or None
        Names of the network's channels, in its order; None if its files had none, or an earlier version wrote it.
    intervals : Conformal or str
        Fitted on the run's validation participants, or the reason why there are none.
    run : Run or None
        The run; a bundle has none, and so no participants.
    shuffle_seed : int or None
        Where it was trained on shuffled time points, their seed; see `brainage.data.participants.Participants`.
    """

    folder: Path
    architecture: Architecture
    weights: dict[str, Tensor]
    gap_correction: str
    correction: Correction | None
    uncorrected: str
    ages: Spread | None
    series: dict[str, Spread]
    facts: dict[str, Any]
    channel_names: tuple[str, ...] | None = None
    intervals: Fitted = UNKNOWN
    run: Run | None = None
    shuffle_seed: int | None = None

    @property
    def modality(self) -> ModalityConfig:
        """The series that the network takes."""
        return self.architecture.modality

    @property
    def label(self) -> str:
        """Model and modality."""
        return f"{self.architecture.model}, {self.modality.name}"

    @property
    def own_predictions(self) -> pd.DataFrame | None:
        """``participant_id, split, age, predicted_age`` of the run; None for a bundle."""
        return None if self.run is None else self.run.predictions

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"`{'bundle' if self.run is None else 'run'}={self.folder}`"

    def channels_in(self, store: Store) -> tuple[int, ...]:
        """Return the indices of this network's channels among those of a store, in the network's order.

        Raises
        ------
        EvaluationError
            The store has other names; or one of the two has names and the other none.
        """
        names, found = self.channel_names, store.channels
        if names is None and found is None:
            return tuple(self.modality.channel_indices())
        if found is None or names is None:
            raise EvaluationError(self._one_has_names(names, found))
        place = {name: index for index, name in enumerate(found)}
        if unknown := [name for name in names if name not in place]:
            other = next((name for name in found if name not in names), found[0])
            raise EvaluationError(
                f"{self.title} must get the channels that it was trained on, but {len(unknown)} of its {len(names)} "
                f"names are not among the {len(found)} of these participants' files: the first is "
                f"`{printable(unknown[0])}`, and they have `{printable(other)}`, which it does not know. Use files of "
                "the same atlas."
            )
        if len(place) == len(found):
            return tuple(place[name] for name in names)
        own = tuple(self.modality.channel_indices(found))
        if tuple(found[channel] for channel in own) != names:
            raise EvaluationError(
                f"{self.title} must get channels in its own order, because several of these participants' files' "
                f"channels have one name: {len(set(found))} names of {len(found)} channels. Give each its own name."
            )
        return own

    def _one_has_names(self, names: Sequence[str] | None, found: Sequence[str] | None) -> str:
        if names is not None:
            return (
                f"{self.title} was trained on channels with names (the first is `{printable(names[0])}`), but those of "
                "these participants' files have none, so their order is unknown. Give the files a first line with the "
                "names, or train a network on files without."
            )
        return (
            f"{self.title} has no names of its channels, but those of these participants' files have (the first is "
            f"`{printable((found or ('',))[0])}`), so whether they are the same is unknown. Train the network again on "
            "files with names, or remove the names from the files if they are in the network's order."
        )

    def network(self) -> nn.Module:
        """Build the network in evaluation mode on the CPU: from (batch, n_channels, n_times) to (batch, 1), years."""
        if self.architecture.is_baseline:
            raise EvaluationError(
                f"{self.title} must be of a network, but it is one of the baseline {self.architecture.model}. Name "
                "that of a network."
            )
        network = self.architecture.outline()
        network.load_state_dict(self.weights, assign=True)
        return network.requires_grad_(False).eval()

    def predict(self, participants: Participants, *, device: str = "cpu", batch_size: int = 128) -> NDArray[np.float64]:
        """Predict ages, in years, of participants with the channels of this network's modality.

        Raises
        ------
        EvaluationError
            A predicted age is not finite.
        """
        if self.architecture.is_baseline:
            return predict_baseline(self.architecture, self.weights, participants, self.folder)
        participants = replace(participants, shuffle_seed=self.shuffle_seed)
        try:
            return predict(self.network().to(device), series_batches(participants, batch_size))
        except DivergedError as error:
            raise EvaluationError(f"`{self.folder}`: {error} Or choose another network.") from error


@dataclass(frozen=True)
class TrainedStack:
    """Trained networks whose predictions are joined by weights.

    Parameters
    ----------
    folder : Path
        The stack's folder, or that of the comparison that fitted it.
    members, weights : tuple of Trained, tuple of float
        The networks, and their weights: positive, with sum 1.
    gap_correction, correction, uncorrected, intervals
        As those of `Trained`, of the joined predictions.
    facts : dict
        Metrics, versions, the weights of all stacked runs, and the like; plain values.
    """

    folder: Path
    members: tuple[Trained, ...]
    weights: tuple[float, ...]
    gap_correction: str
    correction: Correction | None
    uncorrected: str
    facts: dict[str, Any]
    intervals: Fitted = UNKNOWN

    @property
    def label(self) -> str:
        """Models and modalities."""
        return f"stack of {'; '.join(dict.fromkeys(member.label for member in self.members))}"


def checked_architecture(modality: Any, model: Any, source: Path) -> Architecture:
    """Check the plain modality and model of an untrusted file; raise a `BundleError` or `ConfigError`."""
    seen, described = typed_parts(modality, model, source)
    items = described if isinstance(described, dict) else vars(described)
    name = str(items.get("name"))
    if name not in models.names() or not models.is_shared(name):
        raise BundleError(
            f"`{source}` must describe a network of this project, or a ridge, but its model is called {name!r}. If it "
            "is yours, load it with code=FILE."
        )
    geometry.check(name, described)
    arguments = {key: value for key, value in items.items() if key not in ModelConfig.__dataclass_fields__}
    for key, expected in (("in_channels", seen.n_channels), ("n_times", seen.n_times)):
        if arguments.get(key, expected) != expected:
            raise BundleError(
                f"`{source}`: `model.{key}` must be {expected}, as in its modality, but is {arguments[key]!r}."
            )
    return Architecture(seen, name, arguments)
