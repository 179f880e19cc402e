"""The job's side of a sweep: each epoch's loss is reported to the study, which may prune the trial."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[int, float], bool]
"""Takes an epoch, from 0, and its validation loss; returns whether to stop."""

_current: list[Report | None] = []


class PrunedError(Exception):
    """A trial was pruned."""


@contextmanager
def trial(report: Report | None) -> Iterator[None]:
    """Run a job as a trial of a sweep; `report` gets its epochs, or is None where trials are not pruned."""
    _current.append(report)
    try:
        yield
    finally:
        _current.pop()


def current_report() -> Report | None:
    """Return the callable that gets epochs; None outside a sweep, and in one that does not prune."""
    return _current[-1] if _current else None


def is_trial() -> bool:
    """Return whether the job is a trial of a sweep, which handles how it ends."""
    return bool(_current)
