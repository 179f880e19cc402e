"""Sequence lengths, parameter counts and feasibility of the networks in closed form: no torch, nothing is allocated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from brainage.config.groups.model import NETWORKS
from brainage.errors import ImpossibleArchitectureError
from brainage.models.geometry import stages
from brainage.models.geometry.networks import GEOMETRIES
from brainage.models.geometry.stages import Stage

# Parameters of deeper encoders are not counted, because the counts may have thousands of digits.
_COUNTED_DEPTH = 64

_ALWAYS_FEASIBLE = frozenset({"conv_dropout", "final_dropout", "output_bias"})


def encoder_parameters(architecture: Any) -> int:
    """Count the trainable parameters of a network's encoder."""
    return sum(stage.parameters for stage in _path(architecture))


def linear_inputs(architecture: Any) -> int:
    """Return the number of inputs of the linear layer of a feasible network."""
    return stages.features(_path(architecture), architecture.n_times)


def multiplications(name: str, model: Mapping[str, Any]) -> int:
    """Count the multiplications of a feasible network's encoder for one participant; 0 if it has no geometry."""
    if name not in GEOMETRIES:
        return 0
    architecture = NETWORKS[name](**model)
    return stages.multiplications(_path(architecture), architecture.n_times)


def takes_other_lengths(model: Mapping[str, Any]) -> bool:
    """Return whether a feasible network, given by its plain config with its name, takes series of any length.

    It does if a readout covers all time points. `check_arguments` says whether a length suffices.
    """
    name = str(model["name"])
    return name in GEOMETRIES and any(stage.kind == "readout" for stage in _path(NETWORKS[name](**model)))


def check(name: str, model: Any) -> None:
    """Raise `ImpossibleArchitectureError` if a network, given by its typed config, is infeasible.

    It may have more encoder parameters than its ``max_parameters``, or its sequence may run out.
    """
    if name in GEOMETRIES:
        _check_size(model)
        _check_length(model)


def check_arguments(model: Mapping[str, Any]) -> None:
    """Raise `ImpossibleArchitectureError` if a network, given by its plain config with its name, is infeasible."""
    name = str(model["name"])
    if name in GEOMETRIES:
        check(name, NETWORKS[name](**model))


def depends_on(key: str) -> bool:
    """Return whether feasibility may depend on a config value, given by its dotted key."""
    return key.startswith(("model", "modality")) and key.rpartition(".")[2] not in _ALWAYS_FEASIBLE


def _path(architecture: Any) -> Iterator[Stage]:
    return GEOMETRIES[architecture.name].stages(architecture)


def _check_size(architecture: Any) -> None:
    limit, total, deep = getattr(architecture, "max_parameters", None), 0, False
    if limit is None:
        return
    for stage in _path(architecture):
        if deep := stage.layer > _COUNTED_DEPTH and total > limit:
            break
        total += stage.parameters
    if total > limit:
        keys = GEOMETRIES[architecture.name].size
        raise ImpossibleArchitectureError(
            f"`model.max_parameters={limit}` is exceeded: the encoder would have {'more than ' if deep else ''}{total} "
            f"parameters ({_values(architecture, keys)}). Lower these, or raise the limit."
        )


def _check_length(architecture: Any) -> None:
    found = stages.shortfall(_path(architecture), architecture.n_times)
    if found is None:
        return
    stage, length = found
    keys = GEOMETRIES[architecture.name].length
    fitting = stage.layer - 1
    fits = f"The largest depth that fits is {fitting}; choose that, or lower" if fitting else "No depth fits; lower"
    subject, remedy = (
        (f"`model.depth={architecture.depth}` is impossible with {_values(architecture, keys)}", f"{fits} these")
        if keys
        else (f"`modality.n_times={architecture.n_times}` is too short for {architecture.name}", "Use more time points")
    )
    raise ImpossibleArchitectureError(
        f"{subject}: the sequence of {architecture.n_times} time points runs out in layer {stage.layer}, whose "
        f"{stage.kind} needs {stage.extent} points and gets {length}. {remedy}."
    )


def _values(architecture: Any, keys: tuple[str, ...]) -> str:
    return ", ".join(f"{key}={getattr(architecture, key)}" for key in keys)
