"""Comparison of runs on their shared test participants: metrics, paired differences, agreement, ensemble."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.errors import EvaluationError
from brainage.evaluation.accuracy import Accuracy, measure_accuracy
from brainage.evaluation.associations import pearson
from brainage.evaluation.intervals import MIN_RESAMPLED
from brainage.evaluation.paired import paired_difference

# Share of each run's test participants that all runs must share.
_SHARED = 0.9

# Ages of a participant that differ by more, in years, belong to different scans.
_SAME_AGE = 0.01

ENSEMBLE = "mean of all"


@dataclass(frozen=True)
class Member:
    """A run in a comparison: its name, and its predictions (``participant_id, split, age, predicted_age``)."""

    name: str
    predictions: pd.DataFrame


@dataclass(frozen=True)
class Comparison:
    """Results of a comparison.

    Parameters
    ----------
    names : list of str
        The runs, and last `ENSEMBLE` if requested.
    n_test : list of int
        Test participants of each run.
    predicted : DataFrame
        ``participant_id`` and ``age`` of the shared test participants, and one column of predicted ages per name.
    accuracy : dict of str to Accuracy
        By name.
    metrics, differences : DataFrame
        The written tables: one row per name, and one row per pair of names.
    ensemble : DataFrame or None
        Predictions of the ensemble: ``participant_id, split, age, predicted_age, bag, predicted_age_sd``.
    """

    names: list[str]
    n_test: list[int]
    predicted: pd.DataFrame
    accuracy: dict[str, Accuracy]
    metrics: pd.DataFrame
    differences: pd.DataFrame
    ensemble: pd.DataFrame | None

    @property
    def n_shared(self) -> int:
        """Number of shared test participants."""
        return len(self.predicted)

    def gap(self, name: str) -> NDArray[np.float64]:
        """Return the gaps of a run, in years."""
        return (self.predicted[name] - self.predicted["age"]).to_numpy(float)

    @property
    def agreement(self) -> dict[tuple[str, str], float]:
        """Correlation of the gaps of each pair of runs."""
        runs = [name for name in self.names if name != ENSEMBLE]
        return {(a, b): pearson(self.gap(a), self.gap(b)) for a, b in itertools.combinations(runs, 2)}


def compare_runs(members: Sequence[Member], *, n_resamples: int, seed: int, ensemble: bool = False) -> Comparison:
    """Compare runs.

    Parameters
    ----------
    members : sequence of Member
        At least two runs.
    n_resamples, seed : int
        Of the paired bootstrap: all statistics use the same resamples.
    ensemble : bool
        Whether to add the mean of all predictions.

    Raises
    ------
    EvaluationError
        The runs share under 90 % of their test participants; a run was trained or validated on a test participant of
        another; or the age of a participant differs between runs.
    """
    names = [member.name for member in members]
    tests = [member.predictions[member.predictions["split"] == "test"] for member in members]
    predicted = _shared_predictions(members, tests)
    combined = _ensemble(predicted, names) if ensemble else None
    if combined is not None:
        predicted = predicted.assign(**{ENSEMBLE: combined["predicted_age"]})
    shown = names if combined is None else [*names, ENSEMBLE]
    training = members[0].predictions
    mean_age = float(training.loc[training["split"] == "train", "age"].mean())
    mean_age = mean_age if np.isfinite(mean_age) else float(predicted["age"].mean())
    accuracy = {
        name: measure_accuracy(predicted["age"], predicted[name], mean_age=mean_age, n_resamples=n_resamples, seed=seed)
        for name in shown
    }
    return Comparison(
        names=shown,
        n_test=[len(test) for test in tests],
        predicted=predicted,
        accuracy=accuracy,
        metrics=pd.DataFrame([_metrics(name, measured) for name, measured in accuracy.items()]),
        differences=_differences(predicted, shown, n_resamples, seed),
        ensemble=combined,
    )


def _shared_predictions(members: Sequence[Member], tests: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return ``participant_id``, ``age`` and a column of predicted ages per run, for the shared test participants."""
    common = _shared(members, tests)
    first = tests[0]
    shared = first[first["participant_id"].isin(common)].sort_values("participant_id").reset_index(drop=True)
    predicted = pd.DataFrame({"participant_id": shared["participant_id"], "age": shared["age"]})
    for member, test in zip(members, tests, strict=True):
        predicted[member.name] = _aligned(test, predicted, member.name)
    return predicted


