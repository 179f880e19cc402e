"""Time of `brainage check` for 5,000 participants in a tree as XCP-D writes it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from benchmarks.measure import Result, of_medians, run

N_PARTICIPANTS, N_DIFFERENT = 5000, 50


def measure(folder: Path, repetitions: int) -> list[Result]:
    """Check 490 time points of 100 parcels, with names, of each participant."""
    tree = folder / "xcpd"
    _write(tree)
    words = ("-m", "brainage", "check", "cohort=bids", f"cohort.root={tree}")
    seconds = [run(folder, *words, f"hydra.run.dir={folder / str(number)}").seconds for number in range(repetitions)]
    n_cores = len(os.sched_getaffinity(0))
    note = f"{N_PARTICIPANTS:,} tables with names, of 490 time points and 100 parcels, on {n_cores} cores"
    return [of_medians(f"check of {N_PARTICIPANTS:,} files", seconds, 120, unit="s", note=note)]


def _write(tree: Path) -> None:
    """Write the tree; files are links to a few that differ, which takes less disk and is read as fast."""
    rng, header = np.random.default_rng(1), "\t".join(f"LH_Vis_{number}" for number in range(1, 101))
    paths: list[Path] = []
    for number in range(N_PARTICIPANTS):
        name = f"sub-{number:05d}"
        path = tree / name / "ses-1" / "func" / f"{name}_ses-1_task-rest_seg-100Parcels_stat-mean_timeseries.tsv"
        path.parent.mkdir(parents=True)
        if number < N_DIFFERENT:
            values = rng.normal(size=(490 + number, 100))
            np.savetxt(path, values, fmt="%.6f", delimiter="\t", header=header, comments="")
            paths.append(path)
        else:
            path.hardlink_to(paths[number % N_DIFFERENT])
    rows = [f"sub-{number:05d}\t{45 + number % 40}" for number in range(N_PARTICIPANTS)]
    (tree / "participants.tsv").write_text("\n".join(["participant_id\tage", *rows]) + "\n")
