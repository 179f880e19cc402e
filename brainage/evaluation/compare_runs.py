"""Several runs on the test participants that they share: metrics, paired differences, agreement, their mean."""

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

# Of each run's test participants, those that all must share.
_SHARED = 0.9

# Ages of one person that differ by more, in years, are of different scans.
_SAME_AGE = 0.01

ENSEMBLE = "mean of all"


@dataclass(frozen=True)
class Member:
    """A run.

    Parameters
    ----------
    name : str
        What it is called.
    predictions : DataFrame
        ``participant_id, split, age, predicted_age``.
    """

    name: str
    predictions: pd.DataFrame


@dataclass(frozen=True)
class SideBySide:
    """What the comparison gives.

    Parameters
    ----------
    names : list of str
        The runs', and last that of their mean, if it was asked for.
    n_test : list of int
        Test participants of each run.
    n_shared : int
        Those that all share.
    predicted : DataFrame
        Predicted ages of these, a column a name, beside ``participant_id`` and ``age``.
    accuracy : dict of str to Accuracy
        By name.
    metrics, differences : DataFrame
        The tables that are written: a row a run, and a row a pair.
    agreement : dict of (str, str) to float
        Correlation of the gaps of a pair of runs.
    ensemble : DataFrame or None
        ``participant_id, split, age, predicted_age, bag, predicted_age_sd``: the mean of all, and their spread.
    """

    names: list[str]
    n_test: list[int]
    n_shared: int
    predicted: pd.DataFrame
    accuracy: dict[str, Accuracy]
    metrics: pd.DataFrame
    differences: pd.DataFrame
    agreement: dict[tuple[str, str], float]
    ensemble: pd.DataFrame | None


def side_by_side(members: Sequence[Member], *, n_resamples: int, seed: int, ensemble: bool = False) -> SideBySide:
    """Compare runs.

    Parameters
    ----------
    members : sequence of Member
        Two or more.
    n_resamples, seed : int
        Of the paired bootstrap: every statistic sees the same resamples.
    ensemble : bool
        Have the mean of all runs' predictions beside them.

    Raises
    ------
    EvaluationError
        They share under 90 % of their test participants; one was trained or validated on another's test participant;
        or they know different ages of somebody.
    """
    tests = [member.predictions[member.predictions["split"] == "test"] for member in members]
    shared = _shared(members, tests)
    predicted = pd.DataFrame({"participant_id": shared["participant_id"], "age": shared["age"]})
    for member, test in zip(members, tests, strict=True):
        predicted[member.name] = _aligned(test, predicted, member.name)
    names = [member.name for member in members]
    values = predicted[names].to_numpy(float)
    if ensemble:
        predicted[ENSEMBLE] = values.mean(axis=1)
    shown = [*names, ENSEMBLE] if ensemble else names
    training = members[0].predictions
    mean_age = float(training.loc[training["split"] == "train", "age"].mean())
    mean_age = mean_age if np.isfinite(mean_age) else float(predicted["age"].mean())
    accuracy = {
        name: measure_accuracy(predicted["age"], predicted[name], mean_age=mean_age, n_resamples=n_resamples, seed=seed)
        for name in shown
    }
    return SideBySide(
        names=shown,
        n_test=[len(test) for test in tests],
        n_shared=len(predicted),
        predicted=predicted,
        accuracy=accuracy,
        metrics=_metrics(accuracy),
        differences=_differences(predicted, shown, n_resamples, seed),
        agreement={
            (a, b): pearson((predicted[a] - predicted["age"]).to_numpy(), (predicted[b] - predicted["age"]).to_numpy())
            for a, b in itertools.combinations(names, 2)
        },
        ensemble=_ensemble(predicted, values) if ensemble else None,
    )


def _ensemble(predicted: pd.DataFrame, values: NDArray[np.float64]) -> pd.DataFrame:
    """Return the mean of all, and their spread, as a run's predictions."""
    return pd.DataFrame(
        {
            "participant_id": predicted["participant_id"],
            "split": "test",
            "age": predicted["age"],
            "predicted_age": predicted[ENSEMBLE],
            "bag": predicted[ENSEMBLE] - predicted["age"],
            "predicted_age_sd": values.std(axis=1, ddof=1),
        }
    )


def _shared(members: Sequence[Member], tests: Sequence[pd.DataFrame]) -> pd.DataFrame:
    people = [set(test["participant_id"]) for test in tests]
    common = set.intersection(*people)
    for member, tested in zip(members, people, strict=True):
        if not tested:
            raise EvaluationError(f"`runs`: {member.name} has no test participants. Leave it out.")
        if len(common) < _SHARED * len(tested):
            raise EvaluationError(
                f"`runs` must share {_SHARED:.0%} of their test participants, but all share {len(common)} of the "
                f"{len(tested)} of {member.name}. Train them with the same cohort and split (split.seed)."
            )
    for (member, tested), other in itertools.product(zip(members, people, strict=True), members):
        learned = other.predictions.loc[other.predictions["split"].isin(["train", "val"]), "participant_id"]
        n_leaked = int(learned.isin(tested).sum())
        if n_leaked:
            raise EvaluationError(
                f"`runs`: {other.name} was trained or validated on {n_leaked} of the test participants of "
                f"{member.name}: its error on them says nothing. Train them with the same split (split.seed)."
            )
    if len(common) < MIN_RESAMPLED:
        raise EvaluationError(
            f"`runs` must share {MIN_RESAMPLED} test participants to be compared, but share {len(common)}. Use a "
            "larger cohort."
        )
    first = tests[0]
    return first[first["participant_id"].isin(common)].sort_values("participant_id").reset_index(drop=True)


def _aligned(test: pd.DataFrame, shared: pd.DataFrame, name: str) -> pd.Series:
    rows = test.set_index("participant_id").loc[shared["participant_id"]]
    n_other = int((np.abs(rows["age"].to_numpy(float) - shared["age"].to_numpy(float)) > _SAME_AGE).sum())
    if n_other:
        raise EvaluationError(
            f"`runs` must know the same age of everybody, but {name} has another one of {n_other} participants: these "
            "are other scans, or another table. Compare runs of one imaging visit."
        )
    return pd.Series(rows["predicted_age"].to_numpy(float), shared.index)


def _metrics(accuracy: dict[str, Accuracy]) -> pd.DataFrame:
    rows = []
    for name, measured in accuracy.items():
        row: dict[str, object] = {
            "run": name,
            "n": measured.n,
            "age_mean": measured.age_mean,
            "age_sd": measured.age_sd,
            "age_min": measured.age_min,
            "age_max": measured.age_max,
            "predicted_sd": measured.predicted_sd,
            "mean_mae": measured.mean_mae,
            "skill": measured.skill,
        }
        for metric, estimate in measured.estimates.items():
            row |= {metric: estimate.value, f"{metric}_low": estimate.low, f"{metric}_high": estimate.high}
        rows.append(row)
    return pd.DataFrame(rows)


def _differences(predicted: pd.DataFrame, names: Sequence[str], n_resamples: int, seed: int) -> pd.DataFrame:
    rows = []
    for a, b in itertools.combinations(names, 2):
        found = paired_difference(predicted["age"], predicted[a], predicted[b], n_resamples=n_resamples, seed=seed)
        estimate = found.mae
        rows.append(
            {
                "first": a,
                "second": b,
                "n": found.n,
                "mae_difference": estimate.value,
                "low": estimate.low,
                "high": estimate.high,
                "p": found.p,
            }
        )
    return pd.DataFrame(rows)
