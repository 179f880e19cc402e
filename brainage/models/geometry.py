"""What a network's architecture implies - lengths, parameter counts, whether it can exist - in closed form.

No torch here, and nothing is allocated: an impossible network is refused at once, however large it would be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from brainage.config.schema import Simple1DCNNConfig, Variable1DCNNConfig
from brainage.errors import ImpossibleArchitectureError

SIMPLE_CHANNELS = (32, 64, 128, 256)
SIMPLE_KERNEL_SIZE = 5
SIMPLE_STRIDE = 2

# Beyond this depth counts are exact no longer, only known to be over the limit: they have thousands of digits.
_COUNTED_DEPTH = 64


@dataclass(frozen=True)
class Stage:
    """One step that shortens the sequence.

    Parameters
    ----------
    layer : int
        The layer it belongs to, from 1.
    kind : {"convolution", "pooling"}
        What it is.
    extent : int
        Points that it looks at together.
    step : int
        Points between two of its outputs.
    """

    layer: int
    kind: str
    extent: int
    step: int

    def output_length(self, length: int) -> int:
        """Return the points that come out of `length` points; 0 or less when it does not fit."""
        return (length - self.extent) // self.step + 1 if length >= self.extent else 0


def stages(architecture: Variable1DCNNConfig) -> Iterator[Stage]:
    """Yield what shortens the sequence in a `variable1dcnn`, in order."""
    extent = architecture.dilation * (architecture.kernel_size - 1) + 1
    for layer in range(1, architecture.depth + 1):
        for _ in range(1 + architecture.double_conv):
            yield Stage(layer, "convolution", extent, 1)
        yield Stage(layer, "pooling", architecture.kernel_size, architecture.stride)


def channels(architecture: Variable1DCNNConfig) -> list[int]:
    """Return the channels that come out of each convolution of a `variable1dcnn`, in order."""
    n_convolutions = architecture.depth * (1 + architecture.double_conv)
    return [architecture.start_out * 2**i for i in range(n_convolutions)]


def encoder_parameters(architecture: Variable1DCNNConfig) -> int:
    """Return the number of trainable parameters of a `variable1dcnn`'s encoder."""
    total, incoming = 0, architecture.in_channels
    for outgoing in channels(architecture):
        total += outgoing * incoming * architecture.kernel_size + outgoing
        total += 2 * outgoing if architecture.batch_norm else 0
        incoming = outgoing
    return total


def flattened_features(architecture: Variable1DCNNConfig) -> int:
    """Return the width of the last layer's input of a `variable1dcnn` that can exist."""
    length = architecture.n_times
    for stage in stages(architecture):
        length = stage.output_length(length)
    return length * channels(architecture)[-1]


def multiplications(name: str, model: Mapping[str, Any]) -> int:
    """Return how many multiplications the convolutions of a network take for one participant.

    Parameters
    ----------
    name : str
        The network's name; one that has no geometry counts 0.
    model : mapping
        What its config has. The network can exist.
    """
    if name == "variable1dcnn":
        architecture = Variable1DCNNConfig(**model)
        outgoing = channels(architecture)
        incoming = [architecture.in_channels, *outgoing]
        length, total, position = architecture.n_times, 0, 0
        for stage in stages(architecture):
            length = stage.output_length(length)
            if stage.kind == "convolution":
                total += length * incoming[position] * outgoing[position] * architecture.kernel_size
                position += 1
        return total
    return 0


def check_variable1dcnn(architecture: Variable1DCNNConfig) -> None:
    """Refuse a `variable1dcnn` that cannot exist or is too large, the limit on parameters first.

    Raises
    ------
    ImpossibleArchitectureError
        The message holds the count and the limit; or the layer that runs out, its points, and the largest depth.
    """
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
    """Refuse a `simple1dcnn` whose sequence runs out.

    Raises
    ------
    ImpossibleArchitectureError
        The message holds the layer that runs out and its points.
    """
    pairs = (
        (Stage(layer, "convolution", SIMPLE_KERNEL_SIZE, 1), Stage(layer, "pooling", SIMPLE_KERNEL_SIZE, SIMPLE_STRIDE))
        for layer in range(1, len(SIMPLE_CHANNELS) + 1)
    )
    shortfall = _shortfall((stage for pair in pairs for stage in pair), architecture.n_times)
    if shortfall is not None:
        stage, length = shortfall
        raise ImpossibleArchitectureError(
            f"`modality.n_times={architecture.n_times}` is too short for simple1dcnn: the sequence runs out in layer "
            f"{stage.layer}, whose {stage.kind} needs {stage.extent} points and gets {length}. Use more time points."
        )


def check(name: str, model: object) -> None:
    """Refuse an impossible network of any kind that has a geometry here.

    Parameters
    ----------
    name : str
        The network's name; one that has no geometry is not checked.
    model : object
        Its config.

    Raises
    ------
    ImpossibleArchitectureError
        See the network's own check.
    """
    if name in _CHECKS:
        _CHECKS[name](model)


def depends_on(key: str) -> bool:
    """Tell whether what can exist may depend on a value of the config, by its dotted key."""
    return key.startswith(("model", "modality")) and key.rpartition(".")[2] not in _FREE


_FREE = frozenset({"conv_dropout", "final_dropout", "output_bias"})


def check_arguments(model: Mapping[str, Any]) -> None:
    """Refuse an impossible network; see `check`.

    Parameters
    ----------
    model : mapping
        The network's name, and what else its config has.
    """
    schema = _SCHEMAS.get(str(model["name"]))
    if schema is not None:
        check(str(model["name"]), schema(**model))


_SCHEMAS: Mapping[str, Callable[..., Any]] = {
    "variable1dcnn": Variable1DCNNConfig,
    "simple1dcnn": Simple1DCNNConfig,
}

_CHECKS: Mapping[str, Callable[[Any], None]] = {
    "variable1dcnn": check_variable1dcnn,
    "simple1dcnn": check_simple1dcnn,
}


def _check_size(architecture: Variable1DCNNConfig) -> None:
    deep = architecture.depth > _COUNTED_DEPTH
    # Every further layer multiplies the count, so a deep network is over any limit that its first layers are over.
    counted = architecture if not deep else _shallower(architecture, _COUNTED_DEPTH)
    count = encoder_parameters(counted)
    if count > architecture.max_parameters:
        raise ImpossibleArchitectureError(
            f"`model.max_parameters={architecture.max_parameters}` is exceeded: the encoder would have "
            f"{'more than ' if deep else ''}{count} parameters (depth={architecture.depth}, "
            f"start_out={architecture.start_out}, double_conv={architecture.double_conv}). Lower these, or raise the "
            "limit."
        )


def _shallower(architecture: Variable1DCNNConfig, depth: int) -> Variable1DCNNConfig:
    return Variable1DCNNConfig(**{**vars(architecture), "depth": depth})


def _shortfall(path: Iterator[Stage], length: int) -> tuple[Stage, int] | None:
    """Return the first stage that does not fit and the points that reach it; None where all fit."""
    for stage in path:
        if stage.output_length(length) < 1:
            return stage, length
        length = stage.output_length(length)
    return None
