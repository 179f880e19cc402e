"""Occlusion: what a prediction loses when a component, or a stretch of time, is taken away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from brainage.explanation.effects import Effects
from brainage.explanation.series import TOGETHER, Series, for_network, predict
from brainage.system.console import track

if TYPE_CHECKING:
    from torch import nn

# Channels and time points that are replaced by zeros together.
Place = tuple[slice, slice]


def occlude(network: nn.Module, series: Series, edges: NDArray[np.intp]) -> Effects:
    """Replace parts of z-scored series by zeros, which is a component without signal, and predict again [1]_.

    Three kinds of parts, each on its own: a component's whole series; a window of one component, so that there is a
    map to hold against that of integrated gradients; and a window of all components together, which tells what a
    stretch of time is worth when no other component can stand in for it. Windows, and not single points: a network
    that pools over time hardly misses one point.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode, from series to ages in years, of shape (batch, 1).
    series : array of shape (n_participants, n_channels, n_times)
        z-scored.
    edges : array of shape (n_windows + 1,)
        See `brainage.explanation.effects.window_edges`.

    Returns
    -------
    Effects
        The prediction less that without the part, in years.

    References
    ----------
    .. [1] Zeiler and Fergus (2014). Visualizing and understanding convolutional networks.
       https://doi.org/10.1007/978-3-319-10590-1_53
    """
    n_channels, always = series.shape[1], slice(None)
    channels = [slice(channel, channel + 1) for channel in range(n_channels)]
    windows = [slice(int(begin), int(end)) for begin, end in zip(edges[:-1], edges[1:], strict=True)]
    places = [(channel, always) for channel in channels]
    places += [(always, window) for window in windows]
    places += [(channel, window) for channel in channels for window in windows]
    lost = occlude_places(network, series, places)
    whole, time, maps = np.split(lost, [n_channels, n_channels + len(windows)], axis=1)
    return Effects(whole, maps.reshape(len(series), n_channels, len(windows)), time)


def occlude_components(network: nn.Module, series: Series) -> NDArray[np.float64]:
    """Return what each component is worth, of shape (n_participants, n_channels); see `occlude`."""
    return occlude_places(network, series, [(slice(c, c + 1), slice(None)) for c in range(series.shape[1])])


def occlude_places(network: nn.Module, series: Series, places: Sequence[Place]) -> NDArray[np.float64]:
    """Replace each place by zeros; return the prediction less that without it, of shape (n_participants, n_places)."""
    given = for_network(network, series)
    lost = np.empty((len(given), len(places)))
    for row in track(range(len(given)), len(given), "Occlusion, participants"):
        without = []
        for begin in range(0, len(places), TOGETHER):
            some = places[begin : begin + TOGETHER]
            copies = given[row].repeat(len(some), 1, 1)
            for copy, (channels, times) in zip(copies, some, strict=True):
                copy[channels, times] = 0
            without.append(predict(network, copies))
        lost[row] = predict(network, given[row : row + 1]) - np.concatenate(without)
    return lost
