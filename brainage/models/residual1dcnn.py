"""A residual network over time."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from brainage.config.groups.model import Residual1DCNNConfig
from brainage.models import geometry
from brainage.models.layers import EncoderDecoder, Residual, convolution, regression


class Residual1DCNN(EncoderDecoder):
    """A convolution, residual blocks [1]_ with poolings between them, the mean over time, and one linear layer [2]_.

    Each convolution is followed by batch normalisation. A block is two convolutions with ReLU between them; its input
    is added, and ReLU follows. Nothing is padded, so the ends of the input are cut off before it is added. Between
    blocks is average pooling. Means differ little between participants, so they are normalised by batch before the
    linear layer.

    Parameters
    ----------
    in_channels : int
        Number of components.
    kernel_size : int, default=5
        Kernel size of convolutions, in time points.
    depth : int, default=2
        Number of blocks.
    width : int, default=32
        Output channels of each convolution.
    stride : int, default=2
        Size and stride of the poolings, in time points.
    final_dropout : float, default=0.5
        Dropout probability of means before the linear layer.
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
    .. [1] He, Zhang, Ren and Sun (2016). Deep residual learning for image recognition.
       https://doi.org/10.1109/CVPR.2016.90
    .. [2] Wang, Yan and Oates (2017). Time series classification from scratch with deep neural networks: a strong
       baseline. https://doi.org/10.1109/IJCNN.2017.7966039
    """

    def __init__(
        self,
        *,
        in_channels: int,
        kernel_size: int = 5,
        depth: int = 2,
        width: int = 32,
        stride: int = 2,
        final_dropout: float = 0.5,
        n_times: int = 490,
        max_parameters: int = 5_000_000,
    ) -> None:
        super().__init__()
        architecture = Residual1DCNNConfig(
            name="residual1dcnn",
            in_channels=in_channels,
            kernel_size=kernel_size,
            depth=depth,
            width=width,
            stride=stride,
            final_dropout=final_dropout,
            n_times=n_times,
            max_parameters=max_parameters,
        )
        geometry.check("residual1dcnn", architecture)
        self.encoder = nn.Sequential(*_encoder(architecture))
        self.decoder = nn.Sequential(*regression(width, final_dropout))


def _encoder(architecture: Residual1DCNNConfig) -> Iterator[nn.Module]:
    width, kernel_size = architecture.width, architecture.kernel_size
    yield from convolution(architecture.in_channels, width, kernel_size)
    for number in range(architecture.depth):
        if number:
            yield nn.AvgPool1d(architecture.stride)
        first = convolution(width, width, kernel_size)
        yield Residual(*first, nn.Conv1d(width, width, kernel_size), nn.BatchNorm1d(width))
    yield nn.AdaptiveAvgPool1d(1)
    yield nn.BatchNorm1d(width)
