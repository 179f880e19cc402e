"""Repeated k-fold: the error over all folds of all draws, with an interval for overlapping training sets."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from brainage.evaluation.folds import FoldResults
from brainage.evaluation.resampled import ResampledTest, corrected_resampled_t_test

# The override that tells the draws of one model apart, in the name of its folds.
_REPEAT = re.compile(r"\s*\bsplit\.repeat=(\d+)")


@dataclass(frozen=True)
class Repeats:
    """The draws of the folds of one model.

    Parameters
    ----------
    name : str
        Overrides that distinguish it from others of the same multirun.
    draws : dict of str to FoldResults
        By number of the draw.
    """

    name: str
    draws: dict[str, FoldResults]

    @property
    def pooled(self) -> list[float]:
        """The MAE of each draw, in years, over all participants, each tested once; nothing unless all are known."""
        known = [found.accuracy.estimates["mae"].value for found in self.draws.values() if found.accuracy]
        values = [value for value in known if value is not None]
        return values if len(values) == len(self.draws) else []

    @property
    def mae(self) -> ResampledTest | None:
        """The mean MAE over all folds of all draws, in years; None where one is not shown."""
        folds = [fold.metrics.get("mae") for found in self.draws.values() for fold in found.folds]
        known = [value for value in folds if value is not None]
        n_folds = {len(found.folds) for found in self.draws.values()}
        if len(known) < len(folds) or not self.pooled or len(n_folds) > 1:
            return None
        return corrected_resampled_t_test(known, n_train=n_folds.pop() - 1, n_test=1)

    @property
    def sentence(self) -> str:
        """The mean and its interval in words."""
        if (found := self.mae) is None:
            return f"{len(self.draws)} draws of folds, of which not all are finished, or shown."
        n_folds = (found.df + 1) // len(self.draws)
        between = "" if found.mean.low is None else f" (95 % interval {found.mean.low:.2f} to {found.mean.high:.2f})"
        return (
            f"{len(self.draws)} draws of {n_folds} folds: MAE {found.mean.value:.2f} years{between}; "
            f"of whole draws, {statistics.fmean(self.pooled):.2f} ± {statistics.stdev(self.pooled):.2f} years "
            "(mean ± SD)."
        )


def repeats_of(results: Sequence[FoldResults]) -> list[Repeats]:
    """Group the folds of a multirun by what differs besides their draw; nothing where they were drawn once."""
    grouped: dict[str, dict[str, FoldResults]] = {}
    for found in results:
        if draw := _REPEAT.search(found.name):
            grouped.setdefault(_REPEAT.sub("", found.name).strip(), {})[draw[1]] = found
    return [Repeats(name, draws) for name, draws in grouped.items() if len(draws) > 1]
