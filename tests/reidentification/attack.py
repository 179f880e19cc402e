"""An attack: recompute single participants' ages, gaps and categories from the files that people share.

It knows no table of participants. It is run by `tests/reidentification/test_attack.py`, or by hand on a folder:
``python -m tests.reidentification.attack FOLDER``.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import pandas as pd

# What is recomputed, by name: a number of years, or a text.
Found = dict[str, float | str]


def attack(folder: Path) -> Found:
    """Return everything that ``findings.json``, ``gap.csv``, ``associations.csv`` and ``bundle.json`` give away."""
    saved = json.loads((folder / "findings.json").read_text())
    found = {**_extremes("analysed", saved["accuracy"], "age_min", "age_max"), **_sparse_bin(folder, saved)}
    found |= _rare_category(folder, saved) | _rest_of_groups(saved) | _small_cells(saved)
    found |= _rest_of_baselines(saved)
    if (folder / "bundle.json").exists():
        bundle = json.loads((folder / "bundle.json").read_text())
        found |= _extremes("trained", bundle["ages"] or {}, "low", "high")
    return found


def mean_and_sd(saved: dict[str, Any]) -> tuple[float, float] | None:
    """Return mean and SD (n) of the gap: the fitted line passes through the means; MSE is their squares' sum."""
    accuracy, fits = saved["accuracy"], saved["gap_correction"]
    if not fits or fits[0]["method"] != "in_sample" or accuracy["estimates"]["mse"]["value"] is None:
        return None
    mean = fits[0]["intercept"] + fits[0]["slope"] * accuracy["age_mean"]
    return mean, math.sqrt(accuracy["estimates"]["mse"]["value"] - mean**2)


def _extremes(name: str, values: dict[str, Any], lowest: str, highest: str) -> Found:
    keys = {f"lowest {name} age": lowest, f"highest {name} age": highest}
    return {said: values[key] for said, key in keys.items() if values.get(key) is not None}


def _sparse_bin(folder: Path, saved: dict[str, Any]) -> Found:
    """Subtract the described bins from the total."""
    bins, total = pd.read_csv(folder / "gap.csv"), mean_and_sd(saved)
    hidden, shown = bins[bins["bag"].isna()], bins[bins["bag"].notna()]
    if total is None or hidden["n"].tolist() != [1]:
        return {}
    return {"gap in a sparse bin": saved["accuracy"]["n"] * total[0] - float((shown["n"] * shown["bag"]).sum())}


def _rest_of_groups(saved: dict[str, Any]) -> Found:
    """Subtract the groups of a variable from the total, where few are left."""
    found: Found = {}
    n, total = saved["accuracy"]["n"], saved["accuracy"]["estimates"]["mean_gap"]["value"]
    for variable in {group["variable"] for group in saved["groups"]}:
        groups = [group for group in saved["groups"] if group["variable"] == variable]
        n_rest = n - sum(group["n"] for group in groups)
        if 0 < n_rest < 10:
            rest = n * total - sum(group["n"] * group["mean_gap"]["value"] for group in groups)
            found[f"mean gap of the {n_rest} others by {variable}"] = rest / n_rest
    return found


def _rest_of_baselines(saved: dict[str, Any]) -> Found:
    """Subtract the errors of those whom a baseline predicted, its MAE plus the difference, from those of all."""
    found: Found = {}
    n, total = saved["accuracy"]["n"], saved["accuracy"]["estimates"]["mae"]["value"]
    for one in saved["baselines"]:
        both = one["difference"]["n"]
        if one["mae"] is not None and 0 < n - both < 10:
            of_both = both * (one["mae"] + one["difference"]["mae"]["value"])
            found[f"MAE of the {n - both} others of {one['name']}"] = (n * total - of_both) / (n - both)
    return found


def _small_cells(saved: dict[str, Any]) -> Found:
    """Read or compute counts of fewer than ten in the table of the sample."""
    found: Found = {}
    for part, sample in saved["sample"].items():
        for variable, counts in sample["counts"].items():
            cells = {**counts, "others": sample["n"] - sum(counts.values())}
            found |= {f"{variable} {level} in {part}": float(n) for level, n in cells.items() if 0 < n < 10}
    return found


def _rare_category(folder: Path, saved: dict[str, Any]) -> Found:
    """Solve r of a variable that is 1 for one participant for that participant's gap."""
    table, total = pd.read_csv(folder / "associations.csv").set_index("variable"), mean_and_sd(saved)
    found: Found = {}
    for name, flag in saved["flagged"].items():
        if name in saved["coding"]:
            found[f"texts of {name}"] = saved["coding"][name]
        if total is not None and flag.startswith("1 case ") and name in table.index:
            n = int(table.loc[name, "n"])
            # The sign is unknown if the rare category is coded 0.
            found[f"gap of the case of {name}"] = total[0] + float(table.loc[name, "r"]) * total[1] * math.sqrt(n - 1)
    return found


if __name__ == "__main__":
    for said, value in attack(Path(sys.argv[1])).items():
        print(f"{said}: {value}")
