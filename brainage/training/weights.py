"""Read the weights of checkpoints and compare them with a network; this module needs torch, but not Lightning."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from brainage.errors import CheckpointError
from brainage.system.reading import reason_of
from brainage.training.archive import read_archive

# Bytes of a checkpoint, as a multiple of its network's: optimizers keep a few numbers a weight. And of all else.
_TIMES, _MORE = 20, 64 * 2**20


def read_checkpoint(
    path: Path, network: nn.Module | None = None, prefix: str = "", *, tensors: bool = True
) -> dict[str, Any]:
    """Read a checkpoint: tensors and plain values only.

    Parameters
    ----------
    path : Path
        Its file.
    network : nn.Module or None, default=None
        Its weights are compared with those of this network, before memory is allocated for them.
    prefix : str, default=""
        Removed from the names of the weights.
    tensors : bool, default=True
        Whether tensors are read; otherwise they have shapes only.

    Raises
    ------
    CheckpointError
        It is no checkpoint, or of another network.
    """

    def check(checkpoint: Any, size: int) -> None:
        _check_kind(checkpoint, path)
        if network is not None:
            check_fits(network, _without(prefix, checkpoint), path)
            check_size(network, size, path)

    try:
        checkpoint: dict[str, Any] = read_archive(path, check, tensors=tensors)
    except CheckpointError:
        raise
    except FileNotFoundError:
        raise CheckpointError(f"`{path}` must exist, but does not. Start a new run.") from None
    except Exception as error:  # torch's reader raises many kinds
        shown = f": {reason_of(error)}" if type(error) in (ValueError, OSError) else ""
        raise CheckpointError(
            f"`{path}` must be a checkpoint that contains tensors and plain values only, but cannot be read as one "
            f"({type(error).__name__}{shown}). It is damaged or of another kind; restore it, or start a new run."
        ) from None
    return _without(prefix, checkpoint)


def _check_kind(checkpoint: Any, path: Path) -> None:
    if not isinstance(checkpoint, dict) or not {"state_dict", "epoch"} <= set(checkpoint):
        raise CheckpointError(f"`{path}` must be a checkpoint, but has no `state_dict` and `epoch`. Start a new run.")
    if not isinstance(checkpoint["state_dict"], dict):
        raise CheckpointError(f"`{path}` must be a checkpoint, but its `state_dict` names no weights. Start a new run.")


def _without(prefix: str, checkpoint: dict[str, Any]) -> dict[str, Any]:
    weights = {str(name).removeprefix(prefix): value for name, value in checkpoint["state_dict"].items()}
    return {**checkpoint, "state_dict": weights}


def check_fits(network: nn.Module, checkpoint: dict[str, Any], path: Path) -> None:
    """Raise a `CheckpointError` unless a checkpoint's weights have the network's names and shapes."""
    shapes = {key: tuple(getattr(value, "shape", ())) for key, value in checkpoint["state_dict"].items()}
    if (difference := first_difference(network, shapes)) is not None:
        raise CheckpointError(
            f"`{path}` must contain the weights of the network that the config describes, but {difference}. Restore "
            "`config.yaml` and the checkpoint that belongs to it, or start a new run."
        )


def check_size(network: nn.Module, size: int, path: Path) -> None:
    """Raise a `CheckpointError` if a checkpoint is larger than one of this network."""
    limit = _MORE + _TIMES * sum(value.numel() * value.element_size() for value in network.state_dict().values())
    if size > limit:
        raise CheckpointError(
            f"`{path}` must be a checkpoint of the network that is described, which has at most {limit:,} bytes, "
            f"but it has {size:,}. Restore it."
        )


def first_difference(network: nn.Module, found: Mapping[str, tuple[int, ...]]) -> str | None:
    """Return a sentence about the first weight whose shape differs from the network's, or None."""
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    for key in [*expected, *found]:
        if expected.get(key) != found.get(key):
            return (
                f"`{key}` has the shape {found.get(key)} there, and {expected.get(key)} in the network (None: it is "
                "missing)"
            )
    return None
