"""Schemas of splits into training, validation and test participants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from omegaconf import MISSING

from brainage.config.rules import Bounds, Checked, Count, PathText, Seed, Share, checked, choice, require


@checked("split")
@dataclass
class SplitConfig:
    """Training, validation and test participants.

    Parameters
    ----------
    name : str
        The config's own name.
    """

    name: str = MISSING


ALL = "all"


def _n_train(value: int | str | None) -> int | str | None:
    """Return a number of participants, `ALL` or None."""
    if value is None or value == ALL:
        return value
    number = int(value) if isinstance(value, int) or value.isdecimal() else 0
    require(number >= 1, "split.n_train", f"1 or more, or {ALL}", value)
    return number


@checked("split")
@dataclass
class DrawnSplitConfig(SplitConfig):
    """What drawn splits have in common.

    Parameters
    ----------
    seed : int
        Governs the draw, and nothing else does.
    val_fraction : float
        Share of the validation participants.
    stratify : {"age"} or None
        Draw within bins of age, so that the parts have the same ages.
    n_train : int, "all" or None
        Number of training participants that are used, drawn among those of the split; more of them contain those of
        fewer. By default all.
    """

    seed: Seed = 43
    val_fraction: Share = 0.1
    stratify: Annotated[str | None, Bounds(description="Or leave it at null."), choice("age")] = None
    n_train: Annotated[int | str | None, Checked(_n_train)] = None


@checked("split")
@dataclass
class RandomSplitConfig(DrawnSplitConfig):
    """Three parts, drawn at random; those who neither train nor validate are the test participants.

    Parameters
    ----------
    train_fraction : float
        Share of the training participants; with `val_fraction` under 1, so that a test set is left.
    """

    train_fraction: Share = 0.8

    def __post_init__(self) -> None:
        """Check that a test set is left."""
        both = self.train_fraction + self.val_fraction
        require(both < 1, "split.train_fraction + split.val_fraction", "under 1, so that a test set is left", both)


@checked("split")
@dataclass
class KFoldSplitConfig(DrawnSplitConfig):
    """Fold number `fold` of `n_folds` is the test set.

    Parameters
    ----------
    fold : int
        Number of the tested fold, from 0 to ``n_folds - 1``.
    n_folds : int
        Number of folds; ``val_fraction + 1 / n_folds`` is under 1, so that training participants are left.
    """

    fold: int = MISSING
    n_folds: Annotated[int, Bounds(ge=2)] = 5

    def __post_init__(self) -> None:
        """Check the fold, and that training participants are left."""
        require(0 <= self.fold < self.n_folds, "split.fold", f"from 0 to {self.n_folds - 1}", self.fold)
        both = self.val_fraction + 1 / self.n_folds
        rule = "under 1, so that training participants are left"
        require(both < 1, "split.val_fraction + 1 / split.n_folds", rule, both)


@checked("split")
@dataclass
class RepeatedKFoldSplitConfig(KFoldSplitConfig):
    """Fold number `fold` of draw number `repeat` is the test set.

    Parameters
    ----------
    repeat : int
        Number of the draw of folds, from 0, whose folds are those of ``split=kfold``, to ``n_repeats - 1``.
    n_repeats : int
        Number of draws.
    """

    repeat: int = MISSING
    n_repeats: Count = 3

    def __post_init__(self) -> None:
        """Check the repeat, and the fold."""
        super().__post_init__()
        require(0 <= self.repeat < self.n_repeats, "split.repeat", f"from 0 to {self.n_repeats - 1}", self.repeat)


@checked("split")
@dataclass
class LeaveSiteOutSplitConfig(DrawnSplitConfig):
    """One site is the test set.

    Parameters
    ----------
    site : str
        The site, named as in the table. With ``--multirun``, ``all`` is a job for each site that has a scan.
    """

    site: str = MISSING


@checked("split")
@dataclass
class FixedSplitConfig(SplitConfig):
    """A split read from a table.

    Parameters
    ----------
    file : str
        The table, with the columns ``participant_id`` and ``split`` (``train``, ``val`` or ``test``).
    """

    file: PathText = MISSING
