"""How alike maps are: rank correlations of a trained network's with those of networks of random weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from brainage.evaluation.associations import pearson

# From this mean rank correlation on, maps are called alike.
ALIKE = 0.5

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Likeness:
    """Spearman's rank correlation of a trained network's maps with those of networks of random weights.

    Parameters
    ----------
    mean : float or None
        Over the draws; None where it is defined in none.
    low, high : float or None
        The lowest and highest draw.
    """

    mean: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Randomisation:
    """Whether maps depend on what was learned [1]_.

    Parameters
    ----------
    n_draws : int
        Networks of random weights.
    occlusion, gradients : Likeness
        Of the components' spreads over participants.
    maps : Likeness
        Of the signed component x time maps of gradients, in the mean participant.
    maps_absolute : Likeness
        Of the same without their signs. It is above 0 for any network: gradients are multiplied by the series, whose
        size is the same whatever the weights are.

    References
    ----------
    .. [1] Adebayo, Gilmer, Muelly, Goodfellow, Hardt and Kim (2018). Sanity checks for saliency maps.
       https://doi.org/10.48550/arXiv.1810.03292
    """

    n_draws: int
    occlusion: Likeness
    gradients: Likeness
    maps: Likeness
    maps_absolute: Likeness

    @property
    def alike(self) -> bool | None:
        """Whether any map would look much the same without training; None where no correlation is defined."""
        means = [known.mean for known in (self.occlusion, self.gradients, self.maps) if known.mean is not None]
        return max(means) >= ALIKE if means else None


def rank_correlation(one: _Array, two: _Array) -> float:
    """Return Spearman's rank correlation; NaN where one does not vary, or there are too few numbers."""
    if one.size < 3 or not (np.isfinite(one).all() and np.isfinite(two).all()):
        return float("nan")
    return pearson(rankdata(one), rankdata(two))


def mean_of_known(values: Sequence[float]) -> float:
    """Return the mean of what is defined; NaN where nothing is."""
    known = [value for value in values if value == value]
    return float(np.mean(known)) if known else float("nan")


def likeness_of(draws: Sequence[float]) -> Likeness:
    """Summarise the rank correlations of the draws."""
    known = [value for value in draws if value == value]
    return Likeness(float(np.mean(known)), min(known), max(known)) if known else Likeness(None)
