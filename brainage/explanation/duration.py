"""How long an explanation will take, from the time of its first batches."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from brainage.explanation.effects import BATCH_SIZE, Series
from brainage.explanation.gradients import integrated_gradients
from brainage.explanation.randomisation import N_DRAWS, RANDOM_STEPS
from brainage.training.predict import predict


def expected_seconds(network: nn.Module, series: Series, edges: NDArray[np.intp], *, n_steps: int) -> float:
    """Return the expected seconds of occlusion, gradients and their checks with random weights.

    A batch of predictions and a batch of gradients are measured, and multiplied by how many of them are needed.
    """
    n, n_channels = series.shape[:2]
    n_windows = len(edges) - 1
    occluded = n_channels + n_windows + n_channels * n_windows + N_DRAWS * n_channels
    batch = torch.as_tensor(series[:1]).repeat(BATCH_SIZE, 1, 1)
    predicting = _seconds(lambda: predict(network, [batch]))
    attributing = _seconds(lambda: integrated_gradients(network, series[:1], edges, n_steps=BATCH_SIZE))
    each = occluded * predicting + (n_steps + N_DRAWS * RANDOM_STEPS) * attributing
    return float(n * each / BATCH_SIZE)


def _seconds(work: Callable[[], object]) -> float:
    """Return the time of the second call: the first one also prepares."""
    work()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def duration(seconds: float) -> str:
    """Return a duration in words, such as ``40 s``, ``3 min`` and ``2.5 h``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
