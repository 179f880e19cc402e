"""An epoch of ``train.py``, relative to a bare loop and to a loop that parses text files per item."""

from __future__ import annotations

import runpy
import shutil
import statistics
import sys
from pathlib import Path
from unittest import mock

from hydra.core.global_hydra import GlobalHydra

from benchmarks.measure import PANEL, ROOT, Result, of_medians, panel_name, panel_words
from benchmarks.reference_loop import ReferenceLoop

_PEOPLE = "cohort.n_participants=1280"
_FINAL = ("recipe=none", _PEOPLE)  # the recipe of the bare loop

# Name, limit, epochs, overrides. The bare loop is in float32; limits are for a CPU with bfloat16 instructions.
_CASES = (
    ("final model ICA25, 1,024", 0.70, 12, [*_FINAL, "experiment=final_models/ica25"]),
    ("final model ICA100, 1,024", 0.50, 8, [*_FINAL, "experiment=final_models/ica100"]),
    ("default network of 2a22c97, 1,024", 0.92, 12, [*panel_words((5, 4, 2, 32)), "model.batch_norm=false", _PEOPLE]),
    (f"{panel_name(PANEL[0])}, 4,721", 1.05, 12, [*panel_words(PANEL[0]), "cohort.n_participants=5902"]),
)


def train(
    folder: Path,
    n_epochs: int,
    words: list[str],
    *,
    files: Path | None = None,
    trainer: str = "auto",
    is_compared: bool = True,
) -> tuple[list[float], list[float]]:
    """Run ``train.py`` in this process; return the seconds of its epochs and of the reference's, without the first."""
    GlobalHydra.instance().clear()
    reference = f"{{_target_: benchmarks.reference_loop.ReferenceLoop, files: {files or 'null'}}}"
    command = [
        "train.py",
        *words,
        f"trainer.max_epochs={n_epochs}",
        "patience=1000",
        f"trainer={trainer}",
        "logger=tensorboard",
        f"trainer.callbacks=[{reference if is_compared else ''}]",
        f"store.root={folder / 'store'}",
        f"hydra.run.dir={folder / 'run'}",
    ]
    shutil.rmtree(folder / "run", ignore_errors=True)
    with mock.patch.object(sys, "argv", command):
        try:
            runpy.run_path(str(ROOT / "train.py"), run_name="__main__")
        except SystemExit as ended:
            if ended.code:
                raise
    # The first epoch is a warm-up: allocators, caches, CPU frequency.
    return ReferenceLoop.ours[1:], ReferenceLoop.theirs[1:]


def over_a_bare_loop(folder: Path, repetitions: int) -> list[Result]:
    """Compare epochs of ``train.py`` with a bare loop over tensors in memory."""
    results = []
    for name, limit, n_epochs, words in _CASES:
        ratios = []
        for _ in range(repetitions):
            ours, theirs = train(folder, n_epochs, words)
            ratios.append(statistics.median(our / their for our, their in zip(ours, theirs, strict=True)))
        results.append(of_medians(f"epoch / bare loop: {name} participants", ratios, limit))
    return results


def over_parsing_text(folder: Path, repetitions: int) -> list[Result]:
    """Compare an epoch that parses text per item with one of ``train.py``, summed over the panel."""
    from brainage.commands.simulate import main as write_files

    tree = folder / "tree"
    write_files(["--layout", "bids", "--out", str(tree), "--participants", "600"])
    ratios = []
    for _ in range(repetitions):
        parsing_seconds, our_seconds = 0.0, 0.0
        for architecture in PANEL:
            words = ["cohort=bids", f"cohort.root={tree}", *panel_words(architecture)]
            ours, theirs = train(folder, 4, words, files=tree)
            our_seconds += statistics.median(ours)
            parsing_seconds += statistics.median(theirs)
        ratios.append(parsing_seconds / our_seconds)
    note = "480 + 60 participants, ICA25 good, AdamW, batches of 128, batch norm; sums over the panel " + ", ".join(
        map(panel_name, PANEL)
    )
    return [of_medians("epoch with text parsed per item / ours", ratios, 3.5, at_least=True, note=note)]


def measure(folder: Path, repetitions: int) -> list[Result]:
    """Run both comparisons."""
    return [*over_a_bare_loop(folder, repetitions), *over_parsing_text(folder, repetitions)]
