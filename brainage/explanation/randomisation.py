"""A check of the maps: those of a network that learned nothing must be others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from brainage.explanation.effects import Maps, spread
from brainage.explanation.series import Series
from brainage.explanation.similarity import Randomisation, likeness_of, mean_of_known, rank_correlation

if TYPE_CHECKING:
    from torch import Generator, nn

# Networks that are drawn, and the steps of their integrations: ranks need fewer than years do.
_N_DRAWS, _N_STEPS = 5, 16


def redrawn(network: nn.Module, generator: Generator) -> nn.Module:
    """Return a copy whose weights are random: each tensor is drawn from a normal distribution of its own mean and SD.

    So the copy's weights are as large as the trained ones, in whatever layers they are. Running statistics of batch
    normalisation stay as they are.
    """
    import copy

    import torch

    drawn = copy.deepcopy(network)
    with torch.no_grad():
        for weights in drawn.parameters():
            noise = torch.randn(weights.shape, generator=generator, dtype=torch.float64)
            weights.copy_(weights.double().std(correction=0).cpu() * noise + weights.double().mean().cpu())
    return drawn


def check_randomised(
    network: nn.Module, series: Series, edges: NDArray[np.intp], trained: Maps, *, seed: int, n_draws: int = _N_DRAWS
) -> Randomisation:
    """Hold the maps of a trained network against those of networks of random weights.

    Parameters
    ----------
    network : nn.Module
        The trained one.
    series : array of shape (n_participants, n_channels, n_times)
        As the maps were made of.
    edges : array of shape (n_windows + 1,)
        As the maps were made with.
    trained : Maps
        Its maps.
    seed : int
        Governs the weights.
    n_draws : int, default=5
        Networks of random weights.
    """
    import torch

    from brainage.explanation.gradients import integrated_gradients
    from brainage.explanation.occlusion import occlude_components

    generator = torch.Generator().manual_seed(seed)
    found: dict[str, list[float]] = {name: [] for name in ("occlusion", "gradients", "maps", "maps_absolute")}
    for _ in range(n_draws):
        other = redrawn(network, generator)
        occlusion = occlude_components(other, series)
        gradients = integrated_gradients(other, series, edges, n_steps=_N_STEPS)
        found["occlusion"].append(rank_correlation(spread(trained.occlusion.components), spread(occlusion)))
        found["gradients"].append(rank_correlation(spread(trained.gradients.components), spread(gradients.components)))
        pairs = list(zip(trained.gradients.map, gradients.map, strict=True))
        found["maps"].append(mean_of_known([rank_correlation(one, two) for one, two in pairs]))
        found["maps_absolute"].append(mean_of_known([rank_correlation(abs(one), abs(two)) for one, two in pairs]))
    return Randomisation(n_draws, **{name: likeness_of(values) for name, values in found.items()})
