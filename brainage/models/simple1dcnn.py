"""A 1D-CNN of fixed architecture."""

from __future__ import annotations

from torch import Tensor, nn

from brainage.config.groups.model import Simple1DCNNConfig
from brainage.models import geometry


class Simple1DCNN(nn.Module):
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
        geometry.check_simple1dcnn(Simple1DCNNConfig(name="simple1dcnn", in_channels=in_channels, n_times=n_times))
        kernel_size, stride = geometry.SIMPLE_KERNEL_SIZE, geometry.SIMPLE_STRIDE
        layers: list[nn.Module] = []
        incoming = in_channels
        for outgoing in geometry.SIMPLE_CHANNELS:
            layers += [nn.Conv1d(incoming, outgoing, kernel_size), nn.ReLU(), nn.MaxPool1d(kernel_size, stride)]
            incoming = outgoing
        self.encoder = nn.Sequential(*layers)
        length = geometry.output_length(geometry.simple1dcnn_stages(), n_times)
        self.decoder = nn.Sequential(nn.Linear(length * incoming, 1))

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
        predicted: Tensor = self.decoder(self.encoder(series).flatten(1))
        return predicted
