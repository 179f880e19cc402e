"""Stacking: predictions of several runs joined by non-negative weights, fitted on their validation participants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

from brainage.evaluation.disclosure import may_describe
from brainage.evaluation.gap import MIN_FITTED
from brainage.evaluation.shared import Member, shared_folds, shared_validation, too_few

_Array = NDArray[np.float64]

# Validation participants that a fit needs for each run.
_PER_RUN = 10

# Pull to equal weights, in participants for each run. Measured on simulated members: weaker, the stack is worse than
# the mean of equally good runs; stronger, it is worse than one good run among bad ones.
_PULL = 0.5


@dataclass(frozen=True)
class Stack:
    """Runs joined by weights.

    Parameters
    ----------
    weights : dict of str to float
        By run; non-negative, with sum 1.
    n_fitted : int
        Participants on whom they were fitted: validation ones or, of folds, all, each predicted out of fold.
    errors : dict of str to float
        MAE of each run on validation participants, in years.
    n_val : int
        Number of these.
    predictions : DataFrame
        Of these and of the test participants: ``participant_id, split, age, predicted_age, bag, predicted_age_sd``. Of
        folds, out-of-fold ones, by weights that are fitted without the participant's fold.
    n_folds : int
        Number of folds; 0 for runs of one split.
    """

    weights: dict[str, float]
    n_fitted: int
    errors: dict[str, float]
    n_val: int
    predictions: pd.DataFrame
    n_folds: int = 0

    @property
    def whom(self) -> str:
        """On whom the weights were fitted."""
        return f"{self.n_fitted:,} {'out-of-fold' if self.n_folds else 'validation'} participants"

    @property
    def shown_errors(self) -> dict[str, float | None]:
        """The errors, None where they would describe fewer than ten participants."""
        return {name: error if may_describe(self.n_val) else None for name, error in self.errors.items()}

    @property
    def best(self) -> str:
        """The run with the lowest error on the validation participants."""
        return min(self.errors, key=lambda name: self.errors[name])


def n_needed(n_runs: int) -> int:
    """Return the number of validation participants that a fit needs."""
    return max(MIN_FITTED, _PER_RUN * n_runs)


def stack_weights(age: ArrayLike, predicted: ArrayLike) -> _Array:
    """Fit weights: non-negative, with sum 1, by least squares with a pull to equal ones.

    They minimise sum((age - predicted @ w)²) + pull * sum((w - 1/n_runs)²). The pull is half the number of runs times
    their mean squared error: few participants give nearly equal weights, many give those of least squares. There is no
    intercept, so a prediction is within those of the runs, and adds no bias that they do not have.

    Parameters
    ----------
    age : array of shape (n_participants,)
        In years.
    predicted : array of shape (n_participants, n_runs)
        In years, of participants on whom no run was trained.

    Returns
    -------
    array of shape (n_runs,)
        The weights.

    References
    ----------
    Breiman (1996), Stacked regressions, doi 10.1007/BF00117832.
    """
    errors = np.asarray(predicted, dtype=np.float64) - np.asarray(age, dtype=np.float64)[:, None]
    n_runs = errors.shape[1]
    pull = _PULL * n_runs * float(np.mean(errors**2))
    if pull == 0:
        return np.full(n_runs, 1 / n_runs)
    # As sum(w) is 1, sum((w - 1/n_runs)²) is sum(w²) - 1/n_runs, and the minimum of a quadratic form is, up to its
    # scale, the non-negative least squares solution with sum(w) = 1 as one more equation of any weight.
    rows = np.vstack([errors, np.sqrt(pull) * np.eye(n_runs), np.full((1, n_runs), np.sqrt(pull))])
    target = np.zeros(len(rows))
    target[-1] = np.sqrt(pull)
    scaled, _ = nnls(rows, target)
    weights: _Array = scaled / scaled.sum()
    return weights


def joined(predicted: _Array, weights: ArrayLike | None = None) -> tuple[_Array, _Array]:
    """Return the mean of predicted ages of shape (n_participants, n_runs), and the SD between runs.

    Both are weighted if there are weights (the SD as for n - 1: equal weights give that of no weights); it is 0 where
    one run has all the weight.
    """
    if weights is None:
        n_runs = predicted.shape[1]
        return predicted.mean(axis=1), predicted.std(axis=1, ddof=1) if n_runs > 1 else np.zeros(len(predicted))
    w = np.asarray(weights, dtype=np.float64)
    mean = predicted @ w
    squares = (predicted - mean[:, None]) ** 2 @ w
    return mean, np.sqrt(squares / (1 - w @ w)) if w.max() < 1 else np.zeros(len(mean))


def prediction_table(rows: pd.DataFrame, split: str, names: Sequence[str], weights: _Array | None) -> pd.DataFrame:
    """Return the table of joined predictions; `rows` has ``participant_id``, ``age`` and a column per run."""
    mean, sd = joined(rows[list(names)].to_numpy(float), weights)
    table = rows[["participant_id", "age"]].assign(predicted_age=mean, bag=mean - rows["age"], predicted_age_sd=sd)
    table.insert(1, "split", split)
    return table


def fit_stack(members: Sequence[Member], tested: pd.DataFrame) -> Stack:
    """Fit weights on the validation participants that the members share, and predict those and the test participants.

    Where the members are folds, each participant is predicted with weights that are fitted on the participants of the
    other folds. The networks of those folds were trained on this participant, but only these weights pass it on.

    Parameters
    ----------
    members : sequence of Member
        The runs.
    tested : DataFrame
        By `brainage.evaluation.shared.shared_test`.

    Raises
    ------
    EvaluationError
        See `brainage.evaluation.shared.shared_validation`; or the models have other folds.
    """
    if all("fold" in member.predictions for member in members):
        return _out_of_fold(members, tested)
    names = [member.name for member in members]
    fitted = shared_validation(members, n_needed(len(members)))
    weights = stack_weights(fitted["age"], fitted[names])
    errors = fitted[names].sub(fitted["age"], axis=0).abs().mean()
    tables = [prediction_table(rows, part, names, weights) for part, rows in (("val", fitted), ("test", tested))]
    return Stack(
        weights=dict(zip(names, map(float, weights), strict=True)),
        n_fitted=len(fitted),
        errors={name: float(errors[name]) for name in names},
        n_val=len(fitted),
        predictions=pd.concat(tables, ignore_index=True),
    )


def _out_of_fold(members: Sequence[Member], tested: pd.DataFrame) -> Stack:
    """Predict the participants of each fold with weights that are fitted on those of the others."""
    names = [member.name for member in members]
    folds = shared_folds(members, tested)
    validation = {member.name: member.validation for member in members if member.validation is not None}
    tables = []
    for fold in np.unique(folds):
        others, own = tested[folds != fold], tested[folds == fold]
        if len(others) < (needed := n_needed(len(members))):
            raise too_few(len(members), needed, len(others), "participants in the other folds", "a larger cohort")
        tables.append(prediction_table(own, "test", names, stack_weights(others["age"], others[names])))
    return Stack(
        weights=dict(zip(names, map(float, stack_weights(tested["age"], tested[names])), strict=True)),
        n_fitted=len(tested),
        errors={name: float((rows["predicted_age"] - rows["age"]).abs().mean()) for name, rows in validation.items()},
        n_val=min(rows["participant_id"].nunique() for rows in validation.values()),
        predictions=pd.concat(tables).sort_index(),
        n_folds=len(tables),
    )
