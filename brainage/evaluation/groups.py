"""Accuracy and mean gap of groups: sexes, sites, thirds of age, and groups that are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.evaluation.by_age import age_bins, quantile_edges
from brainage.evaluation.disclosure import MIN_SHOWN
from brainage.evaluation.intervals import Estimate, bootstrap
from brainage.evaluation.shown_values import Mask, described_groups
from brainage.evaluation.variables import as_text

_Array = NDArray[np.float64]

_SEXES = {"0": "female", "1": "male"}


@dataclass(frozen=True)
class Group:
    """Accuracy of raw predictions and mean gap in one group of the analysed rows, with 95 % bootstrap intervals.

    Parameters
    ----------
    variable, level : str
        ``age``, ``sex``, ``site`` or the column of groups, and which.
    n : int
        Participants.
    mae, mean_gap, mean_gap_corrected : Estimate
        In years.
    """

    variable: str
    level: str
    n: int
    mae: Estimate
    mean_gap: Estimate
    mean_gap_corrected: Estimate = Estimate(None)


def measure_groups(rows: pd.DataFrame, column: str | None = None, *, n_resamples: int, seed: int) -> list[Group]:
    """Measure the analysed rows in thirds of age, by sex, site and group, where at least two may be described.

    Parameters
    ----------
    rows : DataFrame
        ``age``, ``bag``, and where known ``bag_corrected``, ``sex`` and ``site``.
    column : str, optional
        The column of groups.
    n_resamples, seed : int
        See `brainage.evaluation.intervals.bootstrap`.
    """
    age = rows["age"].to_numpy(float)
    named = dict.fromkeys(["sex", "site", *([column] if column else [])])
    variables = {"age": thirds(age), **{name: levels_of(rows, name) for name in named}}
    return [
        Group(variable, level, int(mask.sum()), **_measured(rows[mask], n_resamples, seed))
        for variable, levels in described_levels(age, variables).items()
        for level, mask in levels.items()
    ]


def described_levels(age: _Array, variables: Mapping[str, Mapping[str, Mask]]) -> dict[str, dict[str, Mask]]:
    """Return the levels of variables that may be described beside age bins and each other, where at least two may."""
    described: list[list[Mask]] = [[(age >= low) & (age < high) for low, high in age_bins(age)]]
    found = {}
    for variable, levels in variables.items():
        may = described_groups([*levels.values()], described)
        shown = {level: mask for (level, mask), is_shown in zip(levels.items(), may, strict=True) if is_shown}
        if len(shown) > 1:
            described.append([*shown.values()])
            found[variable] = shown
    return found


def levels_of(rows: pd.DataFrame, name: str) -> dict[str, Mask]:
    """Return the rows of each level of ``sex`` or ``site``, and those without one; nothing if no row has one."""
    if name not in rows or rows[name].isna().all():
        return {}
    values = as_text(rows[name])
    if name == "sex":
        values = values.replace(_SEXES)
    unknown = rows[name].isna().to_numpy()
    levels = {level: values.eq(level).to_numpy() for level in sorted(values[~unknown].unique())}
    return levels | ({"unknown": unknown | values.eq("unknown").to_numpy()} if unknown.any() else {})


def thirds(age: _Array) -> dict[str, Mask]:
    """Return thirds of age, at edges of age bins where fewer than ten participants are between."""
    if len(age) < 3 * MIN_SHOWN:
        return {}
    edges = np.array([low for low, _ in age_bins(age)])
    ends = np.unique([_snapped(age, end, edges) for end in quantile_edges(age, 3)])
    limits = [-np.inf, *ends, np.inf]
    masks = [(age >= low) & (age < high) for low, high in zip(limits[:-1], limits[1:], strict=True)]
    names = [
        f"under {ends[0]:g}",
        *(f"{a:g} to {b:g}" for a, b in zip(ends[:-1], ends[1:], strict=True)),
        f"from {ends[-1]:g}",
    ]
    return dict(zip(names, masks, strict=True))


def _snapped(age: _Array, end: float, edges: _Array) -> float:
    """Return the edge with the fewest participants between, if those are fewer than ten, else the end itself."""
    n_between = [int(((age >= min(end, edge)) & (age < max(end, edge))).sum()) for edge in edges]
    nearest = int(np.argmin(n_between))
    return float(edges[nearest] if n_between[nearest] < MIN_SHOWN else end)


def _measured(rows: pd.DataFrame, n_resamples: int, seed: int) -> dict[str, Estimate]:
    columns = {"mae": rows["bag"].abs(), "mean_gap": rows["bag"]}
    if "bag_corrected" in rows and rows["bag_corrected"].notna().all():
        columns["mean_gap_corrected"] = rows["bag_corrected"]
    values = np.stack([column.to_numpy(float) for column in columns.values()], axis=1)

    def means(counts: _Array) -> dict[str, _Array]:
        return dict(zip(columns, (counts @ values / counts.sum(axis=1, keepdims=True)).T, strict=True))

    return bootstrap(means, len(rows), n_resamples=n_resamples, seed=seed)
