"""Occlusion: the change of a prediction when a component or a time window is set to its mean, zero of z-scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from brainage.explanation.effects import BATCH_SIZE, Effects, Series
from brainage.system.console import track
from brainage.training.predict import predict

# Channels and time points that are occluded together.
Patch = tuple[slice, slice]

_ALL = slice(None)


def occlude(network: nn.Module, series: Series, edges: NDArray[np.intp], reference: Series | None = None) -> Effects:
    """Return prediction minus prediction with parts of the series set to their `reference`, in years [1]_.

    Each of these parts is occluded on its own: a component's whole series; a time window of one component, for a map
    that is comparable with integrated gradients; a time window of all components together. Single time points are not
    occluded, because a network that pools over time hardly depends on one point.

    References
    ----------
    .. [1] Zeiler and Fergus (2014). Visualizing and understanding convolutional networks.
       https://doi.org/10.1007/978-3-319-10590-1_53
    """
    channels = _channels(series)
    windows = [slice(int(start), int(stop)) for start, stop in zip(edges[:-1], edges[1:], strict=True)]
    patches = [(channel, _ALL) for channel in channels]
    patches += [(_ALL, window) for window in windows]
    patches += [(channel, window) for channel in channels for window in windows]
    lost = _occlude(network, series, patches, reference)
    whole, time, maps = np.split(lost, [len(channels), len(channels) + len(windows)], axis=1)
    return Effects(whole, maps.reshape(len(series), len(channels), len(windows)), time)


def occlude_components(network: nn.Module, series: Series, reference: Series | None = None) -> NDArray[np.float64]:
    """Return the effects of whole components, of shape (n_participants, n_channels); see `occlude`."""
    return _occlude(network, series, [(channel, _ALL) for channel in _channels(series)], reference)


def _channels(series: Series) -> list[slice]:
    return [slice(channel, channel + 1) for channel in range(series.shape[1])]


def _occlude(
    network: nn.Module, series: Series, patches: Sequence[Patch], reference: Series | None
) -> NDArray[np.float64]:
    """Return prediction minus prediction without each patch, of shape (n_participants, n_patches)."""
    given = torch.as_tensor(series)
    filling = torch.as_tensor(np.zeros_like(series[..., :1]) if reference is None else reference)
    lost = np.empty((len(given), len(patches)))
    for row in track(range(len(given)), len(given), "Occlusion, participants"):
        lost[row] = predict(network, [given[row : row + 1]]) - predict(
            network, _occluded(given[row], patches, filling[row])
        )
    return lost


def _occluded(series: Tensor, patches: Sequence[Patch], filling: Tensor) -> Iterator[Tensor]:
    """Yield batches of copies of one participant's series, one copy a patch."""
    for start in range(0, len(patches), BATCH_SIZE):
        batch = patches[start : start + BATCH_SIZE]
        copies = series.repeat(len(batch), 1, 1)
        for copy, (channels, times) in zip(copies, batch, strict=True):
            copy[channels, times] = filling[channels]
        yield copies
