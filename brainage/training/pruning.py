"""The job's side of a sweep: an epoch's error goes to the study, which may say that the trial is hopeless."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[int, float], bool]
"""Takes an epoch, from 0, and its validation loss; returns whether to stop."""

_current: list[Report | None] = []


class PrunedError(Exception):
    """A trial that was ended for being hopeless."""


@contextmanager
def trial(report: Report | None) -> Iterator[None]:
    """Let the job that runs inside be a trial of a sweep.

    Parameters
    ----------
    report : callable or None
        Who is told of its epochs; None where nobody prunes.
    """
    _current.append(report)
    try:
        yield
    finally:
        _current.pop()


def current_report() -> Report | None:
    """Return who is to be told; None where the job belongs to no sweep, or to one that does not prune."""
    return _current[-1] if _current else None


def is_trial() -> bool:
    """Tell whether the job belongs to a sweep, which has its own say on how it ends."""
    return bool(_current)
