"""A network of the covariances of learnt features over time."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from brainage.config.groups.model import Covariance1DCNNConfig
from brainage.models import geometry
from brainage.models.layers import EncoderDecoder, Moments, convolution, regression


class Covariance1DCNN(EncoderDecoder):
    """Convolutions over time, and a linear layer of first and second moments over time of what they return.

    Each convolution is followed by batch normalisation, and by ReLU if another convolution follows. Of the last one's
    `n_features`, the linear layer gets the means of their positive parts, and their variances and covariances, relative
    to the mean covariance matrix of the batch (in evaluation, of the training). A mean over time sees each feature
    alone; covariances also see which of them change together. With one convolution, they are tangent-space connectivity
    between components at several lags, of learnt combinations. Similar networks classify electroencephalograms [1]_.

    Parameters
    ----------
    in_channels : int
        Number of components.
    kernel_size : int, default=5
        Kernel size of convolutions, in time points.
    depth : int, default=1
        Number of convolutions.
    width : int, default=64
        Output channels of each convolution but the last.
    n_features : int, default=48
        Output channels of the last one, which have ``n_features * (n_features - 1) / 2`` covariances.
    final_dropout : float, default=0.5
        Dropout probability of moments before the linear layer.
    n_times : int, default=490
        Number of time points; the network takes other lengths too.
    max_parameters : int, default=5_000_000
        Largest number of encoder parameters.

    Raises
    ------
    ConfigError
        An argument is out of range.
    ImpossibleArchitectureError
        The sequence runs out, or the encoder has more than `max_parameters`.

    References
    ----------
    .. [1] Schirrmeister et al. (2017). Deep learning with convolutional neural networks for EEG decoding and
       visualization. https://doi.org/10.1002/hbm.23730
    """

    def __init__(
        self,
        *,
        in_channels: int,
        kernel_size: int = 5,
        depth: int = 1,
        width: int = 64,
        n_features: int = 48,
        final_dropout: float = 0.5,
        n_times: int = 490,
        max_parameters: int = 5_000_000,
    ) -> None:
        super().__init__()
        architecture = Covariance1DCNNConfig(
            name="covariance1dcnn",
            in_channels=in_channels,
            kernel_size=kernel_size,
            depth=depth,
            width=width,
            n_features=n_features,
            final_dropout=final_dropout,
            n_times=n_times,
            max_parameters=max_parameters,
        )
        geometry.check("covariance1dcnn", architecture)
        self.encoder = nn.Sequential(*_encoder(architecture))
        self.decoder = nn.Sequential(*regression(geometry.linear_inputs(architecture), final_dropout))


def _encoder(architecture: Covariance1DCNNConfig) -> Iterator[nn.Module]:
    incoming = architecture.in_channels
    for _ in range(architecture.depth - 1):
        yield from convolution(incoming, architecture.width, architecture.kernel_size)
        incoming = architecture.width
    yield nn.Conv1d(incoming, architecture.n_features, architecture.kernel_size)
    yield nn.BatchNorm1d(architecture.n_features)
    yield Moments(architecture.n_features)
    yield nn.BatchNorm1d(geometry.linear_inputs(architecture))
