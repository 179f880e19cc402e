"""What adapting to a left-out site gains: ``python -m benchmarks.new_site MULTIRUN``; prints a table for the docs.

The multirun is one of ``split=leave_site_out split.site=all``. Of each site, 10, 20 and 50 controls are drawn 50 times;
the network that left it out is adapted with these, and measured on the others.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brainage.evaluation.adaptation_errors import UNCHANGED
from brainage.trained.adapted_bundle import controls_of
from brainage.trained.ensemble import read_sample
from brainage.trained.last_layer import Controls, fit_change
from brainage.trained.load import read_network_of_run

N_DRAWS, SIZES = 50, (10, 20, 50)


def people_of(folder: Path) -> tuple[str, Controls]:
    """Return the site that a run left out, and its participants."""
    trained = read_network_of_run(folder, "run")
    assert trained.run is not None
    config, predictions = trained.run.config, trained.run.predictions
    tested = predictions.loc[predictions["split"] == "test", "participant_id"]
    everyone = read_sample(config.cohort, trained, config.store.root).participants
    chosen = everyone.where(everyone.table["participant_id"].isin(tested).to_numpy())
    return str(getattr(config.split, "site", "")), controls_of(trained, chosen, device="cpu", batch_size=250)


def mean_errors(people: Controls, n: int) -> dict[str, float]:
    """Return the MAE on the others, a mean over draws of `n` controls, by method."""
    found = defaultdict(list)
    for draw in range(N_DRAWS):
        is_control: NDArray[np.bool_] = np.random.default_rng(draw).permutation(len(people.age)) < n
        controls, others = people.where(is_control), people.where(~is_control)
        found[UNCHANGED].append(np.abs(others.predicted - others.age).mean())
        for method in people.methods:
            after = fit_change(method, controls).apply(others.predicted, others.features)
            found[method].append(np.abs(after - others.age).mean())
    return {method: float(np.mean(values)) for method, values in found.items()}


def main() -> None:
    """Print a row per site and number of controls."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.new_site", description=__doc__)
    parser.add_argument("multirun", type=Path)
    parser.add_argument("--shift", type=float, default=0.0, help="years that are added to all predictions (default: 0)")
    options = parser.parse_args()
    jobs = sorted(path.parent for path in options.multirun.glob("*/predictions.csv"))
    rows: dict[int, list[dict[str, float]]] = defaultdict(list)
    for job in jobs:
        site, people = people_of(job)
        people = replace(people, predicted=people.predicted + options.shift)
        for n in SIZES:
            rows[n].append(errors := mean_errors(people, n))
            gap = float((people.predicted - people.age).mean())
            print(f"| {site} ({gap:+.2f}) | {n} | " + " | ".join(f"{value:.2f}" for value in errors.values()) + " |")
    for n, each in rows.items():
        means = (np.mean([errors[method] for errors in each]) for method in each[0])
        print(f"| mean of {len(each)} sites | {n} | " + " | ".join(f"{value:.2f}" for value in means) + " |")


if __name__ == "__main__":
    main()
