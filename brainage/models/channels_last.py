"""Layers over time in another memory layout: the channels of a time point side by side.

On CPUs, bfloat16 is faster in it (docs/benchmarks.md). It adds in another order than the usual layout, which float32
keeps, so that published results stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def is_faster(layers: Iterable[nn.Module], series: Tensor) -> bool:
    """Return whether layers compute in bfloat16 on a CPU, from series in float32, and each has a form in `_FORMS`.

    A layer with a forward hook is called in the usual way, which calls the hook.
    """
    in_bfloat16 = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") is torch.bfloat16
    have_forms = all(type(layer) in _FORMS and not layer._forward_hooks for layer in layers)
    return in_bfloat16 and series.device.type == "cpu" and have_forms


def apply(layers: Iterable[nn.Module], series: Tensor) -> Tensor:
    """Apply layers to series of shape (batch, n_channels, n_times); return shape (batch, n, 1, fewer times)."""
    features = series.unsqueeze(2).to(torch.bfloat16, memory_format=torch.channels_last)
    for layer in layers:
        features = _FORMS[type(layer)](layer, features)
    return features


def _convolved(layer: nn.Conv1d, features: Tensor) -> Tensor:
    weight, stride, dilation = layer.weight.unsqueeze(2), (1, *layer.stride), (1, *layer.dilation)
    return functional.conv2d(features, weight, layer.bias, stride, 0, dilation, layer.groups)


def _normalised(layer: nn.BatchNorm1d, features: Tensor) -> Tensor:
    assert layer.num_batches_tracked is not None
    assert layer.momentum is not None
    if layer.training:
        layer.num_batches_tracked.add_(1)
    mean, variance = layer.running_mean, layer.running_var
    return functional.batch_norm(
        features, mean, variance, layer.weight, layer.bias, layer.training, layer.momentum, layer.eps
    )


def _of_all_times(layer: nn.AdaptiveAvgPool1d, features: Tensor) -> Tensor:
    return functional.avg_pool2d(features, (1, features.shape[3]))


# Layers in this layout, by the type of the usual one; ours have no padding.
_FORMS: dict[type[nn.Module], Callable[[Any, Tensor], Tensor]] = {
    nn.Conv1d: _convolved,
    nn.BatchNorm1d: _normalised,
    nn.ReLU: lambda _, features: features.relu(),
    nn.Dropout1d: lambda layer, features: functional.dropout2d(features, layer.p, layer.training),
    nn.MaxPool1d: lambda layer, features: functional.max_pool2d(features, (1, layer.kernel_size), (1, layer.stride)),
    nn.AvgPool1d: lambda layer, features: functional.avg_pool2d(features, (1, *layer.kernel_size), (1, *layer.stride)),
    nn.AdaptiveAvgPool1d: _of_all_times,
}
