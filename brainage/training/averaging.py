"""Averaged weights, by Lightning's callback."""

from __future__ import annotations

import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor


def averaging(decay: float) -> WeightAveraging:
    """Return the callback that averages weights and buffers after every step [1]_.

    Validation, ``best.ckpt`` and predictions use the average. A step keeps `decay` of it, in [0, 1); less in the first
    steps.

    References
    ----------
    .. [1] Polyak and Juditsky (1992). Acceleration of stochastic approximation by averaging.
       https://doi.org/10.1137/0330046
    """

    @torch.no_grad()
    def move(averages: list[Tensor], currents: list[Tensor], n_averaged: Tensor | int) -> None:
        # After few steps the average would still be close to the initial weights.
        kept = min(decay, (1 + float(n_averaged)) / (10 + float(n_averaged)))
        for average, current in zip(averages, currents, strict=True):
            if average.is_floating_point():  # with a precision like bf16-true the average is finer than the weights
                average.lerp_(current.to(average.dtype), 1 - kept)
            else:
                average.copy_(current)

    return WeightAveraging(multi_avg_fn=move)
