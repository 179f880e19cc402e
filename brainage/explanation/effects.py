"""Effects on predictions: by participant, by component, by window of time. Arrays in years, no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainage.errors import ConfigError

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Effects:
    """What one method says of each participant's prediction, in years; above 0 makes the prediction older.

    Parameters
    ----------
    components : array of shape (n_participants, n_components)
        Of a component's whole series.
    map : array of shape (n_participants, n_components, n_windows)
        Of a window of one component.
    time : array of shape (n_participants, n_windows)
        Of a window of all components.
    """

    components: _Array
    map: _Array
    time: _Array


@dataclass(frozen=True)
class Maps:
    """What a network does with the series of some participants.

    Parameters
    ----------
    predicted : array of shape (n_participants,)
        Ages, in years.
    silent : float
        What it predicts of series that are 0 everywhere, in years.
    occlusion : Effects
        Prediction less that without the component or window; these do not add up.
    gradients : Effects
        Integrated gradients; these add up to the prediction less `silent`.
    """

    predicted: _Array
    silent: float
    occlusion: Effects
    gradients: Effects

    @property
    def methods(self) -> dict[str, Effects]:
        """Both methods by name."""
        return {"occlusion": self.occlusion, "gradients": self.gradients}

    @property
    def completeness_error(self) -> _Array:
        """What each participant's gradients sum up to, less what they should, in years."""
        return np.asarray(self.gradients.components.sum(axis=1) - (self.predicted - self.silent))


def window_edges(n_times: int, n_windows: int) -> NDArray[np.intp]:
    """Cut a series into windows of equal length, as far as that goes.

    Parameters
    ----------
    n_times : int
        Time points.
    n_windows : int
        How many windows.

    Returns
    -------
    array of shape (n_windows + 1,)
        Window w holds the points from edge w up to, not including, edge w + 1.

    Raises
    ------
    ConfigError
        A window would be empty.
    """
    if not 1 <= n_windows <= n_times:
        raise ConfigError(
            f"`n_windows` must be from 1 to {n_times}, the series' time points, but got {n_windows}. Change it with "
            "n_windows=..."
        )
    return np.linspace(0, n_times, n_windows + 1).round().astype(np.intp)


def spread(effects: _Array) -> _Array:
    """Return the SD over participants (the sample's, n - 1) of effects; NaN for one participant."""
    if len(effects) < 2:
        return np.full(effects.shape[1:], np.nan)
    return np.asarray(effects.std(axis=0, ddof=1))
