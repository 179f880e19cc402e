"""Series on their way into a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor, nn

Series = NDArray[np.float32]

# Series that a network sees together: one participant's copies, or the steps of an integration.
TOGETHER = 64


def for_network(network: nn.Module, series: Series) -> Tensor:
    """Return series as the network wants them: on its device, in its precision."""
    import torch

    like = next(network.parameters(), torch.zeros(()))
    return torch.as_tensor(series, device=like.device, dtype=like.dtype)


def predict(network: nn.Module, series: Tensor) -> NDArray[np.float64]:
    """Predict ages, in years, a few participants at a time.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode, from series to a Tensor of shape (batch, 1).
    series : Tensor of shape (n_participants, n_channels, n_times)
        See `for_network`.
    """
    import torch

    with torch.no_grad():
        ages = [network(some).squeeze(1).double().cpu() for some in torch.split(series, TOGETHER)]
    predicted: NDArray[np.float64] = torch.cat(ages).numpy()
    return predicted
