"""What a recipe does to a training beside its optimizer and scheduler: augmented series, and averaged weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Parameters
    ----------
    circular_shift : bool
        Turn each participant's series by a random number of time points whenever they are trained on: what comes
        last goes first, in all components alike.
    cutmix : float
        The parameter of a Beta distribution from which a share of time is drawn: after it, all components go on with
        the series of a second participant, and the age is that of both by their shares [1]_. 0 cuts nothing.
    weight_averaging : float
        How much of the averaged weights a step keeps, in [0, 1): validation, ``best.ckpt`` and predictions have an
        exponential moving average of the weights [2]_, which moves faster in the first steps. 0 averages nothing.

    References
    ----------
    .. [1] Yun, Han, Oh, Chun, Choe and Yoo (2019). CutMix: Regularization strategy to train strong classifiers with
       localizable features. https://doi.org/10.48550/arXiv.1905.04899
    .. [2] Polyak and Juditsky (1992). Acceleration of stochastic approximation by averaging.
       https://doi.org/10.1137/0330046
    """

    circular_shift: bool = False
    cutmix: float = 0.0
    weight_averaging: float = 0.0


# A training that changes nothing.
PLAIN = Recipe()


class Augmentation:
    """Changes batches; the draws depend on the epoch's seed only.

    Parameters
    ----------
    recipe : Recipe
        What to do.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self.start_epoch(0)

    def start_epoch(self, seed: int) -> None:
        """Begin an epoch's draws."""
        self._rng = np.random.default_rng(seed)

    def __call__(self, series: Tensor, ages: Tensor) -> tuple[Tensor, Tensor]:
        """Change a batch.

        Parameters
        ----------
        series : Tensor of shape (batch, n_channels, n_times)
            Not changed itself.
        ages : Tensor of shape (batch,)
            In years.
        """
        if self._recipe.circular_shift:
            series = shifted(series, self._rng.integers(series.shape[2], size=len(series)).tolist())
        if self._recipe.cutmix:
            n_times = series.shape[2]
            n_kept = round(n_times * float(self._rng.beta(self._recipe.cutmix, self._recipe.cutmix)))
            others = torch.from_numpy(self._rng.permutation(len(ages))).to(ages.device)
            if not self._recipe.circular_shift:  # which left a copy
                series = series.clone()
            series[:, :, n_kept:] = series[others, :, n_kept:]
            ages = torch.lerp(ages[others], ages, n_kept / n_times)
        return series, ages


def averaging(decay: float) -> WeightAveraging:
    """Return Lightning's callback that averages weights and buffers after every step.

    Parameters
    ----------
    decay : float
        Of the average, in [0, 1).
    """

    def moved(average: Tensor, current: Tensor, n_averaged: Tensor | int) -> Tensor:
        # Over few steps the average would still be where training began.
        kept = torch.clamp(torch.as_tensor((1 + n_averaged) / (10 + n_averaged)), max=decay)
        return average * kept + current * (1 - kept)

    return WeightAveraging(avg_fn=moved)


def shifted(series: Tensor, by: list[int]) -> Tensor:
    """Turn each participant's series.

    Parameters
    ----------
    series : Tensor of shape (batch, n_channels, n_times)
        Not changed itself.
    by : list of int
        Time points a participant; what was there comes first.
    """
    turned = torch.empty_like(series)
    n_times = series.shape[2]
    for one, source, start in zip(turned, series, by, strict=True):
        one[:, : n_times - start] = source[:, start:]
        one[:, n_times - start :] = source[:, :start]
    return turned
