"""Sequence lengths, parameter counts and feasibility of the networks in closed form: no torch, nothing is allocated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from brainage.config.groups.model import Simple1DCNNConfig, Variable1DCNNConfig
from brainage.errors import ImpossibleArchitectureError

SIMPLE_CHANNELS = (32, 64, 128, 256)
SIMPLE_KERNEL_SIZE = 5
SIMPLE_STRIDE = 2

# Parameters of deeper encoders are not counted, because the counts have thousands of digits.
_COUNTED_DEPTH = 64


@dataclass(frozen=True)
class Stage:
    """A convolution or a pooling: `extent` is its receptive field and `step` its stride, in points.

    `layer` counts from 1; `kind` is "convolution", "pooling", or "average", which covers all points.
    """

    layer: int
    kind: str
    extent: int = 1
    step: int = 1

    def output_length(self, length: int) -> int:
        """Return the output length for an input of `length` points; 0 if the input is too short."""
        if self.kind == "average":
            return min(length, 1)
        return (length - self.extent) // self.step + 1 if length >= self.extent else 0


def stages(architecture: Variable1DCNNConfig) -> Iterator[Stage]:
    """Yield the convolutions and poolings of a `variable1dcnn`, in order."""
    extent = architecture.dilation * (architecture.kernel_size - 1) + 1
    for layer in range(1, architecture.depth + 1):
        for _ in range(1 + architecture.double_conv):
            yield Stage(layer, "convolution", extent, 1)
        if architecture.readout == "global_average" and layer == architecture.depth:
            yield Stage(layer, "average")
        else:
            yield Stage(layer, "pooling", architecture.kernel_size, architecture.stride)


def channels(architecture: Variable1DCNNConfig) -> list[int]:
    """Return the output channels of each convolution of a `variable1dcnn`, in order."""
    per_layer = 1 + architecture.double_conv
    # Convolutions until the width doubles.
    every = {"convolution": 1, "layer": per_layer, "none": architecture.depth * per_layer}[architecture.growth]
    return [architecture.start_out * 2 ** (i // every) for i in range(architecture.depth * per_layer)]


def encoder_parameters(architecture: Variable1DCNNConfig) -> int:
    """Count the trainable parameters of a `variable1dcnn`'s encoder."""
    total, incoming = 0, architecture.in_channels
    for outgoing in channels(architecture):
        total += outgoing * incoming * architecture.kernel_size + outgoing
        total += 2 * outgoing if architecture.batch_norm else 0
        incoming = outgoing
    return total


def flattened_features(architecture: Variable1DCNNConfig) -> int:
    """Return the number of inputs of the linear layer of a feasible `variable1dcnn`."""
    return output_length(stages(architecture), architecture.n_times) * channels(architecture)[-1]


def output_length(path: Iterable[Stage], length: int) -> int:
    """Return the number of time points after all stages."""
    for stage in path:
        length = stage.output_length(length)
    return length


def multiplications(name: str, model: Mapping[str, Any]) -> int:
    """Count the convolutions' multiplications for one participant of a feasible network; 0 if it has no geometry."""
    if name != "variable1dcnn":
        return 0
    architecture = Variable1DCNNConfig(**model)
    outgoing = channels(architecture)
    pairs = zip([architecture.in_channels, *outgoing], outgoing, strict=False)
    length, total = architecture.n_times, 0
    for stage in stages(architecture):
        length = stage.output_length(length)
        if stage.kind == "convolution":
            n_in, n_out = next(pairs)
            total += length * n_in * n_out * architecture.kernel_size
    return total


