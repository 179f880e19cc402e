"""A trial that is several trainings: over folds, or over seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import optuna
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, RangeSweep
from hydra.errors import HydraException
from numpy.typing import NDArray
from optuna.pruners import WilcoxonPruner
from optuna.trial import TrialState, create_trial

from brainage.errors import SweepError
from brainage.sweep.recovery import experimental
from brainage.training import pruning

_KEYS = ("seed", "split.fold", "split.repeat", "split.seed", "split.site")

# A trial that would be so much worse by chance with a smaller probability is pruned; Optuna's default.
_P = 0.1

Summary = Mapping[str, Any]


def listed(word: str, keys: Iterable[str]) -> list[str]:
    """Return an override with several values of one of the keys as one override for each; nothing for any other."""
    try:
        override = OverridesParser.create().parse_override(word)
    except HydraException:
        return []
    key = override.get_key_element()
    if key not in keys or not isinstance(override.value(), ChoiceSweep | RangeSweep):
        return []
    return [f"{key}={value}" for value in override.sweep_string_iterator()]


def over_words(over: str | None) -> tuple[str, ...]:
    """Return ``hydra.sweeper.over`` as one override for each training of a trial; none without it."""
    words = tuple(listed(over, _KEYS)) if over is not None else ()
    if over is not None and len(set(words)) < max(2, len(words)):
        raise SweepError(
            f"`hydra.sweeper.over` must be two or more different values of {', '.join(_KEYS)}, but got {over!r}. For "
            'example: hydra.sweeper.over="split.fold=0,1,2".'
        )
    return words


def folder_name(word: str) -> str:
    """Return a name for the folder of an override, such as ``fold-0``."""
    key, _, value = word.partition("=")
    name = f"{key.rpartition('.')[2]}-{value}"
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)


class Over:
    """Trains a point once for each of several overrides, until it is worse than the best trial of this process.

    The best of this process, because squared errors of single participants are in memory only.
    """

    def __init__(self, words: Sequence[str], *, maximize: bool) -> None:
        self.words, self._sign = words, -1 if maximize else 1
        self._best = math.inf
        self._best_errors: list[list[float]] = []

    def train(self, run: Callable[..., Summary], *, prunes: bool) -> Summary:
        """Return the mean summary of `run` for each override, or that of `run` without any.

        The first training reports its epochs to the pruner.
        """
        if not self.words:
            return run()
        summaries: list[Summary] = []
        with pruning.validation_errors() as errors:
            for word in self.words:
                with pruning.trial(None) if summaries and pruning.is_trial() else nullcontext():
                    summaries.append(run(word))
                if summaries[-1]["status"] != "finished":
                    return summaries[-1]
                is_last = len(summaries) == len(self.words)
                if prunes and not is_last and self._best_errors and self._is_worse(errors):
                    return {**mean_summary(summaries, self.words), "status": "pruned"}
        summary = mean_summary(summaries, self.words)
        value = self._sign * summary["objective"]["value"]
        if value < self._best:
            self._best, self._best_errors = value, errors
        return summary

    def _is_worse(self, errors: Sequence[Sequence[float]]) -> bool:
        own, best = (self._by_participant(each) for each in (errors, self._best_errors[: len(errors)]))
        return own.shape == best.shape and is_worse(own, best)

    def _by_participant(self, errors: Sequence[Sequence[float]]) -> NDArray[np.float64]:
        """Return one error a participant: means over seeds, those of all folds."""
        return np.concatenate(errors) if self.words[0].startswith("split.") else np.mean(errors, axis=0)


def is_worse(own: NDArray[np.float64], best: NDArray[np.float64]) -> bool:
    """Return whether errors are larger than the best trial's, by Wilcoxon's signed-rank test of the pairs."""
    study = optuna.create_study()
    study.add_trial(create_trial(value=float(best.mean()), intermediate_values=dict(enumerate(best.tolist()))))
    trial = create_trial(state=TrialState.RUNNING, intermediate_values=dict(enumerate(own.tolist())))
    with experimental():
        return WilcoxonPruner(p_threshold=_P).prune(study, trial)


def mean_summary(summaries: Sequence[Summary], words: Sequence[str]) -> dict[str, Any]:
    """Return the summary of several trainings: the mean of the objective, the sum of epochs and of times."""
    objectives = [summary["objective"] for summary in summaries]
    errors = [one["standard_error"] for one in objectives if one.get("standard_error") is not None]
    # Folds have their own participants, seeds the same.
    error = math.hypot(*errors) / len(errors) if words[0].startswith("split.") and errors else None
    error = float(np.mean(errors)) if error is None and errors else error
    return {
        **summaries[0],
        "objective": {
            **objectives[0],
            "value": float(np.mean([one["value"] for one in objectives])),
            "standard_error": error,
        },
        "epochs": sum(summary["epochs"] for summary in summaries),
        "best_epoch": None,
        "seconds": {"fit": sum(summary["seconds"]["fit"] for summary in summaries)},
        "n": {"val": min(summary["n"]["val"] for summary in summaries)},
    }
