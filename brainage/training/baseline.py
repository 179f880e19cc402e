"""Baselines: fitted at once on the same participants as a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage import models
from brainage.data.participants import Participants
from brainage.evaluation.intervals import MIN_RESAMPLED
from brainage.evaluation.metrics import accuracy
from brainage.system.files import write_whole
from brainage.training.callbacks import write_epochs

# Training participants that a ridge needs to choose its penalty.
MIN_TRAINING = 20

# Values of connectivity up to which a network is compared with a ridge without being asked: 1 GiB, several times.
MAX_VALUES = 2**27


@dataclass(frozen=True)
class BaselineFit:
    """Predicted ages of all participants, in years, and the fitted arrays by name."""

    predicted: NDArray[np.float64]
    arrays: dict[str, NDArray[Any]]

    @property
    def n_parameters(self) -> int:
        """Number of weights, and the intercept."""
        return sum(array.size for key, array in self.arrays.items() if key in ("weights", "intercept"))


def fit_baseline(name: str, arguments: dict[str, Any], participants: Participants) -> BaselineFit:
    """Fit a baseline to the training participants, and predict all."""
    estimator = models.build_baseline(name, arguments)
    features = estimator.features(participants)
    training = (participants.table["split"] == "train").to_numpy()
    estimator.fit(features[training], participants.ages[training])
    return BaselineFit(estimator.predict(features), dict(estimator.arrays()))


def ridge_predictions(model: str, participants: Participants) -> tuple[pd.DataFrame | None, list[str]]:
    """Return the connectivity ridge's predictions of validation and test participants, or notes why there are none.

    They are for comparison with a network; for a baseline there are neither.
    """
    if models.is_baseline(model):
        return None, []
    n_train, n_test = len(participants.part("train")), len(participants.part("test"))
    if n_train < MIN_TRAINING or n_test < MIN_RESAMPLED:
        return None, [
            f"No comparison with the ridge on connectivity: it needs {MIN_TRAINING} training and {MIN_RESAMPLED} test "
            f"participants, and there are {n_train} and {n_test}."
        ]
    n_components = len(participants.channels)
    n_values = len(participants) * (n_components * (n_components - 1) // 2)
    if not 0 < n_values <= MAX_VALUES:
        return None, [
            "No comparison with the ridge on connectivity: pairs of components times participants must be from 1 to "
            f"{MAX_VALUES:,}, but are {n_values:,} (components: {n_components:,})."
        ]
    fitted = fit_baseline("ridge_connectivity", {}, participants)
    table = participants.table.assign(predicted_age=fitted.predicted)
    return table.loc[table["split"] != "train", ["participant_id", "predicted_age"]].reset_index(drop=True), []


def write_baseline(folder: Path, fitted: BaselineFit, predictions: pd.DataFrame, seconds: float) -> None:
    """Write ``model.npz``, and ``metrics.csv`` with one row."""

    def save(path: Path) -> None:
        with path.open("wb") as file:
            np.savez(file, **fitted.arrays)  # type: ignore[arg-type]

    row: list[object] = [0]
    for part in ("train", "val"):
        group = predictions[predictions["split"] == part]
        errors = accuracy(group["age"], group["predicted_age"])
        row += [repr(errors["mse"]), repr(errors["mae"])]
    row += ["", f"{seconds:.4f}"]
    write_whole(folder / "model.npz", save)
    write_epochs(folder / "metrics.csv", [row])
