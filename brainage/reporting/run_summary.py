"""The last table that a run prints; imports neither scipy nor matplotlib."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from brainage.evaluation.disclosure import MIN_SHOWN, shown_summary
from brainage.system.console import show, show_table
from brainage.system.invocation import command_text


def show_summary(summary: Mapping[str, Any], folder: Path) -> None:
    """Print the accuracy, size and time of a finished run."""
    part = "val" if summary["metrics"]["test"]["mae"] is None else "test"
    shown = shown_summary(summary)
    error, baseline = shown["metrics"][part]["mae"], shown["baseline"][part]["mae"]
    hidden = f"not shown for fewer than {MIN_SHOWN} participants" if error is None else ""
    rows = [
        ("test MAE" if part == "test" else "validation MAE", hidden or f"{error:.2f} years"),
        ("  of the mean predictor", hidden or f"{baseline:.2f} years"),
        ("  skill, 1 minus their ratio", f"{1 - error / baseline:.0%}" if baseline else "-"),
        ("participants (train, val, test)", ", ".join(str(n) for n in summary["n"].values())),
        ("parameters", f"{summary['model']['parameters']:,}"),
        ("training", epochs_text(summary["epochs"], summary["best_epoch"])),
        ("time", f"{summary['seconds']['total']:.0f} s, training {summary['seconds']['fit']:.0f} s"),
    ]
    show_table(f"{summary['model']['name']}, cohort {summary['cohort']['name']}", ("", ""), rows)
    show(f"{'Predictions, metrics' if part == 'test' else 'Metrics'}, checkpoints: {folder}")
    if (folder / "report.html").exists():
        show(f"Report: {folder / 'report.html'}")
    elif part == "test":
        show(f"Report: none; write it with: {command_text('report', f'run={folder}')}")


def epochs_text(epochs: int, best: int | None) -> str:
    """Return how many epochs a training had, and which was the best; `best` counts from 0."""
    if best is None or epochs == 1:
        return f"{epochs:,} epoch{'' if epochs == 1 else 's'}"
    names = {0: "the first", epochs - 1: "the last"}
    return f"{epochs:,} epochs, best: {names.get(best, f'number {best} (from 0)')}"
