"""Baselines: fitted at once on the same participants as a network."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage import models
from brainage.data.participants import Participants
from brainage.errors import CohortError
from brainage.evaluation.against import RIDGE, BaselinePredictions
from brainage.evaluation.chance import Chance, against_chance, orders_within, site_codes
from brainage.evaluation.disclosure import may_describe
from brainage.evaluation.intervals import MIN_RESAMPLED
from brainage.evaluation.metrics import accuracy
from brainage.models.baselines.ridge import Ridge
from brainage.models.features import in_words
from brainage.system.files import write_whole
from brainage.training.callbacks import write_epochs

# Training participants that a ridge needs to choose its penalty.
MIN_TRAINING = 20

# Values of connectivity up to which a network is compared with a ridge without being asked; with tangent spaces, where
# they are a quarter: 40,000 participants with 55 components need less than 1 GiB.
MAX_VALUES = 2**27

# Participants times cubed components up to which tangent spaces are computed for it, in about a minute.
MAX_DECOMPOSED = 10**10

# Ridges that are fitted to permuted ages at once.
_FITS_TOGETHER = 250

# Baselines on a column of the table: in words, and the column.
_FROM_COLUMNS = {
    "site_mean": ("mean age of the site", "site"),
    "ridge_motion": ("ridge on head motion", "head_motion"),
}


@dataclass(frozen=True)
class BaselineFit:
    """Predicted ages of all participants, in years, and the fitted arrays by name."""

    predicted: NDArray[np.float64]
    arrays: dict[str, NDArray[Any]]

    @property
    def n_parameters(self) -> int:
        """Number of weights, and the intercept."""
        return sum(array.size for key, array in self.arrays.items() if key in ("weights", "intercept"))


def fit_baseline(
    name: str, arguments: dict[str, Any], participants: Participants, harmonize: str = "none"
) -> BaselineFit:
    """Fit a baseline to the training participants, and predict all; see `brainage.models.build_baseline`."""
    estimator = models.build_baseline(name, arguments, harmonize)
    features = estimator.features(participants)
    training = (participants.table["split"] == "train").to_numpy()
    estimator.fit(features[training], participants.ages[training])
    return BaselineFit(estimator.predict(features), dict(estimator.arrays()))


def refitted_chance(estimator: object, participants: Participants, *, n_permutations: int, seed: int) -> Chance | None:
    """Test a ridge against the same ridge fitted to ages of training participants that are permuted within sites.

    None for other models, for fewer than ten test participants, or without permutations.
    """
    table, tested = participants.table, participants.part("test")
    if not isinstance(estimator, Ridge) or n_permutations == 0 or not may_describe(len(tested)):
        return None
    features = estimator.features(participants)
    train, test = ((table["split"] == part).to_numpy() for part in ("train", "test"))
    sites = site_codes(table[train])
    orders = orders_within(sites, n_permutations, np.random.default_rng(seed))
    drawn: list[NDArray[np.float64]] = []
    while chosen := list(itertools.islice(orders, _FITS_TOGETHER)):
        ages = np.stack([participants.ages[train][order] for order in chosen], axis=1)
        predicted = estimator.predict_refitted(features[train], ages, features[test])
        drawn.append(np.abs(predicted - participants.ages[test][:, None]).mean(axis=0))
    estimator.fit(features[train], participants.ages[train])
    mae = float(np.abs(estimator.predict(features[test]) - participants.ages[test]).mean())
    return against_chance(mae, np.concatenate(drawn), n=len(tested), n_sites=int(sites.max()) + 1)


def compared_baselines(model: str, participants: Participants) -> tuple[list[BaselinePredictions], list[str]]:
    """Return what baselines predict of validation and test participants, for comparison with a model, and notes.

    A network is compared with the best cheap baseline, a ridge. Where sites and head motion are known, every model is
    compared with what they alone predict.
    """
    n_train, n_test = len(participants.part("train")), len(participants.part("test"))
    if n_train < MIN_TRAINING or n_test < MIN_RESAMPLED:
        too_few = (
            f"No comparison with baselines: they need {MIN_TRAINING} training and {MIN_RESAMPLED} test participants, "
            f"and there are {n_train} and {n_test}."
        )
        return [], [] if models.is_baseline(model) else [too_few]
    ridge, notes = ([], []) if models.is_baseline(model) else _ridge(participants)
    others = [
        _predictions(name, label, {}, participants)
        for name, (label, column) in _FROM_COLUMNS.items()
        if name != model and _is_known(participants, column)
    ]
    return [*ridge, *others], notes


def _ridge(participants: Participants) -> tuple[list[BaselinePredictions], list[str]]:
    """Return the predictions of the ridge on the features that can be computed, and notes on those that cannot."""
    n, n_components = len(participants), len(participants.channels)
    if (n_values := n * (n_components * (n_components + 1) // 2)) > MAX_VALUES:
        return [], [
            "No comparison with the ridge on connectivity: pairs of components times participants must be "
            f"{MAX_VALUES:,} or fewer, but are {n_values:,} (components: {n_components:,})."
        ]
    has_tangent = 4 * n_values <= MAX_VALUES and n * n_components**3 <= MAX_DECOMPOSED
    features = ["spectrum"] if n_components == 1 else ["partial", *(["tangent"] if has_tangent else []), "spectrum"]
    features += [] if participants.scale == "zscore" else ["amplitude"]  # what the network sees, too
    notes: list[str] = []
    while features:
        try:
            ridge = _predictions(RIDGE, f"ridge on {in_words(features)}", {"features": features}, participants)
            return [ridge], notes
        except CohortError as error:  # repetition times are unknown, or differ
            notes.append(f"The ridge of the comparison has no spectra: {error}")
            features.remove("spectrum")
    return [], notes


def _predictions(name: str, label: str, arguments: dict[str, Any], participants: Participants) -> BaselinePredictions:
    table = participants.table.assign(predicted_age=fit_baseline(name, arguments, participants).predicted)
    held_out = table.loc[table["split"] != "train", ["participant_id", "predicted_age"]]
    return BaselinePredictions(name, label, held_out.reset_index(drop=True))


def _is_known(participants: Participants, column: str) -> bool:
    """Return whether enough training participants have a value of a column, and several values."""
    known = participants.part("train").table.get(column, pd.Series(dtype=object)).dropna()
    return len(known) >= MIN_TRAINING and known.nunique() > 1


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
