"""The stages of an encoder, and what follows from them: lengths, features, parameters, multiplications."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """A step of an encoder, from which every number of a network's geometry follows.

    Parameters
    ----------
    layer : int
        Counts from 1.
    kind : str
        "convolution", "pooling", or "readout", which takes all points, at least `extent`, and returns one.
    extent, step : int
        Receptive field and stride, in time points. Nothing is padded.
    width : int
        Channels that it returns; 0 for as many as it gets.
    parameters, multiplications : int
        Trainable parameters, and multiplications for each point that it returns, or that a readout gets.
    """

    layer: int
    kind: str
    extent: int = 1
    step: int = 1
    width: int = 0
    parameters: int = 0
    multiplications: int = 0

    def output_length(self, length: int) -> int:
        """Return the output length for an input of `length` points; 0 if the input is too short."""
        if self.kind == "readout":
            return int(length >= self.extent)
        return max(0, (length - self.extent) // self.step + 1)


def convolution(
    layer: int,
    channels: tuple[int, int],
    kernel_size: int = 1,
    *,
    dilation: int = 1,
    batch_norm: bool = False,
) -> Stage:
    """Return a convolution with a bias, from and to so many channels, and the batch normalisation after it."""
    n_in, n_out = channels
    products = n_in * n_out * kernel_size
    parameters = products + n_out * (3 if batch_norm else 1)
    return Stage(layer, "convolution", dilation * (kernel_size - 1) + 1, 1, n_out, parameters, products)


def readout(layer: int, width: int, *, extent: int = 1, batch_norm: bool = False, multiplications: int = 0) -> Stage:
    """Return what makes `width` features of all time points, and the batch normalisation after it."""
    return Stage(layer, "readout", extent, 1, width, 2 * width if batch_norm else 0, multiplications)


def features(path: Iterable[Stage], length: int) -> int:
    """Return the number of channels times that of time points after all stages."""
    width = 0
    for stage in path:
        length, width = stage.output_length(length), stage.width or width
    return length * width


def multiplications(path: Iterable[Stage], length: int) -> int:
    """Return the number of multiplications for one series."""
    total = 0
    for stage in path:
        given, length = length, stage.output_length(length)
        total += stage.multiplications * (given if stage.kind == "readout" else length)
    return total


def shortfall(path: Iterable[Stage], length: int) -> tuple[Stage, int] | None:
    """Return the first stage whose input is too short, and that input's length; None if all fit."""
    for stage in path:
        if stage.output_length(length) < 1:
            return stage, length
        length = stage.output_length(length)
    return None
