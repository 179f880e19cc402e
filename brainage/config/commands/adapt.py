"""Schema of ``adapt``."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated

from omegaconf import MISSING

from brainage.config.commands.shared import NewParticipantsConfig
from brainage.config.rules import Bounds, Checked, PathText, checked, choice, expanded, require


def _some(value: float | str) -> float | str:
    """Check that a value is a fraction or a file."""
    number = math.nan if isinstance(value, str) else value
    rule, step = (
        "a file of ids, or a fraction between 0 and 1",
        "Use adapt.participants=FILE or adapt.participants=0.5.",
    )
    holds = 0 < number < 1 or (isinstance(value, str) and bool(value))
    require(holds, "adapt.participants", rule, value, step)
    return expanded(value) if isinstance(value, str) else value


@checked("adapt")
@dataclass
class AdaptConfig:
    """What is fitted to a new site, and to which of its participants.

    Parameters
    ----------
    participants : float or str
        The controls: a file with one id a line, or the fraction of the participants of known age that is drawn.
    method : {"offset", "line", "last_layer"}
        ``offset`` adds a number of years to all predictions, ``line`` a straight line, and ``last_layer`` also
        changes the last layer's weights, drawn toward the old ones by a ridge.
    """

    participants: Annotated[int | float | str, Checked(_some)] = MISSING
    method: Annotated[str, choice("offset", "line", "last_layer")] = "offset"


@checked()
@dataclass
class AdaptCommandConfig(NewParticipantsConfig):
    """``adapt``.

    Parameters
    ----------
    bundle : str
        The bundle of a network or ridge.
    cohort : CohortConfig
        The participants of the new site: those whom it is adapted with, and those who are predicted.
    adapt : AdaptConfig
        The participants that the bundle is adapted with, and the method.
    gap_correction : {"in_sample", "none"} or None
        Of the others; None corrects as the parent does, for what was changed.
    seed : int
        Governs which participants are drawn, the folds of the cross-validation, and the bootstrap resamples.
    """

    bundle: PathText = MISSING
    adapt: AdaptConfig = field(default_factory=AdaptConfig)
    gap_correction: Annotated[
        str | None, Bounds(description="Leave it out to correct as the parent does."), choice("in_sample", "none")
    ] = None
