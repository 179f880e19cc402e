"""The study's lightweight, variable 1D-CNN."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from brainage.config.schema import Variable1DCNNConfig
from brainage.models import geometry


class Variable1DCNN(nn.Module):
    """A stack of convolutions and poolings over time that ends in one linear layer.

    A layer is one convolution (two if `double_conv`), each followed by batch normalisation if `batch_norm`, ReLU, and
    channel dropout if `conv_dropout` is above 0; then pooling over `kernel_size` points with step `stride`: maximum,
    but average after the last layer. No padding anywhere.

    Parameters
    ----------
    in_channels : int
        Components that come in.
    kernel_size : int
        Time points that a convolution and a pooling look at.
    depth : int
        Layers.
    start_out : int
        Channels after the first convolution; every further convolution doubles them.
    stride : int
        Step of the poolings, in points.
    dilation : int, default=1
        Points between a convolution's taps.
    conv_dropout : float, default=0.0
        Share of channels zeroed after a convolution during training.
    final_dropout : float, default=0.0
        Share of features zeroed before the last layer during training.
    double_conv : bool, default=False
        Two convolutions a layer.
    batch_norm : bool, default=False
        Batch normalisation after each convolution.
    n_times : int, default=490
        Time points that come in.
    max_parameters : int, default=5_000_000
        Encoders with more parameters are refused.

    Raises
    ------
    ConfigError
        An argument breaks a rule.
    ImpossibleArchitectureError
        The sequence runs out, or the encoder is too large; known before anything is allocated.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        kernel_size: int,
        depth: int,
        start_out: int,
        stride: int,
        dilation: int = 1,
        conv_dropout: float = 0.0,
        final_dropout: float = 0.0,
        double_conv: bool = False,
        batch_norm: bool = False,
        n_times: int = 490,
        max_parameters: int = 5_000_000,
    ) -> None:
        super().__init__()
        architecture = Variable1DCNNConfig(
            name="variable1dcnn",
            in_channels=in_channels,
            kernel_size=kernel_size,
            depth=depth,
            start_out=start_out,
            stride=stride,
            dilation=dilation,
            conv_dropout=conv_dropout,
            final_dropout=final_dropout,
            double_conv=double_conv,
            batch_norm=batch_norm,
            n_times=n_times,
            max_parameters=max_parameters,
        )
        geometry.check_variable1dcnn(architecture)
        self.encoder = nn.Sequential(*_encoder(architecture))
        self.decoder = nn.Sequential(*_decoder(architecture))

    def forward(self, series: Tensor) -> Tensor:
        """Predict ages.

        Parameters
        ----------
        series : Tensor of shape (batch, in_channels, n_times)
            z-scored component time series.

        Returns
        -------
        Tensor of shape (batch, 1)
            Age, in years.
        """
        predicted: Tensor = self.decoder(self.encoder(series).flatten(1))
        return predicted


def _encoder(architecture: Variable1DCNNConfig) -> Iterator[nn.Module]:
    incoming, widths = architecture.in_channels, iter(geometry.channels(architecture))
    for layer in range(architecture.depth):
        for _ in range(1 + architecture.double_conv):
            outgoing = next(widths)
            yield nn.Conv1d(incoming, outgoing, architecture.kernel_size, dilation=architecture.dilation)
            if architecture.batch_norm:
                yield nn.BatchNorm1d(outgoing)
            yield nn.ReLU()
            if architecture.conv_dropout > 0:
                yield nn.Dropout1d(architecture.conv_dropout)
            incoming = outgoing
        last = layer == architecture.depth - 1
        pooling = nn.AvgPool1d if last else nn.MaxPool1d
        yield pooling(architecture.kernel_size, architecture.stride)


def _decoder(architecture: Variable1DCNNConfig) -> Iterator[nn.Module]:
    if architecture.final_dropout > 0:
        yield nn.Dropout(architecture.final_dropout)
    yield nn.Linear(geometry.flattened_features(architecture), 1)
