"""The prediction loop; this module needs torch, but not Lightning."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from brainage.errors import DivergedError


@torch.inference_mode()
def outputs(network: nn.Module, batches: Iterable[Tensor | tuple[Tensor, ...]]) -> Tensor:
    """Return what a network gives of each participant, of shape (n_participants,) or (n_participants, n_outputs).

    See `predict`; several outputs must be a tensor of shape (batch, n_outputs).
    """
    like = next(network.parameters(), torch.zeros(()))
    given = []
    for batch in batches:
        series, *counts = batch if isinstance(batch, tuple) else (batch,)
        found = network(series.to(like.device, like.dtype)).squeeze(1).double().cpu()
        given.append(mean_over_windows(found, *counts))
    return torch.cat(given)


def predict(network: nn.Module, batches: Iterable[Tensor | tuple[Tensor, ...]]) -> NDArray[np.float64]:
    """Predict ages, in years.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode, on any device; from series to ages of shape (batch, 1), in years.
    batches : iterable of Tensor or tuple of Tensor
        Series, each of shape (batch, n_channels, n_times); where participants may have several windows, further tensors
        have their numbers, see `mean_over_windows`.

    Returns
    -------
    array of shape (n_participants,)
        In the order of the batches.

    Raises
    ------
    DivergedError
        A predicted age is not finite.
    """
    predicted: NDArray[np.float64] = outputs(network, batches).numpy()
    n_wrong = int((~np.isfinite(predicted)).sum())
    if n_wrong:
        raise DivergedError(
            f"Training diverged: predicted ages must be finite numbers, but {n_wrong} of {len(predicted)} are not. "
            "Lower optimizer.lr, or set trainer.gradient_clip_val=1, and train again."
        )
    return predicted


def mean_over_windows(predicted: Tensor, *counts: Tensor) -> Tensor:
    """Return each participant's mean, of shape (batch,), of what was predicted from windows, of shape (n_windows,).

    `counts` are the number of windows of each scan, of shape (n_scans,), and the number of scans of each participant,
    of shape (batch,), if there may be several: then it is the mean over scans of their means. Without counts, each
    participant has one window.
    """
    for lengths in counts if len(predicted) else ():
        predicted = predicted.float() if predicted.dtype.itemsize < 4 else predicted
        predicted = torch.segment_reduce(predicted, "mean", lengths=lengths.to(predicted.device))
    return predicted
