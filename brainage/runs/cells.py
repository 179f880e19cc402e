"""Cells of a grid, and the one that validation chooses."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

# What differs between trainings of one cell of a grid, and is not chosen.
_REPEATED = ("seed=", "model.seed=", "split.")


def chosen_cells(rows: list[dict[str, Any]]) -> set[tuple[str, ...]]:
    """Return the cells whose test errors are shown: the one with the lowest mean validation MSE, or the only one."""
    errors: dict[tuple[str, ...], list[float]] = {cell_of(row["overrides"]): [] for row in rows}
    if len(errors) < 2:
        return set(errors)
    for row in rows:
        if row["val/mse"] is not None:
            errors[cell_of(row["overrides"])].append(row["val/mse"])
    means = {key: fmean(values) for key, values in errors.items() if values}
    return {min(means, key=lambda key: means[key])} if means else set()


def cell_of(overrides: Sequence[str]) -> tuple[str, ...]:
    """Return what jobs of a grid share that differ by seed or split only."""
    return tuple(word for word in overrides if not word.startswith(_REPEATED))
