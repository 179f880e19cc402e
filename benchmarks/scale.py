"""Training on 20,000 participants x ICA100 memory-mapped from disk: memory, time per participant, start-up."""

from __future__ import annotations

import csv
import json
import statistics
from pathlib import Path

from benchmarks.measure import PANEL, ROOT, Result, of_medians, panel_words, run

LARGE, SMALL = 20_000, 1_000

MAPPED = ("trainer=cpu", "store.residency=memmap", "patience=1000")

_START_UP = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
import torch, pandas, pytorch_lightning
from hydra import compose, initialize_config_dir
from brainage.config.hydra import parse, register
from brainage.runs.prepare import prepare
from brainage.data.cohorts.select import select_from
from brainage.data.splits.choose import choose_split
from brainage.runs.folder import RunFolder
from pathlib import Path
register()
with initialize_config_dir(sys.argv[1] + "/configs", version_base="1.3"):
    parsed = parse(compose("train", sys.argv[3:]))
started = time.perf_counter()
selection = select_from(parsed.cohort, parsed.modality, stores=[parsed.store.root], phenotypes=list)
table = time.perf_counter()
split = choose_split(parsed.split, selection.table)
prepare(parsed, selection, split, RunFolder(Path(sys.argv[2])))
ended = time.perf_counter()
print(json.dumps({"table": table - started, "index and split": ended - table}))
"""


def measure(folder: Path, repetitions: int) -> list[Result]:
    """Train the smallest network of the panel, for which data access matters most, on many and on few participants."""
    words = ["modality=ica100", *panel_words(PANEL[0]), *MAPPED]
    words.append(f"store.root={folder / 'store'}")
    few = [*words, f"cohort.n_participants={SMALL}"]
    many = [*words, f"cohort.n_participants={LARGE}"]
    for n, chosen in ((SMALL, few), (LARGE, many)):  # builds the stores
        run(folder, *train_words(folder / f"make-{n}", chosen, 1))
    ratios, peaks, start_ups, tables = [], [], [], []
    for repetition in range(repetitions):
        small, large = folder / f"small-{repetition}", folder / f"large-{repetition}"
        # The same number of batches in both, so that interruptions by other processes weigh equally.
        run(folder, *train_words(small, few, 1 + 3 * LARGE // SMALL))
        ended = run(folder, *train_words(large, many, 1 + 3), watch=True)
        ratios.append(seconds_per_participant(large) / seconds_per_participant(small))
        peaks.append(ended.peak / 1e9)
        out = run(folder, "-c", _START_UP, str(ROOT), str(folder / f"start-{repetition}"), *many).out
        seconds = json.loads(out.splitlines()[-1])
        start_ups.append(seconds["index and split"])
        tables.append(seconds["table"])
    note = f"without {sorted(tables)[len(tables) // 2]:.1f} s for simulating the participants"
    return [
        of_medians("20,000 x ICA100 memory-mapped: unique memory", peaks, 1.5, unit="GB", note="peak of the whole run"),
        of_medians(
            "20,000 x ICA100 memory-mapped: time per participant / of 1,000",
            ratios,
            1.15,
            note="with the file in the page cache; the first epoch reads it from disk",
        ),
        of_medians("20,000 x ICA100 memory-mapped: index and split", start_ups, 2.0, unit="s", note=note),
    ]


def train_words(folder: Path, words: list[str], n_epochs: int) -> list[str]:
    """Return the words of a training."""
    return [str(ROOT / "train.py"), *words, f"trainer.max_epochs={n_epochs}", f"hydra.run.dir={folder}"]


def seconds_per_participant(run_folder: Path) -> float:
    """Return the median seconds per participant of an epoch, without the first one, which reads the file from disk."""
    with (run_folder / "metrics.csv").open() as file:
        seconds = [float(row["seconds"]) for row in csv.DictReader(file)][1:]
    n = json.loads((run_folder / "summary.json").read_text())["n"]
    n_participants: int = n["train"] + n["val"]
    return statistics.median(seconds) / n_participants
