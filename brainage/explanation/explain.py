"""Explain a network's predictions by occlusion and integrated gradients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from brainage.errors import DivergedError, EvaluationError
from brainage.explanation.duration import duration, expected_seconds
from brainage.explanation.effects import BATCH_SIZE, Maps, Series, window_edges
from brainage.explanation.gradients import integrated_gradients
from brainage.explanation.occlusion import occlude
from brainage.explanation.randomisation import check_randomised
from brainage.explanation.summary import Explanation, caveats
from brainage.system.console import log
from brainage.training.predict import predict


def explain(
    network: nn.Module,
    series: Series,
    *,
    components: Sequence[int],
    t_r: float | None,
    n_windows: int = 10,
    n_steps: int,
    seed: int,
    reference: Series | None = None,
) -> Explanation:
    """Explain a network's predictions by occlusion and by integrated gradients, and check both.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode, from series to ages in years, of shape (batch, 1).
    series : array of shape (n_participants, n_channels, n_times)
        As the network sees them.
    components : sequence of int
        The channels' original numbers in the decomposition, from 1.
    t_r : float or None
        Repetition time, in seconds; None gives times in time points.
    n_windows : int, default=10
        Number of time windows.
    n_steps : int
        Steps of the integration.
    seed : int
        Seed of the bootstrap and of the random weights.
    reference : array of shape (n_participants, n_channels, 1), optional
        What series without an effect are, their mean over time; by default 0.

    Raises
    ------
    ConfigError
        A window would be empty.
    EvaluationError
        A prediction is not finite.
    """
    if len(components) != series.shape[1]:
        raise ValueError(f"`components` must name {series.shape[1]} channels, but got {len(components)} numbers.")
    edges = window_edges(series.shape[2], n_windows)
    given = torch.as_tensor(series)
    silent = torch.zeros_like(given[:1]) if reference is None else torch.as_tensor(reference).expand_as(given)
    try:
        found = predict(network, [*torch.split(silent, BATCH_SIZE), *torch.split(given, BATCH_SIZE)])
    except DivergedError as error:
        raise EvaluationError(f"{error} Or choose another run.") from error
    expected = duration(expected_seconds(network, series, edges, n_steps=n_steps))
    log.info("Explaining the predictions of %d participants takes about %s", len(series), expected)
    occlusion = occlude(network, series, edges, reference)
    gradients = integrated_gradients(network, series, edges, n_steps=n_steps, reference=reference)
    maps = Maps(found[len(silent) :], found[: len(silent)], occlusion, gradients)
    log.info("Comparing the maps with those of networks with random weights")
    randomisation = check_randomised(network, series, edges, maps, seed=seed, reference=reference)
    notes = caveats(maps, randomisation, n_steps)
    times, unit = edges.astype(np.float64) * (t_r or 1.0), "s" if t_r else "time points"
    return Explanation(maps, randomisation, components, times, n_steps, seed, notes=notes, unit=unit)
