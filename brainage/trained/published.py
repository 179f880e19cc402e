"""Import Lightning checkpoints that were published elsewhere."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from brainage.errors import BrainageError, BundleError, MissingPathError, nearest
from brainage.system.files import CONFIGS
from brainage.trained.network import Architecture, Trained, checked_architecture
from brainage.training.archive import read_archive
from brainage.training.weights import check_size

# Arguments of the network in a checkpoint's `hyper_parameters`, with their types.
_ARGUMENTS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("in_channels", "kernel_size", "depth", "start_out", "stride", "dilation", "n_times"), (int,)),
    **dict.fromkeys(("conv_dropout", "final_dropout"), (int, float)),
    **dict.fromkeys(("double_conv", "batch_norm"), (bool,)),
    **dict.fromkeys(("growth", "readout"), (str,)),
}
_NEEDED = ("in_channels", "kernel_size", "depth", "start_out", "stride")

# The allow-list of classes in a checkpoint: activations and losses.
TRUSTED_CLASSES: list[Any] = [
    *(nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh),
    *(nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss),
]


def read_published(path: Path, modality: str, given: Mapping[str, Any] | None = None) -> tuple[Trained, dict[str, Any]]:
    """Read a Lightning checkpoint; return the network, and a config with ``modality`` and ``model``.

    `given` are values of the modality that its config leaves open, such as ``n_times`` and ``t_r`` of parcels.

    Raises
    ------
    MissingPathError, BundleError, ConfigError
        It cannot be read, contains other objects than tensors, plain values and `TRUSTED_CLASSES`, or its weights do
        not fit its architecture.
    """
    chosen = _modality(modality, given or {})
    checkpoint = _unpickled(path, lambda described, size: _architecture(described, chosen, path, size))
    seen, model, architecture, weights = _architecture(checkpoint, chosen, path)
    architecture.check_weights(weights, path)
    trained = Trained(
        folder=path.parent,
        architecture=architecture,
        weights=weights,
        gap_correction="none",
        correction=None,
        uncorrected="It was imported from a checkpoint without predictions to fit a correction on.",
        ages=None,
        series={},
        facts={"imported_from": path.name, **_facts(path, checkpoint, checkpoint["hyper_parameters"])},
    )
    return trained, {"modality": seen, "model": model}


def _architecture(
    checkpoint: Any, modality: Mapping[str, Any], path: Path, size: int = 0
) -> tuple[dict[str, Any], dict[str, Any], Architecture, dict[str, Tensor]]:
    """Return the modality, the model, what it is built from, and weights of its shapes; raise as `read_published`."""
    if not isinstance(checkpoint, dict):
        raise BundleError(f"`{path}` must contain a Lightning checkpoint, but contains a {type(checkpoint).__name__}.")
    parts = {name: checkpoint.get(name) for name in ("state_dict", "hyper_parameters")}
    lacking = [f"`{name}`" for name, value in parts.items() if not isinstance(value, dict)]
    if lacking:
        raise BundleError(
            f"`{path}` must contain `state_dict` and `hyper_parameters`, as Lightning writes them, but lacks "
            f"{' and '.join(lacking)}. Name a checkpoint of the study's networks."
        )
    state, given = parts["state_dict"] or {}, parts["hyper_parameters"] or {}
    activation = given.get("activation")
    if activation is not None and type(activation) is not nn.ReLU:
        raise BundleError(
            f"`{path}`: `activation` must be ReLU, as in this project's network, but is {type(activation).__name__}."
        )
    seen = _seen(modality, given.get("in_channels"), path)
    model = {"name": "variable1dcnn", "output_bias": "zero", **_arguments(given, seen, path)}
    architecture = checked_architecture(seen, model, path)
    weights = _weights(state, path)
    architecture.check_shapes({key: tuple(tensor.shape) for key, tensor in weights.items()}, path)
    check_size(architecture.outline(), size, path)
    return seen, model, architecture, weights


def _unpickled(path: Path, check: Callable[[Any, int], object]) -> dict[str, Any]:
    """Unpickle a checkpoint of tensors, plain values and `TRUSTED_CLASSES` only."""
    if not path.is_file():
        raise MissingPathError(f"`--checkpoint {path}` must be a file, but there is none. Name an existing one.")
    try:
        with torch.serialization.safe_globals(TRUSTED_CLASSES), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the pickle's protocol; an unreadable file is an error
            checkpoint = read_archive(path, check, follow=True)
    except BrainageError:
        raise
    except pickle.UnpicklingError as error:
        names = _refused(path, str(error))
        raise BundleError(
            f"`{path}` must contain tensors, plain values and a few of torch's classes only, but it loads "
            f"{names or 'something else'}, which can execute any code. It was not read. Ask its author for a file with "
            "the weights only."
        ) from None
    except Exception as error:  # torch's reader raises many kinds
        raise BundleError(
            f"`{path}` must be a checkpoint that torch has written, but cannot be read as one "
            f"({type(error).__name__}). Download it again."
        ) from None
    return dict(checkpoint)


def _refused(path: Path, message: str) -> str:
    """Return the names of the refused classes and functions of a checkpoint."""
    try:
        with torch.serialization.safe_globals(TRUSTED_CLASSES):
            names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # a file of the older format, which that function does not read
        names = re.findall(r"GLOBAL ([\w.]+)", message)
    return ", ".join(f"`{name}`" for name in sorted(set(names))[:5])


def _modality(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of a modality, with values that it leaves open."""
    files = {file.stem: file for file in sorted((CONFIGS / "modality").glob("*.yaml"))}
    if name not in files:
        raise BundleError(f"`--modality` got {name!r}. {nearest(name, files)}")
    plain = yaml.safe_load(files[name].read_text())
    plain.pop("defaults", None)
    values = {**plain, **{key: value for key, value in given.items() if value is not None}}
    if missing := [f"--{key.replace('_', '-')}" for key in given if values[key] == "???"]:
        raise BundleError(f"`--modality {name}` needs {' and '.join(missing)}, of the series that it was trained on.")
    return values


