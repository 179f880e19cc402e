"""Layers that networks are made of."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from brainage.models import channels_last

# Added to variances: the slope of the square root is infinite at 0.
EPSILON = 1e-5


class EncoderDecoder(nn.Module):
    """A network of two parts: a subclass makes its ``encoder``, from series to features, and ``decoder``, to ages."""

    encoder: nn.Sequential
    decoder: nn.Sequential

    def forward(self, series: Tensor) -> Tensor:
        """Predict ages.

        Parameters
        ----------
        series : Tensor of shape (batch, in_channels, n_times)
            Time series of the components, z-scored.

        Returns
        -------
        Tensor of shape (batch, 1)
            Age, in years.
        """
        if channels_last.is_faster(self.encoder, series):
            features = channels_last.apply(self.encoder, series).flatten(1)
        else:
            features = self.encoder(series).flatten(1)
        with torch.autocast(features.device.type, enabled=False):  # 16 bits would round 64 years to half a year
            predicted: Tensor = self.decoder(features.to(series.dtype))
        return predicted


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
    """Moments over time: means of the channels' positive parts, log variances, and covariances, both after whitening.

    Covariance matrices are whitened by the mean one of the batch, in evaluation by its running mean: a person's is the
    identity but for what sets the person apart, as in tangent-space connectivity [1]_ and in batch normalisation of
    covariance matrices [2]_.

    References
    ----------
    .. [1] Varoquaux et al. (2010). Detection of brain functional-connectivity difference in post-stroke patients using
       group-level covariance modeling. https://doi.org/10.1007/978-3-642-15705-9_25
    .. [2] Brooks et al. (2019). Riemannian batch normalization for SPD neural networks.
       https://doi.org/10.48550/arXiv.1909.02414
    """

    # Added to eigenvalues of the mean, and to whitened variances, whose logarithms are then finite; weight of a batch.
    RIDGE, SHRINKAGE, MOMENTUM = 0.01, 0.1, 0.1

    def __init__(self, n: int) -> None:
        super().__init__()
        self.running_covariance: Tensor
        self.register_buffer("running_covariance", torch.eye(n))

    def forward(self, features: Tensor) -> Tensor:
        """Map features of shape (batch, n, n_times) to shape (batch, 2 n + n (n - 1) / 2)."""
        n, n_times = features.shape[1:]
        with torch.autocast(features.device.type, enabled=False):  # eigenvalues need more than 16 bits
            series = features.to(torch.promote_types(features.dtype, torch.float32))
            centred = series - series.mean(dim=2, keepdim=True)
            covariance = centred @ centred.transpose(1, 2) / n_times
            whitening = self._whitening(covariance.detach())
            white = whitening @ covariance @ whitening
        row, column = torch.triu_indices(n, n, offset=1, device=features.device)
        pairs = white.flatten(1).index_select(1, row * n + column)
        variances = white.diagonal(dim1=1, dim2=2) + self.SHRINKAGE
        return torch.cat([series.relu().mean(dim=2), variances.log(), pairs], dim=1).to(features.dtype)

    def _whitening(self, covariance: Tensor) -> Tensor:
        """Return the inverse square root of the mean of covariances, of shape (batch, n, n)."""
        running = self.running_covariance
        mean = covariance.mean(dim=0) if self.training else running.to(covariance.dtype)
        if self.training:
            running.lerp_(mean.to(running.dtype), self.MOMENTUM)
        values, vectors = torch.linalg.eigh(mean)
        found: Tensor = vectors * (values + self.RIDGE).rsqrt() @ vectors.T
        return found
