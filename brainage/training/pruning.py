"""Pruning of a sweep's trials: each epoch's validation loss is reported to the study, which may end the trial.

Squared errors of validation participants are passed in memory, to compare trials of several folds; no file has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

ShouldPrune = Callable[[int, float], bool]
"""Takes an epoch, from 0, and its validation loss; returns whether the trial is pruned."""

_trials: list[ShouldPrune | None] = []
_kept: list[list[list[float]]] = []


class PrunedError(Exception):
    """A trial was pruned."""


@contextmanager
def trial(report: ShouldPrune | None) -> Iterator[None]:
    """Run a job as a trial of a sweep; without `report`, it is never pruned."""
    _trials.append(report)
    try:
        yield
    finally:
        _trials.pop()


def is_trial() -> bool:
    """Return whether the job is a trial of a sweep."""
    return bool(_trials)


def should_prune(epoch: int, loss: float) -> bool:
    """Report an epoch's validation loss to the sweep; return whether the trial is pruned."""
    report = _trials[-1] if _trials else None
    return report is not None and report(epoch, loss)


@contextmanager
def validation_errors() -> Iterator[list[list[float]]]:
    """Keep the squared errors of the validation participants of each job that finishes."""
    _kept.append([])
    try:
        yield _kept[-1]
    finally:
        _kept.pop()


def note_errors(errors: Iterable[float]) -> None:
    """Pass the squared errors of a job's validation participants to the sweep, if it keeps them."""
    if _kept:
        _kept[-1].append(list(errors))
