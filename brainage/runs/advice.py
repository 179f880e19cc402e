"""What helps small studies, as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brainage.models import is_baseline

# Participants of a study that is not small.
_SMALL = 300
# Participants of a part of the split whose error says little.
_FEW = 30
# Steps of an epoch after which a network has hardly moved, and steps that suffice.
_FEW_STEPS, _STEPS = 5, 8


def advice(summary: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """Return what would help a run with fewer than 300 participants, by its summary and its plain config."""
    n = summary["n"]
    if sum(n.values()) >= _SMALL:
        return []
    notes = []
    if n["test"] < _FEW and config["split"]["name"] == "random":
        notes.append(
            f"Only {n['test']} participants are tested. split=kfold tests each participant once: "
            "brainage train --multirun split=kfold 'split.fold=range(5)'."
        )
    if is_baseline(summary["model"]["name"]):
        return notes
    batch_size = int(config["batch_size"])
    steps = -(-n["train"] // batch_size)
    if steps < _FEW_STEPS:
        notes.append(
            f"An epoch has {steps} steps with batch_size={batch_size}. Networks of few participants learn faster with "
            f"batch_size={_batch_size(n['train'])}, {_STEPS} steps or more."
        )
    epochs, best, limit = summary["epochs"], summary["best_epoch"], config["trainer"].get("max_epochs")
    if epochs == limit and best == epochs - 1:
        notes.append(
            f"The best epoch is the last of {epochs}: it may still improve. Use trainer.max_epochs={2 * epochs}."
        )
    return notes


def _batch_size(n_train: int) -> int:
    """Return the largest power of 2 that gives enough steps, from 2."""
    size = 2
    while size * 2 * _STEPS <= n_train:
        size *= 2
    return size
