"""Comparison of runs on their shared test participants: metrics, differences of methods, agreement, ensembles."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.evaluation.accuracy import Accuracy, measure_accuracy
from brainage.evaluation.associations import pearson
from brainage.evaluation.methods import Method, holm, method_difference, methods_of, resampled_test
from brainage.evaluation.shared import Member, shared_test
from brainage.evaluation.stack import Stack, fit_stack, prediction_table

MEAN, STACK = "mean of all", "stack of all"


@dataclass(frozen=True)
class Comparison:
    """Results of a comparison.

    Parameters
    ----------
    names : list of str
        The runs, then `MEAN` and `STACK` if requested.
    n_test : list of int
        Test participants of each run.
    predicted : DataFrame
        ``participant_id`` and ``age`` of the shared test participants, and one column of predicted ages per name.
    accuracy : dict of str to Accuracy
        By name.
    methods : list of Method
        The runs, those that differ by seed or draw of folds only together.
    metrics, differences : DataFrame
        The written tables: one row per name, and one row per pair of methods and ensembles.
    ensemble : DataFrame or None
        Predictions of the ensemble: ``participant_id, split, age, predicted_age, bag, predicted_age_sd``.
    stack : Stack or None
        The stack, whose predictions these are; None for the mean.
    """

    names: list[str]
    n_test: list[int]
    predicted: pd.DataFrame
    accuracy: dict[str, Accuracy]
    methods: list[Method]
    metrics: pd.DataFrame
    differences: pd.DataFrame
    ensemble: pd.DataFrame | None
    stack: Stack | None = None

    @property
    def n_shared(self) -> int:
        """Number of shared test participants."""
        return len(self.predicted)

    def gap(self, name: str) -> NDArray[np.float64]:
        """Return the gaps of a run, in years."""
        return (self.predicted[name] - self.predicted["age"]).to_numpy(float)

    @property
    def runs(self) -> list[str]:
        """The names without those of ensembles."""
        return self.names[: len(self.n_test)]

    @property
    def has_repeats(self) -> bool:
        """Whether a method has several trainings."""
        return len(self.methods) < len(self.runs)

    @property
    def agreement(self) -> dict[tuple[str, str], float]:
        """Correlation of the gaps of each pair of runs."""
        return {(a, b): pearson(self.gap(a), self.gap(b)) for a, b in itertools.combinations(self.runs, 2)}


def compare_runs(members: Sequence[Member], *, n_resamples: int, seed: int, ensemble: str = "none") -> Comparison:
    """Compare runs.

    Parameters
    ----------
    members : sequence of Member
        At least two runs.
    n_resamples, seed : int
        Of the paired bootstrap: all statistics use the same resamples.
    ensemble : {"none", "mean", "stack"}
        Whether to add the mean of all predictions; or this, and their stack.

    Raises
    ------
    EvaluationError
        See `brainage.evaluation.shared.shared_test` and, for a stack, `brainage.evaluation.stack.fit_stack`.
    """
    names = [member.name for member in members]
    tested = shared_test(members)
    stack = fit_stack(members, tested) if ensemble == "stack" else None
    mean = None if ensemble == "none" else prediction_table(tested, "test", names, None)
    predicted = tested
    if mean is not None:
        predicted = predicted.assign(**{MEAN: mean["predicted_age"]})
    if stack is not None:
        stacked = stack.predictions.query("split == 'test'")["predicted_age"]
        predicted = predicted.assign(**{STACK: stacked.to_numpy()})
    shown = [str(name) for name in predicted if name not in ("participant_id", "age")]
    training = members[0].part("train")["age"]
    mean_age = float(training.mean() if len(training) else predicted["age"].mean())
    accuracy = {
        name: measure_accuracy(predicted["age"], predicted[name], mean_age=mean_age, n_resamples=n_resamples, seed=seed)
        for name in shown
    }
    metrics = pd.DataFrame([_metrics(name, measured) for name, measured in accuracy.items()])
    methods = methods_of(members, predicted)
    pairs = _pairs(methods, [_own(name, predicted) for name in shown[len(names) :]], stack)
    return Comparison(
        names=shown,
        n_test=[len(member.part("test")) for member in members],
        predicted=predicted,
        accuracy=accuracy,
        methods=methods,
        metrics=metrics if stack is None else metrics.assign(weight=metrics["run"].map(stack.weights)),
        differences=_differences(pairs, n_resamples, seed),
        ensemble=mean if stack is None else stack.predictions,
        stack=stack,
    )


def _metrics(name: str, measured: Accuracy) -> dict[str, object]:
    scalars = ("n", "age_mean", "age_sd", "age_p5", "age_p95", "predicted_sd", "mean_mae", "skill")
    row: dict[str, object] = {"run": name, **{scalar: getattr(measured, scalar) for scalar in scalars}}
    for metric, estimate in measured.estimates.items():
        row |= {metric: estimate.value, f"{metric}_low": estimate.low, f"{metric}_high": estimate.high}
    return row


def _pairs(methods: list[Method], ensembles: list[Method], stack: Stack | None) -> list[tuple[Method, Method]]:
    """Return what is compared: methods and ensembles, and a stack with the run that it should beat."""
    pairs = list(itertools.combinations([*methods, *ensembles], 2))
    if stack is not None and not any(stack.best == method.name for method in methods):
        own = next(method for method in methods if stack.best in method.runs)
        place = own.runs.index(stack.best)
        best = replace(own, name=stack.best, runs=[stack.best], predicted=own.predicted[[place]], folds=None)
        pairs.append((replace(best, repeats=own.repeats[place : place + 1]), ensembles[-1]))
    return pairs


def _own(name: str, predicted: pd.DataFrame) -> Method:
    """Return an ensemble as a method that was trained once."""
    ages, predictions = predicted["age"].to_numpy(float), predicted[[name]].to_numpy(float).T
    return Method(name, [name], ages, predictions, [None], None, varies=False)


_COLUMNS = (
    *("first", "second", "n", "mae_difference", "low", "high", "p", "p_holm"),
    *("trainings_first", "trainings_second", "resampled_low", "resampled_high", "p_resampled"),
)


def _differences(pairs: Sequence[tuple[Method, Method]], n_resamples: int, seed: int) -> pd.DataFrame:
    rows = []
    for a, b in pairs:
        found, test = method_difference(a, b, n_resamples=n_resamples, seed=seed), resampled_test(a, b)
        mae = {"mae_difference": found.mae.value, "low": found.mae.low, "high": found.mae.high}
        trainings = {"trainings_first": len(a.runs), "trainings_second": len(b.runs)}
        own = {} if test is None else {"resampled_low": test.mean.low, "resampled_high": test.mean.high}
        own |= {} if test is None else {"p_resampled": test.p}
        rows.append({"first": a.name, "second": b.name, "n": found.n, **mae, "p": found.p, **trainings, **own})
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    return table.assign(p_holm=np.array(holm(list(table["p"])), dtype=float))
