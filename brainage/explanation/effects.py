"""Effects on predictions by participant, component and time window, and comparisons with other networks. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from brainage.errors import ConfigError
from brainage.evaluation.associations import pearson

# From this mean rank correlation on, maps are called alike.
ALIKE = 0.5

# Series in one forward pass: copies of one participant's, or steps of an integration.
BATCH_SIZE = 64

Series = NDArray[np.float32]
_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Effects:
    """Effects on each participant's prediction by one method, in years; positive effects raise the predicted age.

    Parameters
    ----------
    components : array of shape (n_participants, n_components)
        Effect of a component's whole series.
    map : array of shape (n_participants, n_components, n_windows)
        Effect of a time window of one component.
    time : array of shape (n_participants, n_windows)
        Effect of a time window of all components.
    """

    components: _Array
    map: _Array
    time: _Array


@dataclass(frozen=True)
class Completeness:
    """Mean and highest absolute completeness error, and the mean absolute effect, in years."""

    mean: float
    highest: float
    effect: float

    @property
    def relative(self) -> float | None:
        """The mean error as a share of the mean effect; None where there is no effect."""
        return self.mean / self.effect if self.effect > 0 else None


@dataclass(frozen=True)
class Maps:
    """Predictions and effects by both methods.

    Parameters
    ----------
    predicted : array of shape (n_participants,)
        Predicted ages, in years.
    silent : array of shape (n_participants,) or (1,)
        Prediction for series that are their reference everywhere, in years: 0 is that of all participants.
    occlusion : Effects
        Prediction minus prediction without the component or window; these do not add up.
    gradients : Effects
        Integrated gradients; these add up to the prediction minus `silent`.
    """

    predicted: _Array
    silent: _Array
    occlusion: Effects
    gradients: Effects

    @property
    def methods(self) -> dict[str, Effects]:
        """Both methods by name."""
        return {"occlusion": self.occlusion, "gradients": self.gradients}

    @property
    def completeness_error(self) -> _Array:
        """Sum of each participant's gradients minus what it should be, in years."""
        return np.asarray(self.gradients.components.sum(axis=1) - (self.predicted - self.silent))

    @property
    def completeness(self) -> Completeness:
        """Summary of the completeness errors."""
        error, effect = abs(self.completeness_error), abs(self.predicted - self.silent)
        return Completeness(float(error.mean()), float(error.max()), float(effect.mean()))


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation with other networks: mean, lowest and highest; None where undefined."""

    mean: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Randomisation:
    """Rank correlations between maps of the trained network and of others, such as those with random weights [1]_.

    Parameters
    ----------
    n_draws : int
        Number of the other networks.
    occlusion, gradients : RankCorrelation
        Of the SDs of components' effects over participants.
    maps : RankCorrelation
        Of the signed component x time maps of gradients, mean over participants.
    maps_absolute : RankCorrelation
        Of the same maps without signs. It is positive for any network, because gradients are multiplied by the series.

    References
    ----------
    .. [1] Adebayo, Gilmer, Muelly, Goodfellow, Hardt and Kim (2018). Sanity checks for saliency maps.
       https://doi.org/10.48550/arXiv.1810.03292
    """

    n_draws: int
    occlusion: RankCorrelation
    gradients: RankCorrelation
    maps: RankCorrelation
    maps_absolute: RankCorrelation

    @property
    def alike(self) -> bool | None:
        """Whether any map is similar without training; None where no correlation is defined."""
        means = [known.mean for known in (self.occlusion, self.gradients, self.maps) if known.mean is not None]
        return max(means) >= ALIKE if means else None


def window_edges(n_times: int, n_windows: int) -> NDArray[np.intp]:
    """Divide `n_times` time points into windows of nearly equal length.

    Returns
    -------
    array of shape (n_windows + 1,)
        Window w contains the points from edge w up to, not including, edge w + 1.

    Raises
    ------
    ConfigError
        A window would be empty.
    """
    if not 1 <= n_windows <= n_times:
        raise ConfigError(
            f"`n_windows` must be from 1 to {n_times}, the number of time points, but got {n_windows}. Change it with "
            "n_windows=..."
        )
    return np.linspace(0, n_times, n_windows + 1).round().astype(np.intp)


def spread(effects: _Array) -> _Array:
    """Return the sample SD (n - 1) of effects over participants; NaN for one participant."""
    if len(effects) < 2:
        return np.full(effects.shape[1:], np.nan)
    return np.asarray(effects.std(axis=0, ddof=1))


def rank_correlation(one: _Array, two: _Array) -> float:
    """Return Spearman's rank correlation; NaN if one is constant or not finite, or has fewer than 3 values."""
    if one.size < 3 or not (np.isfinite(one).all() and np.isfinite(two).all()):
        return float("nan")
    return pearson(rankdata(one), rankdata(two))


def over_draws(values: Sequence[float]) -> RankCorrelation:
    """Summarise the rank correlations that are defined."""
    known = [value for value in values if value == value]
    return RankCorrelation(float(np.mean(known)), min(known), max(known)) if known else RankCorrelation(None)
