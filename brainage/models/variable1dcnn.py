"""A lightweight 1D-CNN of variable depth and width."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from brainage.config.groups.model import Variable1DCNNConfig
from brainage.models import geometry
from brainage.models.geometry.networks import channels
from brainage.models.layers import EncoderDecoder, MeanAndSD


class Variable1DCNN(EncoderDecoder):
    """Convolutions and poolings over time, followed by one linear layer.

    A layer is one convolution (two if `double_conv`), each followed by batch normalisation if `batch_norm`, ReLU, and
    channel dropout if `conv_dropout` > 0; then pooling over `kernel_size` points with stride `stride`: maximum pooling,
    in the last layer what `readout` says. There is no padding. Infeasible architectures are refused before any
    allocation.

    Parameters
    ----------
    in_channels : int
        Number of components.
    kernel_size : int
        Kernel size of convolutions and poolings, in time points.
    depth : int
        Number of layers.
    start_out : int
        Output channels of the first convolution; `growth` says where they double.
    stride : int
        Stride of the poolings, in time points.
    dilation : int, default=1
        Dilation of the convolutions, in time points.
    conv_dropout : float, default=0.0
        Dropout probability of channels after each convolution.
    final_dropout : float, default=0.0
        Dropout probability of features before the linear layer.
    double_conv : bool, default=False
        Use two convolutions per layer.
    batch_norm : bool, default=False
        Normalise batches after each convolution, and the means and deviations of "global_average_sd".
    n_times : int, default=490
        Number of time points.
    max_parameters : int, default=5_000_000
        Largest number of encoder parameters.
    growth : {"convolution", "layer", "none"}, default="convolution"
        Output channels double with each convolution, with each layer, or not at all.
    readout : {"flatten", "global_average", "global_average_sd"}, default="flatten"
        The linear layer takes all time points that a last average pooling over `kernel_size` leaves; or the mean over
        time of each channel; or its mean and standard deviation. With the last two, the network takes series of other
        lengths too.

    Raises
    ------
    ConfigError
        An argument is out of range.
    ImpossibleArchitectureError
        The sequence runs out, or the encoder has more than `max_parameters`.
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
        growth: str = "convolution",
        readout: str = "flatten",
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
            growth=growth,
            readout=readout,
        )
        geometry.check("variable1dcnn", architecture)
        self.encoder = nn.Sequential(*_encoder(architecture))
        self.decoder = nn.Sequential(*_decoder(architecture))


def _encoder(architecture: Variable1DCNNConfig) -> Iterator[nn.Module]:
    incoming, widths = architecture.in_channels, channels(architecture)
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
        if layer < architecture.depth - 1:
            yield nn.MaxPool1d(architecture.kernel_size, architecture.stride)
    if architecture.readout == "flatten":
        yield nn.AvgPool1d(architecture.kernel_size, architecture.stride)
    elif architecture.readout == "global_average":
        yield nn.AdaptiveAvgPool1d(1)
    else:
        yield MeanAndSD()
        if architecture.batch_norm:
            yield nn.BatchNorm1d(2 * incoming)


def _decoder(architecture: Variable1DCNNConfig) -> Iterator[nn.Module]:
    if architecture.final_dropout > 0:
        yield nn.Dropout(architecture.final_dropout)
    yield nn.Linear(geometry.linear_inputs(architecture), 1)
