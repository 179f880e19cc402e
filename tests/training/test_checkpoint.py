"""Checkpoints are written atomically."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch

from brainage.system.signals import Interruption, interruptible
from brainage.training.checkpoint import AtomicCheckpointIO


class Stopped:
    """Sends SIGTERM to the process while it is pickled; unpickles as 1."""

    def __reduce__(self) -> tuple[type[int], tuple[str]]:
        os.kill(os.getpid(), signal.SIGTERM)
        return int, ("1",)


def test_a_signal_waits_until_the_checkpoint_is_written(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    with pytest.raises(Interruption), interruptible():
        AtomicCheckpointIO().save_checkpoint({"stopped": Stopped(), "weights": torch.arange(3.0)}, path)
    assert list(tmp_path.iterdir()) == [path]
    with torch.serialization.safe_globals([int]):
        assert torch.load(path, weights_only=True)["weights"].tolist() == [0, 1, 2]


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"epoch": 1}, path)
    with pytest.raises(Exception, match="pickle"):
        AtomicCheckpointIO().save_checkpoint({"epoch": lambda: 2}, path)
    assert list(tmp_path.iterdir()) == [path]
    assert torch.load(path, weights_only=True) == {"epoch": 1}
