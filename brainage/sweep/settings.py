"""The values of ``hydra.sweeper``, checked."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from brainage.errors import SweepError

_DIRECTIONS = ("minimize", "maximize")
_OBJECTIVES = ("objective", "parameters")

# Metrics that are maximised.
_SCORES = ("val/r2", "val/pearson_r")


_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def seconds_of(timeout: str | float | None) -> float | None:
    """Return a duration, such as ``1h30m``, in seconds; None is no limit."""
    if timeout is None:
        return None
    seconds = 0.0
    if isinstance(timeout, str) and (found := _DURATION.fullmatch(timeout.strip())):
        seconds = sum(int(n or 0) * unit for n, unit in zip(found.groups(), (86400, 3600, 60, 1), strict=True))
    elif isinstance(timeout, int | float) and not isinstance(timeout, bool):
        seconds = float(timeout)
    if not 0 < seconds < math.inf:
        raise SweepError(
            f"`hydra.sweeper.timeout` must be a duration such as 2h, 1h30m, 90m or a number of seconds above 0, but "
            f"got {timeout!r}."
        )
    return seconds


@dataclass(frozen=True)
class SweepSettings:
    """The keys of ``hydra.sweeper``.

    Parameters
    ----------
    n_trials : int
        Complete and pruned trials of the study, 1 or more, counted across processes and restarts.
    timeout : str, float or None
        Time that each command has, such as ``2h``, ``1h30m`` or seconds: no trial begins that is not expected to end
        within it. None is no limit; `n_trials` holds too.
    direction : {"minimize", "maximize"}, or list of str
        That of the objective; one for each of several.
    study_name : str
        Name of the Optuna study and of its folder: letters, digits, ``.``, ``_``, ``+``, ``=`` and ``-``.
    storage : str or None
        The database, ``postgresql://USER:PASSWORD@HOST/DATABASE``; None is ``study.db`` in the sweep's folder.
    sampler : dict
        Proposes parameters: a class by ``_target_``, and its arguments.
    pruner : dict or None
        Ends unpromising trials early: a class by ``_target_``, and its arguments.
    params : dict
        The search space: ``choice()``, ``range()`` or ``interval()`` by key.
    objectives : list of str
        What is optimised: ``objective``, the run's own, ``parameters``, the number of them in the encoder, or both.
    over : str or None
        Trainings of which a trial's objective is the mean, such as ``split.fold=0,1,2``, or ``seed=1,2,3``.
    start_from : str, list of str, or None
        Networks that the study begins with: ``defaults``, ``published``, or the best three of an earlier study; several
        with commas.
    confirm : int
        The best trials of the study, so many, that are trained again with three new seeds each; the one with the best
        mean is called best. 0 is none.
    n_workers : int
        Processes, 1 or more, which share torch's threads.
    max_consecutive_failures : int
        Failed trials in a row, 1 or more, that end the sweep.
    """

    n_trials: int
    direction: Any
    study_name: str
    storage: str | None
    sampler: Mapping[str, Any]
    pruner: Mapping[str, Any] | None
    params: Mapping[str, str] = field(default_factory=dict)
    objectives: tuple[str, ...] = ("objective",)
    timeout: str | float | None = None
    over: str | None = None
    start_from: Any = None
    confirm: int = 0
    n_workers: int = 1
    max_consecutive_failures: int = 5

    def __post_init__(self) -> None:
        """Check the values."""
        for name, least in (("n_trials", 1), ("n_workers", 1), ("max_consecutive_failures", 1), ("confirm", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise SweepError(f"`hydra.sweeper.{name}` must be a whole number from {least}, but got {value!r}.")
        if not isinstance(self.study_name, str) or not re.fullmatch(r"[\w][\w.+=-]*", self.study_name):
            raise SweepError(
                f"`hydra.sweeper.study_name` must be made of letters, digits, `.`, `_`, `+`, `=` and `-`, since "
                f"a folder has this name, but got {self.study_name!r}."
            )
        self._check_objectives()
        seconds_of(self.timeout)
        if self.confirm and len(self.objectives) > 1:
            raise SweepError(
                f"`hydra.sweeper.confirm` is for one objective, but got {self.confirm} with {len(self.objectives)}: a "
                "front has no best trial. Set hydra.sweeper.confirm=0."
            )

    def _check_objectives(self) -> None:
        n_known = sum(name in self.objectives for name in _OBJECTIVES)
        if n_known == 0 or n_known < len(self.objectives):
            raise SweepError(
                f"`hydra.sweeper.objectives` must be of {', '.join(_OBJECTIVES)}, each once, but got "
                f"{', '.join(map(repr, self.objectives)) or 'none'}."
            )
        for direction in self.directions:
            if direction not in _DIRECTIONS:
                raise SweepError(f"`hydra.sweeper.direction` must be minimize or maximize, but got {direction!r}.")
        if len(self.directions) != len(self.objectives):
            raise SweepError(
                f"`hydra.sweeper.direction` must name one direction an objective ({', '.join(self.objectives)}), but "
                f"got {len(self.directions)}."
            )

    @property
    def directions(self) -> list[str]:
        """The direction of each objective."""
        return list(self.direction) if isinstance(self.direction, list | tuple) else [self.direction]

    def refuse_wrong_direction(self, objective: str) -> None:
        """Check that each direction matches its objective; `objective` is the run's own, such as ``val/mse``."""
        best = "maximize" if objective in _SCORES else "minimize"
        all_wanted = [best if name == "objective" else "minimize" for name in self.objectives]
        for name, direction, wanted in zip(self.objectives, self.directions, all_wanted, strict=True):
            if direction != wanted:
                what = f"`objective={objective}`" if name == "objective" else "the number of parameters"
                correct = wanted if len(all_wanted) == 1 else f"[{','.join(all_wanted)}]"
                raise SweepError(
                    f"`hydra.sweeper.direction` must be {wanted} for {what}, but got {direction}, which would search "
                    f"for the worst. Set hydra.sweeper.direction={correct}."
                )
