"""What helps small studies, as sentences; a command in one has a line of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brainage.data.batches import N_STEPS, batch_size_for
from brainage.evaluation.gap import MIN_CROSSFITTED, MIN_VALIDATION
from brainage.models import is_baseline
from brainage.system.invocation import command_text

# Participants of a study that is not small.
_SMALL = 300
# Participants of a part of the split whose error says little.
_FEW = 30
# Steps of an epoch after which a network has hardly moved.
_FEW_STEPS = 5


def advice(summary: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """Return what would help a run with fewer than 300 participants, by its summary and its plain config."""
    n = summary["n"]
    if sum(n.values()) >= _SMALL:
        return []
    notes = _on_split(n, config["split"]["name"])
    if is_baseline(summary["model"]["name"]):
        return notes
    batch_size = config["batch_size"]
    if isinstance(batch_size, int) and (steps := -(-n["train"] // batch_size)) < _FEW_STEPS:
        auto = f"batch_size=auto, which is {batch_size_for(n['train'])} here"
        notes.append(
            f"With batch_size={batch_size}, the number of steps of an epoch is {steps}. Networks of few participants "
            f"learn faster with {N_STEPS} steps or more: use {auto}."
        )
    epochs, best, limit = summary["epochs"], summary["best_epoch"], config["trainer"].get("max_epochs")
    if epochs == limit and best == epochs - 1:
        notes.append(
            f"The best epoch is the last of {epochs}: it may still improve. Use trainer.max_epochs={2 * epochs}."
        )
    return notes


def _on_split(n: Mapping[str, int], split: str) -> list[str]:
    """Return what helps where parts have few participants."""
    few = [f"{n[part]} in {part}" for part in ("val", "test") if n[part] < _FEW]
    if not few or split != "random":
        return []
    words, also = ["split=kfold", "split.fold=range(5)"], ""
    if n["val"] < MIN_VALIDATION and sum(n.values()) >= MIN_CROSSFITTED:
        words.append("gap_correction=crossfit")
        also = ", and gap_correction=crossfit corrects the gap by fits on other folds"
    return [
        f"There are only {' and '.join(few)}. With split=kfold, each participant is tested once{also}. Begin your "
        f"command with:\n  {command_text('train', '--multirun', *words)}"
    ]
