"""Errors of this project, each with one message.

A message says what is wrong and where, the rule, the value received and what to do next. It names rows and counts,
never a participant's id.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# Largest number of choices that a message lists: tables of UK Biobank have thousands of columns.
_MOST_LISTED = 50


class BrainageError(Exception):
    """A mistake that the user can correct; the commands print its message and exit with `exit_code`."""

    exit_code = 2


class ConfigError(BrainageError, ValueError):
    """A value in the configuration breaks a rule."""


class ImpossibleArchitectureError(ConfigError):
    """An infeasible architecture: the sequence becomes too short, or there are too many parameters."""


class MissingPathError(BrainageError, FileNotFoundError):
    """A given file or folder does not exist or cannot be read."""


class CohortError(BrainageError, ValueError):
    """A cohort's table or selection of participants cannot be used."""


class SplitError(BrainageError, ValueError):
    """A split cannot be drawn, or would put one participant into two parts."""


class StoreError(BrainageError, OSError):
    """The store cannot be written or read."""


class OutputError(BrainageError, OSError):
    """An output folder cannot be written."""


class ResumeError(BrainageError, ValueError):
    """A run cannot be resumed."""


class CheckpointError(ResumeError):
    """A checkpoint cannot be read, or belongs to another run."""


class BundleError(BrainageError, ValueError):
    """A bundle, or a checkpoint to be imported as one, cannot be used."""


class SweepError(BrainageError, ValueError):
    """A sweep cannot be started or continued."""


class EvaluationError(BrainageError, ValueError):
    """Predictions do not allow the requested analysis."""


class StudyError(BrainageError, RuntimeError):
    """A study cannot continue: its folder contains another one, or a step failed."""


class StudyStepError(StudyError):
    """A step of a study failed."""

    exit_code = 1


class DeviceError(BrainageError, RuntimeError):
    """The requested hardware or software is not available."""


class NamedParticipantError(ConfigError):
    """A config names participants; no copy of it may be kept."""


class DivergedError(BrainageError, ArithmeticError):
    """The loss or a predicted age is NaN or infinite."""

    exit_code = 1


class SeriesError(BrainageError, ValueError):
    """One participant's time series cannot be used; that participant is excluded.

    Parameters
    ----------
    kind : str
        What is wrong, without details: reasons are counted by it.
    detail : str, default=""
        What exactly was found, without ids.
    """

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail

    def __str__(self) -> str:
        """Return the kind and the detail, if any."""
        return f"{self.kind}: {self.detail}" if self.detail else self.kind


def nearest(value: str, choices: Iterable[str]) -> str:
    """Return a sentence that lists the choices, or of many the closest ones, and the closest match.

    Parameters
    ----------
    value : str
        What was received.
    choices : iterable of str
        What would have been accepted.

    Returns
    -------
    str
        For example ``Choose one of a, b. Did you mean b?``.
    """
    known = sorted(choices)
    matches = difflib.get_close_matches(value, known, n=5)
    hint = f" Did you mean `{matches[0]}`?" if matches else ""
    if len(known) > _MOST_LISTED:
        return f"There are {len(known)} choices; the closest: {', '.join(matches) or 'none is close'}.{hint}"
    return f"Choose one of {', '.join(known)}.{hint}"
