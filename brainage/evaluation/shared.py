"""The participants that several runs share: predictions in one table, and checks that the runs may be compared."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from brainage.errors import EvaluationError
from brainage.evaluation.intervals import MIN_RESAMPLED

# Share of each run's participants of a part that all runs must share.
_SHARED = 0.9

# Ages of a participant that differ by more, in years, belong to different scans.
_SAME_AGE = 0.01


@dataclass(frozen=True)
class Member:
    """A run in a comparison: its name, and its predictions (``participant_id, split, age, predicted_age``)."""

    name: str
    predictions: pd.DataFrame

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
        "Folds test different participants by design: report them together with report.py run=MULTIRUN, or compare one "
        "fold of each model. Else train with the same split.seed.",
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
        raise EvaluationError(
            f"`ensemble=stack` of {len(members)} runs must have {n_needed} shared validation participants for its "
            f"weights, but has {len(common)}. Use ensemble=mean, fewer runs or a larger split.val_fraction."
        )
    return _aligned(members, "val", common)


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
