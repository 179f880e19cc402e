"""Learning-rate schedules that torch does not have."""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def warmup_cosine(optimizer: Optimizer, *, T_max: int, warmup: float = 0.1) -> LambdaLR:  # noqa: N803 (torch's name)
    """Raise the learning rate linearly to what the optimizer has, then lower it along half a cosine to almost 0.

    Parameters
    ----------
    optimizer : Optimizer
        Its learning rate is the highest.
    T_max : int
        Epochs of the whole training. Beyond, the rate stays where it is; a run that is taken up with more epochs
        follows the curve of its new length.
    warmup : float, default=0.1
        Share of the epochs in which it rises.

    Raises
    ------
    ValueError
        `warmup` is no share.
    """
    if not 0 <= warmup < 1:
        raise ValueError(f"`warmup` must be in [0, 1), but got {warmup}")
    n_rising = round(warmup * T_max)

    def share(epoch: int) -> float:
        if epoch < n_rising:
            return (epoch + 1) / (n_rising + 1)
        done = (epoch - n_rising) / max(1, T_max - n_rising)
        return max(0.01, 0.5 * (1 + math.cos(math.pi * min(1.0, done))))

    return LambdaLR(optimizer, share)
