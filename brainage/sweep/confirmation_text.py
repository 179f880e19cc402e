"""What is printed, and is on the page, of the confirmation of a sweep's best trials."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from brainage.reporting.page import Table
from brainage.sweep.confirm import N_SEEDS, Confirmed, best_confirmed, chance


def confirmation_table(confirmed: Sequence[Confirmed], *, shows_errors: bool) -> Table:
    """Return a row for each confirmed trial: its value in the search, the mean and SD over new seeds."""

    def shown(value: float) -> str:
        return "-" if not shows_errors else f"{value:.3f}" if math.isfinite(value) else "failed"

    rows = [
        [str(one.trial.number), shown(one.trial.values[0]), shown(one.mean), shown(float(np.std(one.values, ddof=1)))]
        for one in confirmed
    ]
    header = ("trial", "search", "mean", "SD")
    return Table(header, rows, title=f"Confirmation: mean and SD over {N_SEEDS} new seeds")


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
