"""Run the benchmarks: ``python -m benchmarks [NAME ...]``; print a table, write it as JSON and to the docs."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import os
import platform
import re
import subprocess
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.measure import ROOT, Result, features, processor
from benchmarks.step import section
from brainage.system.console import show_table

_NAMES = ("startup", "epoch", "ingestion", "check", "scale", "findings", "inference")
_HEADER = ("measurement", "median", "limit", "met", "repetitions")


def main() -> None:
    """Run the named benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *_NAMES], help="benchmarks to run (default: all)", default=[])
    parser.add_argument("--repetitions", type=int, default=3, help="repetitions of each measurement (default: 3)")
    options = parser.parse_args()
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.names or _NAMES:
            module = importlib.import_module(f"benchmarks.{name}")
            place = Path(folder) / name
            place.mkdir()
            results += module.measure(place, options.repetitions)
    facts = about()
    rows = [_row(result) for result in results]
    show_table(f"Benchmarks, {facts['date']}", _HEADER, rows)
    record = {**facts, "results": [{**dataclasses.asdict(result), "holds": result.holds} for result in results]}
    target = ROOT / "outputs" / "bench" / f"{time.strftime('%Y-%m-%d-%H-%M-%S')}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(record, indent=2) + "\n")
    print(f"Written: {target}")
    if not options.names:
        docs = ROOT / "docs" / "benchmarks.md"
        # Written by `benchmarks.several`, `benchmarks.search` and `benchmarks.sweep`.
        kept = re.search(
            r"\n## (Several networks at once|Replayed searches|Real searches|Sweep)\n.*", docs.read_text(), re.DOTALL
        )
        docs.write_text(_page(facts, results, rows) + "\n".join(section()) + "\n" + (kept[0] if kept else ""))
        print(f"Written: {docs}")


def _row(result: Result) -> list[str]:
    unit = "" if result.unit == "ratio" else f" {result.unit}"
    sign = "≥" if result.at_least else "≤"
    return [
        result.name,
        f"{result.value:.2f}{unit}",
        f"{sign} {result.limit:g}{unit}",
        "yes" if result.holds else "NO",
        ", ".join(f"{value:.2f}" for value in result.each),
    ]


def about() -> dict[str, str]:
    """Return the date, the commit and the machine."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    memory = psutil.virtual_memory().total / 2**30
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit or "unknown",
        "machine": f"{processor()}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB, Linux, "
        f"Python {platform.python_version()}",
        "features": features(),
    }


def _page(facts: dict[str, str], results: list[Result], rows: list[list[str]]) -> str:
    lines = [
        "# Benchmarks",
        "",
        "`make bench` repeats these measurements and rewrites this page; it takes about 40 minutes on two cores.",
        "Ratios compare two methods within one run; each number is the median of its repetitions.",
        "",
        f"Measured {facts['date']} at commit `{facts['commit']}` on {facts['machine']}; processor features: "
        f"{facts['features']}. Limits of epochs are for processors with bfloat16 instructions.",
        "",
        f"| {' | '.join(_HEADER)} |",
        f"|{'---|' * len(_HEADER)}",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        *(f"- {result.name}: {result.note}." for result in results if result.note),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