def _seen(modality: Mapping[str, Any], in_channels: Any, path: Path) -> dict[str, Any]:
    """Return the modality with the channels of the checkpoint."""
    good, dimension = modality["good_components"], modality["dimension"]
    if dimension == "???":
        return {**modality, "dimension": in_channels, "n_channels": in_channels}
    widths = {"all": dimension} if good is None else {"good": len(good), "all": dimension}
    components = next((kind for kind, n in widths.items() if n == in_channels), None)
    if components is None:
        expected = " or ".join(f"{n} ({kind})" for kind, n in widths.items())
        raise BundleError(
            f"`{path}`: `in_channels` must be {expected} for --modality {modality['name']}, but is {in_channels!r}. "
            "Use the modality that it was trained on."
        )
    return {**modality, "components": components, "n_channels": in_channels}


def _arguments(given: dict[Any, Any], seen: dict[str, Any], path: Path) -> dict[str, Any]:
    missing = [key for key in _NEEDED if key not in given]
    if missing:
        raise BundleError(
            f"`{path}`: `hyper_parameters` must contain {', '.join(_NEEDED)}, but lacks {', '.join(missing)}."
        )
    arguments: dict[str, Any] = {"n_times": seen["n_times"]}
    for key, kinds in _ARGUMENTS.items():
        if key not in given:
            continue
        value = given[key]
        if isinstance(value, float) and int in kinds and float not in kinds and value.is_integer():
            value = int(value)
        if type(value) not in kinds:
            raise BundleError(
                f"`{path}`: `{key}` must be {' or '.join(kind.__name__ for kind in kinds)}, but is a "
                f"{type(value).__name__}."
            )
        arguments[key] = value
    return arguments


def _weights(state: dict[Any, Any], path: Path) -> dict[str, Tensor]:
    for key, value in state.items():
        if not isinstance(value, Tensor):
            raise BundleError(f"`{path}`: `state_dict` must contain tensors, but `{key}` is a {type(value).__name__}.")
    return {
        str(key): value.detach().float().contiguous() if value.is_floating_point() else value.detach().contiguous()
        for key, value in state.items()
        if str(key).startswith(("encoder.", "decoder."))
    }


def _facts(path: Path, checkpoint: dict[str, Any], given: dict[Any, Any]) -> dict[str, Any]:
    """Return what the checkpoint and its name say about the training."""
    facts: dict[str, Any] = {}
    if type(epoch := checkpoint.get("epoch")) is int:
        facts["epoch"] = epoch
    if found := re.search(r"val_loss=(\d+(?:\.\d+)?)", path.name):
        facts["val_loss"] = float(found[1])
    if (loss := given.get("loss")) is not None:
        facts["loss"] = type(loss).__name__
    return facts
