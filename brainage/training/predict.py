"""The prediction loop; this module needs torch, but not Lightning."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from brainage.errors import DivergedError


@torch.inference_mode()
def predict(network: nn.Module, batches: Iterable[Tensor]) -> NDArray[np.float64]:
    """Predict ages, in years.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode, on any device; from series to ages of shape (batch, 1), in years.
    batches : iterable of Tensor
        Series, each of shape (batch, n_channels, n_times).

    Returns
    -------
    array of shape (n_participants,)
        In the order of the batches.

    Raises
    ------
    DivergedError
        A predicted age is not finite.
    """
    like = next(network.parameters(), torch.zeros(()))
    ages = [network(series.to(like.device, like.dtype)).squeeze(1).double().cpu() for series in batches]
    predicted: NDArray[np.float64] = torch.cat(ages).numpy()
    n_wrong = int((~np.isfinite(predicted)).sum())
    if n_wrong:
        raise DivergedError(
            f"Training diverged: predicted ages must be finite numbers, but {n_wrong} of {len(predicted)} are not. "
            "Lower optimizer.lr, or set trainer.gradient_clip_val=1, and train again."
        )
    return predicted
