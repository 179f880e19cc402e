"""The prediction loop; this module needs torch, but not Lightning."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from brainage.errors import DivergedError


@torch.inference_mode()
def predict(network: nn.Module, batches: Iterable[Tensor | tuple[Tensor, ...]]) -> NDArray[np.float64]:
    """Predict ages, in years.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode, on any device; from series to ages of shape (batch, 1), in years.
    batches : iterable of Tensor or tuple of Tensor
        Series, each of shape (batch, n_channels, n_times); where participants have several windows, a second tensor
        says how many each one has, and their mean is predicted.

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
    ages = []
    for batch in batches:
        series, *n_windows = batch if isinstance(batch, tuple) else (batch,)
        found = network(series.to(like.device, like.dtype)).squeeze(1).double().cpu()
        ages.append(mean_over_windows(found, *n_windows))
    predicted: NDArray[np.float64] = torch.cat(ages).numpy()
    n_wrong = int((~np.isfinite(predicted)).sum())
    if n_wrong:
        raise DivergedError(
            f"Training diverged: predicted ages must be finite numbers, but {n_wrong} of {len(predicted)} are not. "
            "Lower optimizer.lr, or set trainer.gradient_clip_val=1, and train again."
        )
    return predicted


def mean_over_windows(predicted: Tensor, n_windows: Tensor | None = None) -> Tensor:
    """Return each participant's mean, of shape (batch,), over windows that follow each other, of shape (n_windows,).

    `n_windows` is how many windows each participant has, of shape (batch,); one without it.
    """
    if n_windows is None:
        return predicted
    predicted = predicted.float() if predicted.dtype.itemsize < 4 else predicted
    means: Tensor = torch.segment_reduce(predicted, "mean", lengths=n_windows.to(predicted.device))
    return means
