"""Pruning of a sweep's trials: each epoch's validation loss is reported to the study, which may end the trial."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

ShouldPrune = Callable[[int, float], bool]
"""Takes an epoch, from 0, and its validation loss; returns whether the trial is pruned."""

_trials: list[ShouldPrune | None] = []


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
