"""Response time of ``--help``, ``--cfg job`` and a configuration error."""

from __future__ import annotations

from pathlib import Path

from benchmarks.measure import ROOT, Result, of_medians, run

_CASES = (
    ("--cfg job", ("--cfg", "job"), 0, 1.5),
    ("a configuration error", ("model.kernel_size=0",), 2, 1.5),
    ("--help", ("--help",), 0, 2.5),
)


def measure(folder: Path, repetitions: int) -> list[Result]:
    """Time the commands."""
    results = []
    for name, words, code, limit in _CASES:
        seconds = [run(folder, str(ROOT / "train.py"), *words, expect=code).seconds for _ in range(repetitions + 1)]
        results.append(of_medians(f"time of {name}", seconds[1:], limit, unit="s"))
    return results
