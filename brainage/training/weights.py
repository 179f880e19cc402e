"""Read the weights of checkpoints and compare them with a network; this module needs torch, but not Lightning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from brainage.errors import CheckpointError


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint, unpickling tensors and plain values only; raise a `CheckpointError` if it is not one."""
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"`{path}` must exist, but does not. Start a new run.") from None
    except Exception as error:  # torch's reader raises many kinds
        raise CheckpointError(
            f"`{path}` must be a checkpoint that contains tensors and plain values only, but cannot be read as one "
            f"({type(error).__name__}). It is damaged or of another kind; restore it, or start a new run."
        ) from None
    if not isinstance(checkpoint, dict) or not {"state_dict", "epoch"} <= set(checkpoint):
        raise CheckpointError(f"`{path}` must be a checkpoint, but has no `state_dict` and `epoch`. Start a new run.")
    if not isinstance(checkpoint["state_dict"], dict):
        raise CheckpointError(f"`{path}` must be a checkpoint, but its `state_dict` names no weights. Start a new run.")
    return checkpoint


def check_fits(network: nn.Module, checkpoint: dict[str, Any], path: Path) -> None:
    """Raise a `CheckpointError` unless a checkpoint's weights have the network's names and shapes."""
    if (difference := first_difference(network, checkpoint["state_dict"])) is not None:
        raise CheckpointError(
            f"`{path}` must contain the weights of the network that the config describes, but {difference}. Restore "
            "`config.yaml` and the checkpoint that belongs to it, or start a new run."
        )


def first_difference(network: nn.Module, weights: dict[str, Any]) -> str | None:
    """Return a sentence about the first weight whose shape differs from the network's, or None."""
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    found = {key: tuple(getattr(value, "shape", ())) for key, value in weights.items()}
    for key in [*expected, *found]:
        if expected.get(key) != found.get(key):
            return (
                f"`{key}` has the shape {found.get(key)} there, and {expected.get(key)} in the network (None: it is "
                "missing)"
            )
    return None
