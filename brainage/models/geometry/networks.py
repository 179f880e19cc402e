"""The stages of each network's encoder, as its file in `brainage.models` builds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from brainage.config.groups.model import (
    Covariance1DCNNConfig,
    MeanMLPConfig,
    Residual1DCNNConfig,
    Simple1DCNNConfig,
    Variable1DCNNConfig,
)
from brainage.models.geometry.stages import Stage, convolution, readout

SIMPLE_CHANNELS = (32, 64, 128, 256)
SIMPLE_KERNEL_SIZE = 5
SIMPLE_STRIDE = 2


def variable1dcnn(architecture: Variable1DCNNConfig) -> Iterator[Stage]:
    """Yield the convolutions and poolings of a `Variable1DCNN`, in order."""
    kernel_size, outgoing = architecture.kernel_size, channels(architecture)
    incoming, width = architecture.in_channels, 0
    for layer in range(1, architecture.depth + 1):
        for _ in range(1 + architecture.double_conv):
            width = next(outgoing)
            yield convolution(
                layer,
                (incoming, width),
                kernel_size,
                dilation=architecture.dilation,
                batch_norm=architecture.batch_norm,
            )
            incoming = width
        if layer < architecture.depth or architecture.readout == "flatten":
            yield Stage(layer, "pooling", kernel_size, architecture.stride)
    if architecture.readout == "global_average":
        yield readout(architecture.depth, width)
    elif architecture.readout == "global_average_sd":
        yield readout(architecture.depth, 2 * width, extent=2, batch_norm=architecture.batch_norm)


def channels(architecture: Variable1DCNNConfig) -> Iterator[int]:
    """Yield the output channels of each convolution of a `Variable1DCNN`, in order."""
    per_layer = 1 + architecture.double_conv
    n = architecture.depth * per_layer
    every = {"convolution": 1, "layer": per_layer, "none": n}[architecture.growth]  # convolutions until they double
    yield from (architecture.start_out * 2 ** (i // every) for i in range(n))


def simple1dcnn(architecture: Simple1DCNNConfig) -> Iterator[Stage]:
    """Yield the convolutions and poolings of a `Simple1DCNN`, in order."""
    incoming = architecture.in_channels
    for layer, width in enumerate(SIMPLE_CHANNELS, 1):
        yield convolution(layer, (incoming, width), SIMPLE_KERNEL_SIZE)
        yield Stage(layer, "pooling", SIMPLE_KERNEL_SIZE, SIMPLE_STRIDE)
        incoming = width


def mean_mlp(architecture: MeanMLPConfig) -> Iterator[Stage]:
    """Yield the layers of a `MeanMLP`, which are convolutions over one point, and the mean."""
    incoming = architecture.in_channels
    for layer in range(1, architecture.depth + 1):
        yield convolution(layer, (incoming, architecture.width), batch_norm=True)
        incoming = architecture.width
    yield readout(architecture.depth, architecture.width, batch_norm=True)


def residual1dcnn(architecture: Residual1DCNNConfig) -> Iterator[Stage]:
    """Yield the first convolution of a `Residual1DCNN`, each block with the pooling before it, and the mean."""
    width, kernel_size = architecture.width, architecture.kernel_size
    yield convolution(1, (architecture.in_channels, width), kernel_size, batch_norm=True)
    for layer in range(1, architecture.depth + 1):
        if layer > 1:
            yield Stage(layer, "pooling", architecture.stride, architecture.stride)
        yield convolution(layer, (width, width), kernel_size, batch_norm=True)
        yield convolution(layer, (width, width), kernel_size, batch_norm=True)
    yield readout(architecture.depth, width, batch_norm=True)


def covariance1dcnn(architecture: Covariance1DCNNConfig) -> Iterator[Stage]:
    """Yield the convolutions of a `Covariance1DCNN`, and the moments over time."""
    incoming, n = architecture.in_channels, architecture.n_features
    for layer in range(1, architecture.depth):
        yield convolution(layer, (incoming, architecture.width), architecture.kernel_size, batch_norm=True)
        incoming = architecture.width
    yield convolution(architecture.depth, (incoming, n), architecture.kernel_size, batch_norm=True)
    moments = 2 * n + n * (n - 1) // 2
    yield readout(architecture.depth, moments, extent=2, batch_norm=True, multiplications=n * n)


@dataclass(frozen=True)
class Geometry:
    """A network's stages, and the keys that messages name: those that make it larger, and the sequence shorter."""

    stages: Callable[[Any], Iterator[Stage]]
    size: tuple[str, ...] = ()
    length: tuple[str, ...] = ()


# By the network's name; one without geometry has no infeasible arguments.
GEOMETRIES: Mapping[str, Geometry] = {
    "variable1dcnn": Geometry(
        variable1dcnn, ("depth", "start_out", "double_conv"), ("kernel_size", "stride", "dilation", "double_conv")
    ),
    "simple1dcnn": Geometry(simple1dcnn),
    "mean_mlp": Geometry(mean_mlp, ("depth", "width")),
    "residual1dcnn": Geometry(residual1dcnn, ("depth", "width", "kernel_size"), ("kernel_size", "stride")),
    "covariance1dcnn": Geometry(covariance1dcnn, ("depth", "width", "kernel_size", "n_features"), ("kernel_size",)),
}
