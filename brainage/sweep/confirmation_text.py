"""What is printed, and is on the page, of the confirmation of a sweep's best trials."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from optuna.trial import FrozenTrial

from brainage.sweep.confirm import N_SEEDS, Confirmed, best_confirmed, chance


def confirmed_cells(trials: Sequence[FrozenTrial], confirmed: Sequence[Confirmed]) -> list[str]:
    """Return for each trial its mean and SD over new seeds, empty for a trial that was not trained again."""
    by_number = {one.trial.number: one for one in confirmed}
    return [_cell(by_number[trial.number]) if trial.number in by_number else "" for trial in trials]


def _cell(one: Confirmed) -> str:
    if not math.isfinite(one.mean):
        return "failed"
    return f"{one.mean:.3f}\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{statistics.stdev(one.values):.3f}"


def confirmation_sentences(
    values: Sequence[float], confirmed: Sequence[Confirmed], *, maximize: bool, shows_errors: bool
) -> list[str]:
    """Return which trial is best after its confirmation, and how much of the lead in the search is chance."""
    first, found = best_confirmed(confirmed, maximize=maximize), chance(values, confirmed, maximize=maximize)
    if first is None:
        return []
    texts = [f"Trial {first.trial.number} is best by its mean over {N_SEEDS} new seeds."]
    if found is not None and shows_errors:
        share = 1 - found.lasting / found.lead if found.lead > 0 else 1.0
        texts.append(
            f"Seeds differ by {found.seed_sd:.3f} (SD): the best of {len(values)} values of the search is expected to "
            f"be {found.optimism:.3f} too good, and of its lead of {found.lead:.3f}, {share:.0%} to vanish."
        )
    return texts
