"""Time to read text files into the store, relative to NumPy or pandas for the same files on all cores."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measure import Result, of_medians

N_PARTICIPANTS = 1000


def measure(folder: Path, repetitions: int) -> list[Result]:
    """Ingest 1,000 participants x ICA100, and 5,000 tables with a header: as many files, each read five times.

    Pandas reads a table in half the time of NumPy, so that the start of worker processes would count more.
    """
    from brainage.commands.simulate import main as write_files

    tree = folder / "tree100"
    write_files(["--layout", "bids", "--out", str(tree), "--participants", str(N_PARTICIPANTS)])
    plain = sorted(tree.rglob("*ica-100.txt"))
    headed = [_with_header(path, folder / "headed" / path.name) for path in plain]
    return [
        _ingested("ICA100 / loadtxt", plain, np.loadtxt, repetitions),
        _ingested("tables with a header / pandas", headed * 5, lambda path: pd.read_csv(path, sep="\t"), repetitions),
    ]


def _with_header(path: Path, to: Path) -> Path:
    """Write a file as a table separated by tabs, with names."""
    rows = ["\t".join(f"LH_Vis_{number}" for number in range(1, 101))]
    rows += ["\t".join(line.split()) for line in path.read_text().splitlines()]
    to.parent.mkdir(exist_ok=True)
    to = to.with_suffix(".tsv")
    to.write_text("\n".join(rows) + "\n")
    return to


def _ingested(name: str, files: list[Path], read: Callable[[Path], object], repetitions: int) -> Result:
    """Return the time to ingest files, relative to `read` for the same files on all cores."""
    from brainage.data.store.open import open_store
    from brainage.data.store.reading import Reading
    from brainage.data.store.series import FileScan

    n_cores = len(os.sched_getaffinity(0))
    root, ratios = files[0].parent / "ingested", []
    top = Path(os.path.commonpath(files))
    scans = {f"{number}": FileScan(path, top) for number, path in enumerate(files)}
    for _ in range(repetitions):
        started = time.perf_counter()
        for path in files:
            read(path)
        alone = time.perf_counter() - started
        shutil.rmtree(root, ignore_errors=True)
        started = time.perf_counter()
        open_store(root, scans, Reading(100, 490))
        ratios.append((time.perf_counter() - started) / (alone / n_cores))
    shutil.rmtree(root)
    note = f"time of one core for the same files, divided by {n_cores} cores"
    return of_medians(f"ingestion of {len(files):,} {name}", ratios, 1.25, note=note)