def _shared(members: Sequence[Member], tests: Sequence[pd.DataFrame]) -> set[str]:
    """Return the test participants shared by all runs; raise if the runs cannot be compared."""
    tested = {member.name: set(test["participant_id"]) for member, test in zip(members, tests, strict=True)}
    common = set.intersection(*tested.values())
    for name, ids in tested.items():
        if not ids:
            raise EvaluationError(f"`runs`: {name} has no test participants. Remove it from `runs`.")
        if len(common) < _SHARED * len(ids):
            raise EvaluationError(
                f"`runs` must share {_SHARED:.0%} of their test participants, but all share {len(common)} of the "
                f"{len(ids)} of {name}. Folds test different participants by design: report them together with "
                "report.py run=MULTIRUN, or compare one fold of each model. Else train with the same split.seed."
            )
    for name, other in itertools.product(tested, members):
        fitted = other.predictions.loc[other.predictions["split"].isin(["train", "val"]), "participant_id"]
        n_leaked = int(fitted.isin(tested[name]).sum())
        if n_leaked:
            raise EvaluationError(
                f"`runs`: {other.name} was trained or validated on {n_leaked} of the test participants of {name}, so "
                "its error on them is too low. Train them with the same split (split.seed)."
            )
    if len(common) < MIN_RESAMPLED:
        raise EvaluationError(
            f"`runs` must share {MIN_RESAMPLED} test participants to be compared, but share {len(common)}. Use a "
            "larger cohort."
        )
    return common


def _aligned(test: pd.DataFrame, shared: pd.DataFrame, name: str) -> pd.Series:
    rows = test.set_index("participant_id").loc[shared["participant_id"]]
    n_other = int((np.abs(rows["age"].to_numpy(float) - shared["age"].to_numpy(float)) > _SAME_AGE).sum())
    if n_other:
        raise EvaluationError(
            f"`runs` must have the same age of each participant, but in {name} it differs for {n_other} participants: "
            "their scans or tables differ. Compare runs of one imaging visit."
        )
    return pd.Series(rows["predicted_age"].to_numpy(float), shared.index)


def _ensemble(predicted: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    values = predicted[list(names)].to_numpy(float)
    mean, sd = values.mean(axis=1), values.std(axis=1, ddof=1)
    ensemble = predicted[["participant_id", "age"]].assign(predicted_age=mean, bag=mean - predicted["age"])
    ensemble.insert(1, "split", "test")
    return ensemble.assign(predicted_age_sd=sd)


def _metrics(name: str, measured: Accuracy) -> dict[str, object]:
    scalars = ("n", "age_mean", "age_sd", "age_p5", "age_p95", "predicted_sd", "mean_mae", "skill")
    row: dict[str, object] = {"run": name, **{scalar: getattr(measured, scalar) for scalar in scalars}}
    for metric, estimate in measured.estimates.items():
        row |= {metric: estimate.value, f"{metric}_low": estimate.low, f"{metric}_high": estimate.high}
    return row


def _differences(predicted: pd.DataFrame, names: Sequence[str], n_resamples: int, seed: int) -> pd.DataFrame:
    rows = []
    for a, b in itertools.combinations(names, 2):
        found = paired_difference(predicted["age"], predicted[a], predicted[b], n_resamples=n_resamples, seed=seed)
        mae = {"mae_difference": found.mae.value, "low": found.mae.low, "high": found.mae.high}
        rows.append({"first": a, "second": b, "n": found.n, **mae, "p": found.p})
    return pd.DataFrame(rows)
