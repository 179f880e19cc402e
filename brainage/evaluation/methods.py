"""Methods compared over participants and trainings: runs that differ by seed, or draw of folds, are one method."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.evaluation.intervals import Estimate, percentile_interval, resampled_counts
from brainage.evaluation.paired import Difference, paired_difference, sign_p
from brainage.evaluation.resampled import ResampledTest, corrected_resampled_t_test
from brainage.evaluation.shared import Member

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Method:
    """The trainings of one method.

    Parameters
    ----------
    name : str
        Its name.
    runs : list of str
        Its runs.
    ages : array of shape (n_participants,)
        In years.
    predicted : array of shape (n_trainings, n_participants)
        Predicted ages of the shared test participants, in years.
    repeats : list
        The draw of the folds of each training.
    folds : list of array of shape (n_participants,), or None
        The fold that tests each participant, by training; None for runs of one split.
    varies : bool
        Whether trainings with other seeds would differ, as those of networks do.
    """

    name: str
    runs: list[str]
    ages: _Array
    predicted: _Array
    repeats: list[Hashable]
    folds: list[NDArray[np.object_]] | None
    varies: bool

    @property
    def errors(self) -> _Array:
        """Absolute errors, in years, of shape (n_trainings, n_participants)."""
        return np.abs(self.predicted - self.ages)

    @property
    def is_single(self) -> bool:
        """Whether it was trained once, and another training would differ."""
        return self.varies and len(self.runs) == 1

    def row(self) -> dict[str, Any]:
        """Return the number of trainings, and mean and SD of their MAE, in years."""
        mae = self.errors.mean(axis=1)
        spread = float(mae.std(ddof=1)) if len(mae) > 1 else None
        return {"method": self.name, "trainings": len(mae), "mae_mean": float(mae.mean()), "mae_sd": spread}

    def fold_errors(self) -> pd.Series:
        """Return the mean absolute error of each fold of each draw, over its participants and trainings."""
        pieces = [
            pd.DataFrame({"repeat": str(repeat), "fold": fold, "error": error})
            for repeat, fold, error in zip(self.repeats, self.folds or [], self.errors, strict=True)
        ]
        return pd.concat(pieces).groupby(["repeat", "fold"])["error"].mean()


def methods_of(members: Sequence[Member], tested: pd.DataFrame) -> list[Method]:
    """Group members by their method; `tested` are the shared test participants, see `shared_test`."""
    grouped: dict[str, list[Member]] = {}
    for member in members:
        grouped.setdefault(member.method or member.name, []).append(member)
    return [_method(name, group, tested) for name, group in grouped.items()]


def _method(name: str, members: list[Member], tested: pd.DataFrame) -> Method:
    folds = None
    if all("fold" in member.predictions for member in members):
        each = (member.part("test").set_index("participant_id")["fold"] for member in members)
        folds = [fold.loc[tested["participant_id"]].to_numpy(object) for fold in each]
    names = [member.name for member in members]
    repeats = [member.repeat for member in members]
    predicted = tested[names].to_numpy(float).T
    return Method(name, names, tested["age"].to_numpy(float), predicted, repeats, folds, members[0].varies)


def method_difference(first: Method, second: Method, *, n_resamples: int, seed: int) -> Difference:
    """Compare the mean MAE of two methods by a bootstrap over participants and trainings.

    Of k trainings, k - 1 are drawn, with replacement, for the variance of a mean of few to be unbiased (Rao and Wu).
    Trainings on the same draws of folds are drawn together, others independently. A method that was trained once is
    resampled over participants only.

    Parameters
    ----------
    first, second : Method
        The methods, tested on the same participants.
    n_resamples, seed : int
        See `brainage.evaluation.intervals.resampled_counts`.

    References
    ----------
    Rao & Wu (1988), Resampling Inference With Complex Survey Data, doi 10.1080/01621459.1988.10478591.
    Owen (2007), The pigeonhole bootstrap, doi 10.1214/07-AOAS122.
    """
    a, b = first.errors, second.errors
    n = len(first.ages)
    if len(a) == len(b) == 1:
        return paired_difference(first.ages, *first.predicted, *second.predicted, n_resamples=n_resamples, seed=seed)
    together = first.repeats == second.repeats and len(set(first.repeats)) == len(a)
    rng = np.random.default_rng([seed, len(a), len(b)])
    drawn = []
    for counts in resampled_counts(n, n_resamples, seed):
        weights = _weights(len(a), len(counts), rng)
        others = weights if together else _weights(len(b), len(counts), rng)
        drawn.append(((counts @ a.T / n) * weights).sum(axis=1) - ((counts @ b.T / n) * others).sum(axis=1))
    differences = np.concatenate(drawn)
    return Difference(n, Estimate(float(a.mean() - b.mean()), *percentile_interval(differences)), sign_p(differences))


def _weights(n_trainings: int, n_resamples: int, rng: np.random.Generator) -> _Array:
    """Draw the weight of each training in each resample."""
    n_drawn = max(n_trainings - 1, 1)
    equal = np.full(n_trainings, 1 / n_trainings)
    return rng.multinomial(n_drawn, equal, size=n_resamples) / n_drawn


def resampled_test(first: Method, second: Method) -> ResampledTest | None:
    """Compare two methods by the corrected resampled t-test over folds; None unless they have the same folds.

    Training sets of n folds have n - 1 times the participants of a test set: the factor of the variance is
    1 / (repeats * folds) + 1 / (folds - 1).
    """
    if not _same_folds(first, second):
        return None
    a, b = first.fold_errors(), second.fold_errors()
    n_folds = a.index.get_level_values("fold").nunique()
    return corrected_resampled_t_test((a - b).tolist(), n_train=n_folds - 1, n_test=1)


def _same_folds(first: Method, second: Method) -> bool:
    if first.folds is None or second.folds is None or set(first.repeats) != set(second.repeats):
        return False
    folds = dict(zip(first.repeats, first.folds, strict=True))
    return all((folds[repeat] == own).all() for repeat, own in zip(second.repeats, second.folds, strict=True))


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Adjust p values of several comparisons by Holm's method; unknown ones stay unknown.

    References
    ----------
    Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6.
    """
    known = sorted((p, place) for place, p in enumerate(values) if p is not None and not np.isnan(p))
    adjusted: list[float | None] = [None] * len(values)
    for place, p in _stepped(known):
        adjusted[place] = p
    return adjusted


def _stepped(known: Sequence[tuple[float, int]]) -> Iterator[tuple[int, float]]:
    highest = 0.0
    for step, (p, place) in enumerate(known):
        highest = max(highest, min(1.0, p * (len(known) - step)))
        yield place, highest
