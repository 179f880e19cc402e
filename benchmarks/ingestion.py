"""Time to read text files into the store, relative to ``numpy.loadtxt`` for the same files on all cores."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import numpy as np

from benchmarks.measure import Result, of_medians

N_PARTICIPANTS = 1000


def measure(folder: Path, repetitions: int) -> list[Result]:
    """Ingest 1,000 participants x ICA100."""
    from brainage.commands.simulate import main as write_files
    from brainage.data.cohorts.bids import BidsCohort
    from brainage.data.store.open import open_store
    from brainage.data.store.reading import Reading

    tree = folder / "tree100"
    words = ["--layout", "bids", "--out", str(tree), "--participants", str(N_PARTICIPANTS)]
    write_files(words)
    cohort = BidsCohort(root=tree)
    ids = cohort.read_table()["participant_id"]
    files = sorted(tree.rglob("*ica-100.txt"))
    n_cores = len(os.sched_getaffinity(0))
    ratios = []
    for _ in range(repetitions):
        started = time.perf_counter()
        for path in files:
            np.loadtxt(path)
        alone = time.perf_counter() - started
        root = folder / "ingested"
        shutil.rmtree(root, ignore_errors=True)
        started = time.perf_counter()
        open_store(root, cohort.find_scans(ids, 100), Reading(100, 490))
        ratios.append((time.perf_counter() - started) / (alone / n_cores))
    shutil.rmtree(root)
    note = f"time of single-core loadtxt for the same files, divided by {n_cores} cores"
    return [of_medians(f"ingestion of {N_PARTICIPANTS:,} ICA100 / loadtxt", ratios, 1.25, note=note)]
