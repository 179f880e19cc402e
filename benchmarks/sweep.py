"""What a trial of a sweep costs besides its training, and what two workers bring: ``python -m benchmarks.sweep``."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial

from benchmarks.measure import ROOT, rewrite_section

STARTED = ("--multirun", "sweep=variable1dcnn", "trainer=cpu", "hydra.sweeper.n_trials=100000")

# The smallest network of the space, to measure the overhead of a trial.
SMALL = ("model.depth=1", "model.start_out=8", "model.double_conv=false", "model.kernel_size=5", "model.stride=2")

TITLE = "Sweep"

_EMPTY_APP = """
import hydra
@hydra.main(version_base="1.3", config_path=None)
def main(config):
    pass
main()
"""


def main() -> None:
    """Measure, print, and rewrite the section of the docs."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run(folder, "store", 1, *SMALL, "trainer.max_epochs=1", "hydra.sweeper.n_trials=1")  # builds the store
        text = "\n".join(_section(*_overhead(folder), _two_workers(folder)))
    print(text)
    rewrite_section(TITLE, text)


def started(place: Path, words: Sequence[str], threads: int) -> subprocess.Popen[bytes]:
    """Start Python in a folder, with the store that the folder beside it has, unless another is given."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
    has_store = any(word.startswith("store.root=") for word in words)
    store = [] if has_store else [f"store.root={place.parent / 'store' / 'outputs' / 'store'}"]
    with (place / "output.txt").open("wb") as output:
        return subprocess.Popen(
            [sys.executable, *words, *store], cwd=place, env=environment, stdout=output, stderr=subprocess.STDOUT
        )


def run(folder: Path, name: str, threads: int, *words: str) -> Path:
    """Run a sweep to completion; return its folder."""
    place = folder / name
    place.mkdir()
    process = started(place, [str(ROOT / "train.py"), *STARTED, *words], threads)
    if process.wait():
        raise RuntimeError((place / "output.txt").read_text())
    return place


def sweep_folder(place: Path, modality: str) -> Path:
    """Return the folder of the sweep that was started in a place."""
    return place / "outputs" / "sweeps" / f"variable1dcnn-{modality}"


def trials_of(place: Path, modality: str = "ica25") -> list[FrozenTrial]:
    """Return the trials of the sweep that was started in a place."""
    folder = sweep_folder(place, modality)
    storage = RDBStorage(f"sqlite:///{folder / 'study.db'}")
    try:
        return optuna.load_study(study_name=folder.name, storage=storage).trials
    finally:
        storage.engine.dispose()


def _overhead(folder: Path) -> tuple[list[float], float]:
    """Return the seconds between starts of consecutive trials minus training; and the seconds of an empty Hydra job."""
    place = run(folder, "overhead", 1, *SMALL, "hydra.sweeper.n_trials=25", "trainer.max_epochs=2")
    trials = [trial for trial in trials_of(place) if trial.datetime_start]
    overhead = []
    for trial, following in zip(trials[1:-1], trials[2:], strict=True):
        assert trial.datetime_start
        assert following.datetime_start
        gap = (following.datetime_start - trial.datetime_start).total_seconds()
        overhead.append(gap - trial.user_attrs["fit_seconds"])
    (place / "empty.py").write_text(_EMPTY_APP)
    times = []
    for n_jobs in (1, 41):
        began = time.perf_counter()
        jobs = ",".join(map(str, range(n_jobs)))
        subprocess.run(
            [sys.executable, "empty.py", "--multirun", f"+x={jobs}"], cwd=place, check=True, stdout=subprocess.DEVNULL
        )
        times.append(time.perf_counter() - began)
    return overhead, (times[1] - times[0]) / 40


def _two_workers(folder: Path) -> list[float]:
    """Return trials per hour with two single-threaded workers, relative to one."""
    words = (
        "hydra.sweeper.n_trials=12",
        "model.depth=2",
        "model.start_out=32",
        "model.double_conv=false",
        "model.kernel_size=8",
        "model.stride=3",
        "trainer.max_epochs=10",
    )
    return [gain_of_two_workers(folder, str(repetition), *words) for repetition in range(3)]


def gain_of_two_workers(folder: Path, name: str, *words: str, threads: int = 1) -> float:
    """Return trials per hour of a random search with two workers, relative to one worker with so many threads."""
    rates = []
    for n_workers in (1, 2):
        given = ("hydra/sweeper/pruner=none", "hydra/sweeper/sampler=random", f"hydra.sweeper.n_workers={n_workers}")
        trials = trials_of(run(folder, f"workers-{n_workers}-{name}", threads, *given, *words))
        started = min(trial.datetime_start for trial in trials if trial.datetime_start)
        ended = max(trial.datetime_complete for trial in trials if trial.datetime_complete)
        rates.append(len(trials) / (ended - started).total_seconds())
    return rates[1] / rates[0]


def _section(overhead: list[float], empty: float, gains: list[float]) -> Iterator[str]:
    from benchmarks.__main__ import about

    facts = about()
    yield from (f"## {TITLE}", "", "`make bench-sweep` repeats this; it takes about ten minutes on two cores.", "")
    yield f"Measured {facts['date']} at commit `{facts['commit']}` on {facts['machine']}."
    yield ""
    yield (
        f"- Overhead per trial: {statistics.median(overhead):.2f} s (median of {len(overhead)}), of which an empty "
        f"Hydra job takes {empty:.2f} s: {statistics.median(overhead) - empty:.2f} s remain (limit 0.5)."
    )
    yield (
        f"- Trials per hour with two single-threaded workers / with one: {statistics.median(gains):.2f} (at least 1.6; "
        f"{', '.join(f'{gain:.2f}' for gain in gains)})."
    )


if __name__ == "__main__":
    main()
