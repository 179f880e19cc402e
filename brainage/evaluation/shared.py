"""The participants that several runs share: predictions in one table, and checks that the runs may be compared."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.errors import EvaluationError
from brainage.evaluation.intervals import MIN_RESAMPLED

# Share of each run's participants of a part that all runs must share.
_SHARED = 0.9

# Ages of a participant that differ by more, in years, belong to different scans.
_SAME_AGE = 0.01


@dataclass(frozen=True)
class Member:
    """A run in a comparison, or all folds of a model.

    Parameters
    ----------
    name : str
        Its name.
    predictions : DataFrame
        ``participant_id, split, age, predicted_age``; of folds, of test participants only, with their ``fold``.
    validation : DataFrame or None
        The same of the validation participants of all folds; None for one run, whose predictions have them.
    method : str
        What it is a training of; empty if of a method of its own. Trainings of one method differ by seed, or by
        `repeat`.
    repeat : hashable
        The draw of the folds.
    varies : bool
        Whether a training with another seed would predict other ages.
    """

    name: str
    predictions: pd.DataFrame
    validation: pd.DataFrame | None = None
    method: str = ""
    repeat: Hashable = None
    varies: bool = True

    def part(self, name: str) -> pd.DataFrame:
        """Return the rows of a part of the split."""
        return self.predictions[self.predictions["split"] == name]


def shared_test(members: Sequence[Member]) -> pd.DataFrame:
    """Return ``participant_id``, ``age`` and a column of predicted ages per run, for the shared test participants.

    Raises
    ------
    EvaluationError
        The runs share under 90 % of their test participants; a run was trained or validated on a test participant of
        another; or the age of a participant differs between runs.
    """
    for member in members:
        if member.part("test").empty:
            raise EvaluationError(f"`runs`: {member.name} has no test participants. Remove it from `runs`.")
    common = _common(
        members,
        "test",
        "Folds test different participants by design: compare all folds of each model, by the folders of their "
        "multiruns, or one fold of each. Else train with the same split.seed.",
    )
    for name, other, n_leaked in _learned_from(members, "test", ("train", "val")):
        raise EvaluationError(
            f"`runs`: {other} was trained or validated on {n_leaked} of the test participants of {name}, so "
            "its error on them is too low. Train them with the same split (split.seed)."
        )
    if len(common) < MIN_RESAMPLED:
        raise EvaluationError(
            f"`runs` must share {MIN_RESAMPLED} test participants to be compared, but share {len(common)}. Use a "
            "larger cohort."
        )
    return _aligned(members, "test", common)


def shared_validation(members: Sequence[Member], n_needed: int) -> pd.DataFrame:
    """Return the same of the shared validation participants, whom no run was trained on.

    Raises
    ------
    EvaluationError
        As `shared_test`, or there are fewer than `n_needed`.
    """
    other_step = "Train them with the same split (split.seed, split.val_fraction), or use ensemble=mean."
    common = _common(members, "val", f"The weights of ensemble=stack are fitted on them. {other_step}")
    for name, other, n_leaked in _learned_from(members, "val", ("train",)):
        raise EvaluationError(
            f"`runs`: {other} was trained on {n_leaked} of the validation participants of {name}, on whom the weights "
            f"of ensemble=stack would be fitted. {other_step}"
        )
    if len(common) < n_needed:
        whom = "shared validation participants"
        raise too_few(len(members), n_needed, len(common), whom, "a larger split.val_fraction")
    return _aligned(members, "val", common)


def shared_folds(members: Sequence[Member], tested: pd.DataFrame) -> NDArray[Any]:
    """Return the fold of each shared test participant; raise an `EvaluationError` unless it is the same in all runs."""
    each = [one.predictions.set_index("participant_id")["fold"].loc[tested["participant_id"]] for one in members]
    for member, fold in zip(members, each, strict=True):
        if n_other := int((fold != each[0]).sum()):
            raise EvaluationError(
                f"`ensemble=stack` of folds must have the same folds of all models, but {n_other} of {len(fold)} "
                f"participants are in another fold of {member.name}. Train with the same split.seed and split.n_folds, "
                "or use ensemble=mean."
            )
    return each[0].to_numpy()


def too_few(n_runs: int, n_needed: int, n: int, whom: str, step: str) -> EvaluationError:
    """Return the mistake that weights have fewer participants than they need."""
    return EvaluationError(
        f"`ensemble=stack` of {n_runs} runs must have {n_needed} {whom} for its weights, but has {n}. Use "
        f"ensemble=mean, fewer runs or {step}."
    )


def _common(members: Sequence[Member], part: str, step: str) -> set[str]:
    """Return the participants of a part that all runs share; raise if they are under 90 % of one run's."""
    own = {member.name: set(member.part(part)["participant_id"]) for member in members}
    common = set.intersection(*own.values())
    what = {"val": "validation"}.get(part, part)
    for name, ids in own.items():
        if len(common) < _SHARED * len(ids):
            raise EvaluationError(
                f"`runs` must share {_SHARED:.0%} of their {what} participants, but all share {len(common)} of the "
                f"{len(ids)} of {name}. {step}"
            )
    return common


def _learned_from(members: Sequence[Member], part: str, fitted: Sequence[str]) -> list[tuple[str, str, int]]:
    """Return pairs of runs of which the second was fitted on participants of the first's part, and their number."""
    found = []
    for member, other in itertools.product(members, members):
        learned = other.predictions.loc[other.predictions["split"].isin(fitted), "participant_id"]
        found.append((member.name, other.name, int(learned.isin(member.part(part)["participant_id"]).sum())))
    return [each for each in found if each[2]]


def _aligned(members: Sequence[Member], part: str, common: set[str]) -> pd.DataFrame:
    first = members[0].part(part)
    shared = first[first["participant_id"].isin(common)].sort_values("participant_id").reset_index(drop=True)
    predicted = shared[["participant_id", "age"]].copy()
    for member in members:
        rows = member.part(part).set_index("participant_id").loc[shared["participant_id"]]
        n_other = int((np.abs(rows["age"].to_numpy(float) - shared["age"].to_numpy(float)) > _SAME_AGE).sum())
        if n_other:
            raise EvaluationError(
                f"`runs` must have the same age of each participant, but in {member.name} it differs for {n_other} "
                "participants: their scans or tables differ. Compare runs of one imaging visit."
            )
        predicted[member.name] = rows["predicted_age"].to_numpy(float)
    return predicted
