"""From a network and series to everything that is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from brainage.errors import EvaluationError
from brainage.explanation.effects import Maps, window_edges
from brainage.explanation.series import Series
from brainage.explanation.summary import Explanation, found_in
from brainage.system.console import log

if TYPE_CHECKING:
    from torch import nn

N_WINDOWS = 10


def explain(
    network: nn.Module,
    series: Series,
    *,
    components: Sequence[int],
    t_r: float,
    n_windows: int = N_WINDOWS,
    n_steps: int,
    n_resamples: int,
    seed: int,
) -> Explanation:
    """Explain a network's predictions by occlusion and by integrated gradients, and check both.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode, from series to ages in years, of shape (batch, 1).
    series : array of shape (n_participants, n_channels, n_times)
        z-scored.
    components : sequence of int
        The channels' original numbers in the decomposition, from 1.
    t_r : float
        Repetition time, in seconds.
    n_windows : int, default=10
        Windows of time.
    n_steps : int
        Steps of the integration.
    n_resamples : int
        Of the bootstrap over participants.
    seed : int
        Governs the bootstrap and the random weights of the check.

    Raises
    ------
    ConfigError
        A window would be empty.
    EvaluationError
        A prediction is not finite.
    """
    from brainage.explanation.gradients import integrated_gradients
    from brainage.explanation.occlusion import occlude
    from brainage.explanation.randomisation import check_randomised
    from brainage.explanation.series import for_network, predict

    if len(components) != series.shape[1]:
        raise ValueError(f"`components` must name {series.shape[1]} channels, but got {len(components)} numbers.")
    edges = window_edges(series.shape[2], n_windows)
    silent = predict(network, for_network(network, 0 * series[:1]))
    predicted = predict(network, for_network(network, series))
    if not np.isfinite([*silent, *predicted]).all():
        raise EvaluationError(
            f"A network must predict finite ages, but does not for {int((~np.isfinite(predicted)).sum())} of "
            f"{len(predicted)} participants. Its weights are those of a training that diverged; choose another run."
        )
    maps = Maps(
        predicted,
        float(silent[0]),
        occlude(network, series, edges),
        integrated_gradients(network, series, edges, n_steps=n_steps),
    )
    log.info("Checking the maps against those of networks of random weights")
    return found_in(
        maps,
        check_randomised(network, series, edges, maps, seed=seed),
        components=components,
        seconds=edges.astype(np.float64) * t_r,
        n_steps=n_steps,
        n_resamples=n_resamples,
        seed=seed,
    )
