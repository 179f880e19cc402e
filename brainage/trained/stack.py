"""Stacks: several trained networks that are joined by weights, in a folder that can be shared.

A stack's folder contains a bundle of each network (``member-1``, ``member-2``, ...), ``stack.json`` (their weights, the
correction of the joined gap, metrics) and ``README.md``, the model card.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brainage.config.rules import is_number
from brainage.errors import BundleError, MissingPathError
from brainage.system.files import as_output_error, write_text
from brainage.system.reading import read_json
from brainage.trained.bundle import (
    CARD,
    STACK,
    check_unused,
    correction_manifest,
    parsed,
    read_bundle,
    read_correction,
    write_bundle,
)
from brainage.trained.card import stack_card
from brainage.trained.intervals import manifest_of, read_intervals
from brainage.trained.network import Trained, TrainedStack

# Increase it when the contents of a stack change.
_FORMAT = 1

# Networks that a stack may have.
_MOST = 1000

# How far the sum of weights may be from 1.
_ROUNDING = 1e-6


def member_folder(folder: Path, number: int) -> Path:
    """Return the folder of a member, numbered from 1."""
    return folder / f"member-{number}"


def write_stack(folder: Path, stack: TrainedStack, configs: Sequence[dict[str, Any]]) -> None:
    """Write a stack; `configs` are those of the members, resolved.

    Raises an `OutputError` if the folder is not empty, or cannot be written. It appears atomically.
    """
    check_unused(folder)
    unfinished = folder.resolve().with_name(f".{folder.resolve().name}.partial")
    try:
        with as_output_error(folder, "--out "):
            if unfinished.exists():
                shutil.rmtree(unfinished)  # of a killed export
            unfinished.mkdir(parents=True)
        for number, (member, config) in enumerate(zip(stack.members, configs, strict=True), start=1):
            write_bundle(member_folder(unfinished, number), member, config)
        write_text(unfinished / CARD, stack_card(stack))
        write_text(unfinished / STACK, json.dumps(_manifest(stack), indent=2, allow_nan=False) + "\n")
        with as_output_error(folder, "--out "):
            unfinished.rename(folder.resolve())
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _manifest(stack: TrainedStack) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "weights": list(stack.weights),
        **correction_manifest(stack.gap_correction, stack.correction, stack.uncorrected),
        **manifest_of(stack.intervals),
        "facts": stack.facts,
    }


def is_stack(folder: Path) -> bool:
    """Return whether a folder is that of a stack."""
    return (folder / STACK).is_file()


def read_stack(folder: Path, key: str) -> TrainedStack:
    """Read a stack, without executing anything in it.

    Raises
    ------
    MissingPathError, BundleError
        It or one of its networks is missing or damaged.
    """
    path = folder / STACK
    if path.is_symlink():
        raise BundleError(f"`{path}` must be a file, but is a link to another one. Copy that file there.")
    plain = parsed(path, read_json)
    if plain.get("format") != _FORMAT:
        raise BundleError(
            f"`{path}` must be of format {_FORMAT}, but is of {plain.get('format')!r}. Export the stack again with "
            "this version."
        )
    try:
        weights, facts = _checked_weights(plain["weights"]), plain["facts"]
        method, correction, reason = read_correction(plain)
        intervals = read_intervals(plain)
        if not isinstance(facts, dict):
            raise ValueError("kinds")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(
            f"`{path}` must have the keys and values of a stack, but cannot be read ({type(error).__name__}). Export "
            "the stack again."
        ) from None
    members = tuple(_read_member(folder, number, key) for number in range(1, len(weights) + 1))
    return TrainedStack(folder, members, weights, method, correction, reason, facts, intervals)


def _read_member(folder: Path, number: int, key: str) -> Trained:
    own = member_folder(folder, number)
    if own.is_symlink() or not own.is_dir():
        raise MissingPathError(
            f"`{key}={folder}` must contain the folder `{own.name}`, a bundle of one of its networks, but it does not. "
            "Copy the stack again."
        )
    return read_bundle(own, key)


def _checked_weights(plain: Any) -> tuple[float, ...]:
    if not isinstance(plain, list) or not 0 < len(plain) <= _MOST or not all(map(is_number, plain)):
        raise ValueError("weights")
    weights = tuple(map(float, plain))
    if min(weights) <= 0 or not math.isclose(sum(weights), 1, abs_tol=_ROUNDING):
        raise ValueError("weights")
    return weights
