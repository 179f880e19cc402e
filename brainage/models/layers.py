"""Layers that networks are made of."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

# Added to variances: the slope of the square root is infinite at 0.
EPSILON = 1e-5


def convolution(n_in: int, n_out: int, kernel_size: int = 1) -> Iterator[nn.Module]:
    """Yield a convolution, batch normalisation and ReLU."""
    yield nn.Conv1d(n_in, n_out, kernel_size)
    yield nn.BatchNorm1d(n_out)
    yield nn.ReLU()


def regression(n_inputs: int, dropout: float) -> Iterator[nn.Module]:
    """Yield dropout if its probability is not 0, and a linear layer of one output."""
    if dropout > 0:
        yield nn.Dropout(dropout)
    yield nn.Linear(n_inputs, 1)


class Residual(nn.Sequential):
    """Layers, their input added to their output, and ReLU; the input loses the ends that their convolutions cut off."""

    def forward(self, features: Tensor) -> Tensor:
        """Map features of shape (batch, n, n_times) to shape (batch, n, fewer time points)."""
        found: Tensor = super().forward(features)  # type: ignore[no-untyped-call]
        cut = (features.shape[2] - found.shape[2]) // 2
        return (found + features[:, :, cut : cut + found.shape[2]]).relu()


class MeanAndSD(nn.Module):
    """Mean and standard deviation over time of each channel."""

    def forward(self, features: Tensor) -> Tensor:
        """Map features of shape (batch, n, n_times) to shape (batch, 2 n)."""
        variance = features.var(dim=2, correction=0)
        return torch.cat([features.mean(dim=2), (variance + EPSILON).sqrt()], dim=1)


class Moments(nn.Module):
    """First and second moments over time: means of the rectified channels, logarithms of variances, and correlations.

    `SHRINKAGE` is added to variances, so a channel that hardly varies has finite logarithms and correlations near 0.
    """

    SHRINKAGE = 0.1

    def forward(self, features: Tensor) -> Tensor:
        """Map features of shape (batch, n, n_times) to shape (batch, 2 n + n (n - 1) / 2)."""
        n, n_times = features.shape[1:]
        centred = features - features.mean(dim=2, keepdim=True)
        covariance = centred @ centred.transpose(1, 2) / n_times
        variance = covariance.diagonal(dim1=1, dim2=2) + self.SHRINKAGE
        scale = variance.rsqrt()
        correlation = covariance * scale[:, :, None] * scale[:, None, :]
        row, column = torch.triu_indices(n, n, offset=1, device=features.device)
        pairs = correlation.flatten(1).index_select(1, row * n + column)
        return torch.cat([features.relu().mean(dim=2), variance.log(), pairs], dim=1)
