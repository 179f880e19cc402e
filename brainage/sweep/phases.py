"""What a sweep's time was spent on, and what more time is expected to bring."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from brainage.sweep.confirm import Confirmed
from brainage.sweep.known import n_starting_points
from brainage.sweep.recovery import is_retry
from brainage.sweep.settings import SweepSettings

# Complete trials from which an improvement is extrapolated.
FEWEST = 10


@dataclass(frozen=True)
class Phase:
    """A phase of a sweep: its trials, and the seconds that they took."""

    name: str
    trials: Sequence[FrozenTrial]
    seconds: float


def phases(study: Study, settings: SweepSettings, confirmed: Sequence[Confirmed]) -> list[Phase]:
    """Return the phases of a sweep that have trials: known networks, random ones, proposals, confirmation."""
    trials = study.get_trials(deepcopy=False)
    n_known, sampler = n_starting_points(study), str(settings.sampler.get("_target_", "sampler")).rpartition(".")[2]
    n_first = max(n_known, int(settings.sampler.get("n_startup_trials", 0)))
    names = ("known networks", "random networks", f"proposals of {sampler}")
    groups: dict[str, list[FrozenTrial]] = {name: [] for name in names}
    places = dict(zip((trial.number for trial in trials if not is_retry(trial)), range(len(trials)), strict=False))
    for trial in trials:
        place = places.get(trial.system_attrs.get("failed_trial", trial.number), n_first)
        groups[names[0 if place < n_known else 1 if place < n_first else 2]].append(trial)
    found = [Phase(name, each, sum(t.user_attrs.get("seconds") or 0.0 for t in each)) for name, each in groups.items()]
    again = sum(one.seconds for one in confirmed)
    return [phase for phase in (*found, Phase("confirmation", [], again)) if phase.seconds or phase.trials]


def pruning_text(trials: Sequence[FrozenTrial]) -> str:
    """Return how many trials the pruner ended, after how many epochs, and about how much time that saved."""
    pruned = [t for t in trials if t.state == TrialState.PRUNED and t.user_attrs.get("epochs")]
    complete = [t.user_attrs["epochs"] for t in trials if t.state == TrialState.COMPLETE and t.user_attrs.get("epochs")]
    if not pruned or not complete:
        return "The pruner ended no trial."
    usual = statistics.median(complete)
    saved = sum(t.user_attrs["seconds"] * max(usual / t.user_attrs["epochs"] - 1, 0) for t in pruned)
    after = statistics.median(t.user_attrs["epochs"] for t in pruned)
    return (
        f"The pruner ended {len(pruned)} of {len(pruned) + len(complete)} trials, after {after:g} epochs (median), and "
        f"kept {len(complete)}; to train the others to {usual:g} epochs would have taken about {saved:.0f} s more."
    )


def expected_improvement(values: Sequence[float], n_more: float) -> float:
    """Return by how much so many further trials, like the ones so far, are expected to lower the lowest value.

    Each doubling of trials is expected to bring what the last one brought: the lowest of all, against the mean lowest
    of a random half.
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    n, half = len(ordered), len(ordered) // 2
    ranks = np.arange(n - half)
    # Of random halves, the share whose lowest value has this rank.
    share = half / n * np.cumprod([1.0, *((n - half - ranks) / (n - 1 - ranks))[:-1]])
    doubling = float(share @ ordered[: n - half] + max(1 - share.sum(), 0.0) * ordered[n - half] - ordered[0])
    return doubling * math.log2(1 + n_more / n)


def outlook(study: Study, *, maximize: bool, squared: bool) -> str | None:
    """Return what another hour is expected to bring; None where that is not known. `squared`: the value is an MSE."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    values = [
        -trial.values[0] if maximize else trial.values[0] for trial in trials if trial.state == TrialState.COMPLETE
    ]
    seconds = sum(trial.user_attrs.get("seconds") or 0.0 for trial in trials)
    if len(values) < FEWEST or not seconds:
        return None
    more = expected_improvement(values, 3600 / seconds * len(values))
    best = min(values)
    years = f" ({math.sqrt(best) - math.sqrt(max(best - more, 0.0)):.2f} years of RMSE)" if squared else ""
    return (
        f"Another hour, with trials like these {len(values)} that were complete, is expected to improve the best value "
        f"by {more:.3g}{years}; the last doubling of trials brought {expected_improvement(values, len(values)):.3g}."
    )
