"""A small network that ignores the order of time points."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from brainage.config.groups.model import MeanMLPConfig
from brainage.models import geometry
from brainage.models.layers import EncoderDecoder, convolution, regression


class MeanMLP(EncoderDecoder):
    """The same small multi-layer perceptron at each time point, the mean over time, and one linear layer [1]_.

    A layer is linear, followed by batch normalisation and ReLU. Means differ little between participants, so they are
    normalised by batch before the last layer. The order of time points changes nothing: this is what a network can do
    without it.

    Parameters
    ----------
    in_channels : int
        Number of components.
    width : int, default=88
        Outputs of each layer.
    depth : int, default=2
        Number of layers.
    final_dropout : float, default=0.0
        Dropout probability of means before the last layer.
    n_times : int, default=490
        Number of time points; the network takes other lengths too.
    max_parameters : int, default=5_000_000
        Largest number of encoder parameters.

    Raises
    ------
    ConfigError
        An argument is out of range.
    ImpossibleArchitectureError
        The encoder has more than `max_parameters`.

    References
    ----------
    .. [1] Popov et al. (2024). A simple but tough-to-beat baseline for fMRI time-series classification.
       https://doi.org/10.1016/j.neuroimage.2024.120909
    """

    def __init__(
        self,
        *,
        in_channels: int,
        width: int = 88,
        depth: int = 2,
        final_dropout: float = 0.0,
        n_times: int = 490,
        max_parameters: int = 5_000_000,
    ) -> None:
        super().__init__()
        architecture = MeanMLPConfig(
            name="mean_mlp",
            in_channels=in_channels,
            width=width,
            depth=depth,
            final_dropout=final_dropout,
            n_times=n_times,
            max_parameters=max_parameters,
        )
        geometry.check("mean_mlp", architecture)
        self.encoder = nn.Sequential(*_encoder(architecture))
        self.decoder = nn.Sequential(*regression(width, final_dropout))


def _encoder(architecture: MeanMLPConfig) -> Iterator[nn.Module]:
    incoming = architecture.in_channels
    for _ in range(architecture.depth):
        yield from convolution(incoming, architecture.width)
        incoming = architecture.width
    yield nn.AdaptiveAvgPool1d(1)
    yield nn.BatchNorm1d(architecture.width)
