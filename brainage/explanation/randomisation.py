"""Compare maps with those of other networks: with random weights, which must differ, and of other trainings."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, nn

from brainage.explanation.effects import Effects, Maps, Randomisation, Series, over_draws, rank_correlation, spread
from brainage.explanation.gradients import integrated_gradients
from brainage.explanation.occlusion import occlude_components

# Random networks, and the steps of their integrations: ranks need less precision than years.
N_DRAWS, RANDOM_STEPS = 5, 16


def randomised(network: nn.Module, generator: Generator) -> nn.Module:
    """Return a copy with each weight tensor drawn from a normal distribution of the tensor's own mean and SD.

    Running statistics of batch normalisation are kept.
    """
    drawn = copy.deepcopy(network)
    with torch.no_grad():
        for weights in drawn.parameters():
            noise = torch.randn(weights.shape, generator=generator, dtype=torch.float64)
            weights.copy_(weights.double().std(correction=0).cpu() * noise + weights.double().mean().cpu())
    return drawn


def check_randomised(
    network: nn.Module,
    series: Series,
    edges: NDArray[np.intp],
    trained: Maps,
    *,
    seed: int,
    n_draws: int = N_DRAWS,
    reference: Series | None = None,
) -> Randomisation:
    """Correlate the maps of a trained network, made from the same arguments, with those of random networks."""
    generator = torch.Generator().manual_seed(seed)
    drawn = (randomised(network, generator) for _ in range(n_draws))
    return compare_maps(drawn, series, edges, trained, reference=reference)


def compare_maps(
    networks: Iterable[nn.Module],
    series: Series,
    edges: NDArray[np.intp],
    trained: Maps,
    *,
    reference: Series | None = None,
) -> Randomisation:
    """Correlate the maps of a trained network, made from the same arguments, with those of other networks."""
    draws = []
    for other in networks:
        gradients = integrated_gradients(other, series, edges, n_steps=RANDOM_STEPS, reference=reference)
        draws.append(_correlations(trained, occlude_components(other, series, reference), gradients))
    return Randomisation(len(draws), *(over_draws(values) for values in zip(*draws, strict=True)))


def _correlations(trained: Maps, occlusion: NDArray[np.float64], gradients: Effects) -> tuple[float, ...]:
    """Return the rank correlations with one random network, in the order of `Randomisation`."""
    pairs = list(zip(trained.gradients.map, gradients.map, strict=True))
    return (
        rank_correlation(spread(trained.occlusion.components), spread(occlusion)),
        rank_correlation(spread(trained.gradients.components), spread(gradients.components)),
        _mean([rank_correlation(one, two) for one, two in pairs]),
        _mean([rank_correlation(abs(one), abs(two)) for one, two in pairs]),
    )


def _mean(values: list[float]) -> float:
    mean = over_draws(values).mean
    return float("nan") if mean is None else mean
