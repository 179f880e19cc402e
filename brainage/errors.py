"""Everything a user can do wrong, each with one message.

A message says what is wrong and where, the rule, the value received and what to do next. It names rows and counts,
never a participant's id.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BrainageError(Exception):
    """A mistake that the user can mend; the commands print its message and exit with `exit_code`."""

    exit_code = 2


class ConfigError(BrainageError, ValueError):
    """A value in the configuration breaks a rule."""


class ImpossibleArchitectureError(ConfigError):
    """A network that cannot exist: its sequence runs out, or it has too many parameters."""


class MissingPathError(BrainageError, FileNotFoundError):
    """A file or folder that was named does not exist or cannot be read."""


class CohortError(BrainageError, ValueError):
    """A cohort's table or its choice of participants cannot be used."""


class SplitError(BrainageError, ValueError):
    """A split that cannot be drawn, or that would put one person into two parts."""


class StoreError(BrainageError, OSError):
    """The store could not be made or read."""


class OutputError(BrainageError, OSError):
    """A folder that results belong in cannot be written."""


class ResumeError(BrainageError, ValueError):
    """A run that cannot be taken up again."""


class CheckpointError(ResumeError):
    """A checkpoint that cannot be read, or belongs to something else."""


class BundleError(BrainageError, ValueError):
    """A bundle, or a checkpoint that is to become one, that cannot be used."""


class SweepError(BrainageError, ValueError):
    """A sweep that cannot be begun or gone on with."""


class EvaluationError(BrainageError, ValueError):
    """Predictions from which what was asked for cannot be told."""


class StudyError(BrainageError, RuntimeError):
    """A study cannot go on: its folder holds another one, or a step failed."""


class StudyStepError(StudyError):
    """A step of a study failed."""

    exit_code = 1


class DeviceError(BrainageError, RuntimeError):
    """The hardware or software that the run asks for is not here."""


class NamedParticipantError(ConfigError):
    """A config names participants, and nothing of it may be kept."""


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
        What exactly was found, without anybody's id.
    """

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail

    def __str__(self) -> str:
        """Return the kind and, where there is one, the detail."""
        return f"{self.kind}: {self.detail}" if self.detail else self.kind


def nearest(value: str, choices: Iterable[str]) -> str:
    """Return a sentence that lists the choices and the nearest match, if one is near.

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
    matches = difflib.get_close_matches(value, known, n=1)
    hint = f" Did you mean `{matches[0]}`?" if matches else ""
    return f"Choose one of {', '.join(known)}.{hint}"