def check_variable1dcnn(architecture: Variable1DCNNConfig) -> None:
    """Raise `ImpossibleArchitectureError` if a `variable1dcnn` has too many parameters or its sequence runs out."""
    _check_size(architecture)
    shortfall = _shortfall(stages(architecture), architecture.n_times)
    if shortfall is None:
        return
    stage, length = shortfall
    fitting = stage.layer - 1
    remedy = (
        f"The largest depth that fits is {fitting}; choose that, or lower `model.kernel_size`, `model.stride` or "
        "`model.dilation`."
        if fitting
        else "No depth fits; lower `model.kernel_size` or `model.dilation`."
    )
    raise ImpossibleArchitectureError(
        f"`model.depth={architecture.depth}` is impossible with kernel_size={architecture.kernel_size}, "
        f"stride={architecture.stride}, dilation={architecture.dilation}, double_conv={architecture.double_conv}: the "
        f"sequence of {architecture.n_times} time points runs out in layer {stage.layer}, whose {stage.kind} needs "
        f"{stage.extent} points and gets {length}. {remedy}"
    )


def check_simple1dcnn(architecture: Simple1DCNNConfig) -> None:
    """Raise `ImpossibleArchitectureError` if the sequence of a `simple1dcnn` runs out."""
    shortfall = _shortfall(simple1dcnn_stages(), architecture.n_times)
    if shortfall is not None:
        stage, length = shortfall
        raise ImpossibleArchitectureError(
            f"`modality.n_times={architecture.n_times}` is too short for simple1dcnn: the sequence runs out in layer "
            f"{stage.layer}, whose {stage.kind} needs {stage.extent} points and gets {length}. Use more time points."
        )


def simple1dcnn_stages() -> Iterator[Stage]:
    """Yield the convolutions and poolings of a `simple1dcnn`, in order."""
    for layer in range(1, len(SIMPLE_CHANNELS) + 1):
        yield Stage(layer, "convolution", SIMPLE_KERNEL_SIZE, 1)
        yield Stage(layer, "pooling", SIMPLE_KERNEL_SIZE, SIMPLE_STRIDE)


# A network whose arguments can be infeasible: its schema and its check.
_CHECKS: Mapping[str, tuple[Callable[..., Any], Callable[[Any], None]]] = {
    "variable1dcnn": (Variable1DCNNConfig, check_variable1dcnn),
    "simple1dcnn": (Simple1DCNNConfig, check_simple1dcnn),
}

_ALWAYS_FEASIBLE = frozenset({"conv_dropout", "final_dropout", "output_bias"})


def check(name: str, model: object) -> None:
    """Raise `ImpossibleArchitectureError` if a network, given by its typed config, is infeasible."""
    if name in _CHECKS:
        _CHECKS[name][1](model)


def check_arguments(model: Mapping[str, Any]) -> None:
    """Raise `ImpossibleArchitectureError` if a network, given by its plain config with its name, is infeasible."""
    name = str(model["name"])
    if name in _CHECKS:
        check(name, _CHECKS[name][0](**model))


def depends_on(key: str) -> bool:
    """Return whether feasibility may depend on a config value, given by its dotted key."""
    return key.startswith(("model", "modality")) and key.rpartition(".")[2] not in _ALWAYS_FEASIBLE


def _check_size(architecture: Variable1DCNNConfig) -> None:
    deep = architecture.depth > _COUNTED_DEPTH
    counted = replace(architecture, depth=_COUNTED_DEPTH) if deep else architecture
    count = encoder_parameters(counted)
    if count > architecture.max_parameters:
        raise ImpossibleArchitectureError(
            f"`model.max_parameters={architecture.max_parameters}` is exceeded: the encoder would have "
            f"{'more than ' if deep else ''}{count} parameters (depth={architecture.depth}, "
            f"start_out={architecture.start_out}, double_conv={architecture.double_conv}). Lower these, or raise the "
            "limit."
        )


def _shortfall(path: Iterable[Stage], length: int) -> tuple[Stage, int] | None:
    """Return the first stage whose input is too short, and that input's length; None if all fit."""
    for stage in path:
        if stage.output_length(length) < 1:
            return stage, length
        length = stage.output_length(length)
    return None
