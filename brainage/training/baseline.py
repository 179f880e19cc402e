"""Baselines: fitted at once on the same participants as a network, with the same outputs."""

from __future__ import annotations

import csv
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from brainage import models
from brainage.errors import BrainageError
from brainage.evaluation.intervals import MIN_RESAMPLED
from brainage.models.baselines.base import Inputs
from brainage.system.files import write_whole

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# Training participants that a ridge needs, to choose its penalty.
MIN_TRAINING = 20


@dataclass(frozen=True)
class Fitted:
    """A baseline that was fitted.

    Parameters
    ----------
    predictions : DataFrame
        ``participant_id, split, age, predicted_age, bag`` of the parts that were asked for.
    arrays : dict of str to array
        What it learned.
    seconds : float
        How long all of it took.
    """

    predictions: pd.DataFrame
    arrays: dict[str, NDArray[np.float64]]
    seconds: float


def fit_baseline(name: str, arguments: dict[str, Any], inputs: Inputs, parts: Sequence[str]) -> Fitted:
    """Fit a baseline on the training participants, and predict.

    Parameters
    ----------
    name : str
        A baseline.
    arguments : dict
        Its constructor's.
    inputs : Inputs
        Of everybody who is used; with ``split``.
    parts : sequence of str
        Of whom predictions are wanted.
    """
    started = time.perf_counter()
    estimator, people = models.build_baseline(name, arguments), inputs.table
    features, age = estimator.features(inputs), people["age"].to_numpy(float)
    training = (people["split"] == "train").to_numpy()
    estimator.fit(features[training], age[training])
    wanted = people["split"].isin(parts).to_numpy()
    predicted = people.loc[wanted, ["participant_id", "split", "age"]].assign(
        predicted_age=estimator.predict(features[wanted])
    )
    predicted["bag"] = predicted["predicted_age"] - predicted["age"]
    # In the order of the parts, as a network's.
    order = predicted["split"].map({part: place for place, part in enumerate(parts)}).to_numpy()
    predicted = predicted.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)
    return Fitted(predicted, dict(estimator.arrays()), time.perf_counter() - started)


def ridge_beside(model: str, inputs: Inputs) -> tuple[pd.DataFrame | None, str]:
    """Return what the connectivity ridge predicts of validation and test participants, or why it cannot.

    Parameters
    ----------
    model : str
        What it is to stand beside; a baseline needs none.
    inputs : Inputs
        See `fit_baseline`.

    Returns
    -------
    DataFrame or None, str
        ``participant_id, predicted_age``; and a sentence where there is none.
    """
    if models.is_baseline(model):
        return None, ""
    counts = inputs.table["split"].value_counts()
    n_train, n_test = int(counts.get("train", 0)), int(counts.get("test", 0))
    if n_train < MIN_TRAINING or n_test < MIN_RESAMPLED:
        return None, (
            f"No comparison with the ridge on connectivity: it needs {MIN_TRAINING} training and {MIN_RESAMPLED} test "
            f"participants, and there are {n_train} and {n_test}."
        )
    try:
        fitted = fit_baseline("ridge_connectivity", {}, inputs, ("val", "test"))
    except BrainageError as error:  # what it was to stand beside is done
        return None, f"No comparison with the ridge on connectivity: {error}"
    return fitted.predictions[["participant_id", "predicted_age"]], ""


def write_baseline(folder: Path, fitted: Fitted) -> None:
    """Write ``model.npz``, and ``metrics.csv`` with the one row that there is."""
    from brainage.evaluation.metrics import accuracy
    from brainage.training.callbacks import COLUMNS

    def save(path: Path) -> None:
        with path.open("wb") as file:
            np.savez(file, **fitted.arrays)  # type: ignore[arg-type]

    def tabulate(path: Path) -> None:
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, row])

    errors = {
        str(part): accuracy(group["age"], group["predicted_age"]) for part, group in fitted.predictions.groupby("split")
    }
    values = [errors[part][name] for part in ("train", "val") for name in ("mse", "mae")]
    row = [0, *(repr(value) for value in values), "", f"{fitted.seconds:.4f}"]
    write_whole(folder / "model.npz", save)
    write_whole(folder / "metrics.csv", tabulate)
