"""Fetching ABIDE's files with nilearn, one participant at a time: one missing file does not end the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nilearn.datasets import fetch_abide_pcp

from brainage.errors import MissingPathError
from brainage.system.console import log, track

if TYPE_CHECKING:
    from brainage.data.cohorts.abide import Derivative

# After so many files one after another without an answer, the network or the server is taken to be down.
_MOST_FAILURES = 5
_ANSWERED = "HTTPError"  # as if the server has no such file


def fetch(root: Path, derivative: Derivative, participants: Sequence[str]) -> None:
    """Fetch the files of participants, and the table if it is missing, into ``ABIDE_pcp`` below `root`.

    Single files that cannot be fetched are logged. Raises MissingPathError if that is the table, or several files one
    after another.
    """
    if not participants:
        if (error := _fetch(root, derivative, None)) is not None:
            raise _unreachable(derivative, "the table", error)
        return
    log.info("Fetching %d files of ABIDE I into %s", len(participants), root)
    reasons: Counter[str] = Counter()
    n_in_a_row = 0
    for participant in track(participants, len(participants), "Files fetched"):
        error = _fetch(root, derivative, participant)
        n_in_a_row = 0 if error in (None, _ANSWERED) else n_in_a_row + 1
        if error is not None:
            reasons[error] += 1
        if n_in_a_row == _MOST_FAILURES:
            raise _unreachable(derivative, f"{_MOST_FAILURES} files one after another", str(error))
    if reasons:
        listed = ", ".join(f"{count} x {reason}" for reason, count in reasons.most_common())
        log.warning("%d of %d files could not be fetched: %s", reasons.total(), len(participants), listed)


def _fetch(root: Path, derivative: Derivative, participant: str | None) -> str | None:
    """Fetch a participant's file, or only the table; return the kind of what failed."""
    try:
        fetch_abide_pcp(
            data_dir=str(root),
            n_subjects=0 if participant is None else None,
            pipeline=derivative.pipeline,
            band_pass_filtering=derivative.band_pass_filtering,
            global_signal_regression=derivative.global_signal_regression,
            derivatives=[f"rois_{derivative.rois}"],
            quality_checked=False,
            url=derivative.url,
            verbose=0,
            **({} if participant is None else {"SUB_ID": [int(participant)]}),
        )
    except (OSError, ValueError) as error:  # nilearn parses what it has fetched; its messages name the file
        return type(error).__name__
    return None


def _unreachable(derivative: Derivative, what: str, reason: str) -> MissingPathError:
    place = derivative.url or "ABIDE's server"
    return MissingPathError(
        f"`cohort.download=true`: {what} could not be fetched from {place} ({reason}). Check the network (clusters may "
        "have it on login nodes only), and run again: what has been fetched is kept."
    )
