"""A 1D-CNN of fixed architecture."""

from __future__ import annotations

from torch import nn

from brainage.config.groups.model import Simple1DCNNConfig
from brainage.models import geometry
from brainage.models.geometry.networks import SIMPLE_CHANNELS, SIMPLE_KERNEL_SIZE, SIMPLE_STRIDE
from brainage.models.layers import EncoderDecoder


class Simple1DCNN(EncoderDecoder):
    """Four convolutions over 5 time points, each with ReLU and maximum pooling, then one linear layer.

    Parameters
    ----------
    in_channels : int
        Number of components.
    n_times : int, default=490
        Number of time points.

    Raises
    ------
    ImpossibleArchitectureError
        There are too few time points.
    """

    def __init__(self, *, in_channels: int, n_times: int = 490) -> None:
        super().__init__()
        architecture = Simple1DCNNConfig(name="simple1dcnn", in_channels=in_channels, n_times=n_times)
        geometry.check("simple1dcnn", architecture)
        layers: list[nn.Module] = []
        incoming = in_channels
        for outgoing in SIMPLE_CHANNELS:
            layers += [nn.Conv1d(incoming, outgoing, SIMPLE_KERNEL_SIZE), nn.ReLU()]
            layers.append(nn.MaxPool1d(SIMPLE_KERNEL_SIZE, SIMPLE_STRIDE))
            incoming = outgoing
        self.encoder = nn.Sequential(*layers)
        self.decoder = nn.Sequential(nn.Linear(geometry.linear_inputs(architecture), 1))
