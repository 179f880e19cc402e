"""A network of the covariances of learnt features over time."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from brainage.config.groups.model import Covariance1DCNNConfig
from brainage.models import geometry
from brainage.models.layers import MeanAndCovariance, convolution


class Covariance1DCNN(nn.Module):
    """Convolutions over time, and a linear layer of the means and covariances over time of what they return.

    A layer is a convolution, followed by batch normalisation and ReLU. A convolution over one point then projects to
    `n_features`, with batch normalisation. Their means, variances and covariances are normalised by batch, because
    their scales differ. A mean over time of a convolution sees each feature alone; covariances also see which features
    change together, as connectivity does for components. Similar networks are used for electroencephalography [1]_.

    Parameters
    ----------
    in_channels : int
        Number of components.
    kernel_size : int, default=9
        Kernel size of convolutions, in time points.
    depth : int, default=1
        Number of layers before the projection.
    width : int, default=64
        Output channels of each layer.
    n_features : int, default=32
        Features whose covariances are computed: ``n_features * (n_features + 1) / 2`` of them.
    final_dropout : float, default=0.0
        Dropout probability of means and covariances before the linear layer.
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
        kernel_size: int = 9,
        depth: int = 1,
        width: int = 64,
        n_features: int = 32,
        final_dropout: float = 0.0,
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
        self.decoder = nn.Sequential(*_decoder(architecture))

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
        predicted: Tensor = self.decoder(self.encoder(series))
        return predicted


def _encoder(architecture: Covariance1DCNNConfig) -> Iterator[nn.Module]:
    incoming = architecture.in_channels
    for _ in range(architecture.depth):
        yield from convolution(incoming, architecture.width, architecture.kernel_size)
        incoming = architecture.width
    yield nn.Conv1d(incoming, architecture.n_features, 1)
    yield nn.BatchNorm1d(architecture.n_features)
    yield MeanAndCovariance()


def _decoder(architecture: Covariance1DCNNConfig) -> Iterator[nn.Module]:
    n_inputs = geometry.linear_inputs(architecture)
    yield nn.BatchNorm1d(n_inputs)
    if architecture.final_dropout > 0:
        yield nn.Dropout(architecture.final_dropout)
    yield nn.Linear(n_inputs, 1)
