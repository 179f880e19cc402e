"""Schemas of networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from omegaconf import MISSING

from brainage.config.rules import Bounds, Count, Dropout, checked, choice

ParameterLimit = Annotated[int, Bounds(ge=1, le=1_000_000_000)]


@checked("model")
@dataclass
class ModelConfig:
    """What every model's config has besides the arguments of its constructor.

    Parameters
    ----------
    name : str
        The module of `brainage.models` that contains it, or the class or module of one's own code.
    output_bias : {"mean_age", "zero"}
        Initial value of the last bias: the mean age of the training participants, or 0 as published.
    """

    name: str = MISSING
    output_bias: Annotated[str, choice("mean_age", "zero")] = "mean_age"


@checked("model")
@dataclass
class Variable1DCNNConfig(ModelConfig):
    """Arguments of `brainage.models.variable1dcnn.Variable1DCNN`."""

    in_channels: Count = MISSING
    kernel_size: Count = 5
    depth: Count = 4
    start_out: Count = 32
    stride: Count = 2
    dilation: Count = 1
    conv_dropout: Dropout = 0.0
    final_dropout: Dropout = 0.0
    double_conv: bool = False
    batch_norm: bool = False
    n_times: Count = 490
    max_parameters: ParameterLimit = 5_000_000
    growth: Annotated[str, choice("convolution", "layer", "none")] = "convolution"
    readout: Annotated[str, choice("flatten", "global_average", "global_average_sd")] = "flatten"


@checked("model")
@dataclass
class Simple1DCNNConfig(ModelConfig):
    """Arguments of `brainage.models.simple1dcnn.Simple1DCNN`."""

    in_channels: Count = MISSING
    n_times: Count = 490


@checked("model")
@dataclass
class MeanMLPConfig(ModelConfig):
    """Arguments of `brainage.models.mean_mlp.MeanMLP`."""

    in_channels: Count = MISSING
    width: Count = 88
    depth: Count = 2
    final_dropout: Dropout = 0.0
    n_times: Count = 490
    max_parameters: ParameterLimit = 5_000_000


@checked("model")
@dataclass
class Residual1DCNNConfig(ModelConfig):
    """Arguments of `brainage.models.residual1dcnn.Residual1DCNN`."""

    in_channels: Count = MISSING
    kernel_size: Count = 5
    depth: Count = 2
    width: Count = 32
    stride: Count = 2
    final_dropout: Dropout = 0.5
    n_times: Count = 490
    max_parameters: ParameterLimit = 5_000_000


@checked("model")
@dataclass
class Covariance1DCNNConfig(ModelConfig):
    """Arguments of `brainage.models.covariance1dcnn.Covariance1DCNN`."""

    in_channels: Count = MISSING
    kernel_size: Count = 5
    depth: Count = 1
    width: Count = 64
    n_features: Count = 48
    final_dropout: Dropout = 0.5
    n_times: Count = 490
    max_parameters: ParameterLimit = 5_000_000


# By the network's name. One's own network needs no schema.
NETWORKS: dict[str, Any] = {
    "variable1dcnn": Variable1DCNNConfig,
    "simple1dcnn": Simple1DCNNConfig,
    "mean_mlp": MeanMLPConfig,
    "residual1dcnn": Residual1DCNNConfig,
    "covariance1dcnn": Covariance1DCNNConfig,
}
