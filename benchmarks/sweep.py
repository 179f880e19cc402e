"""The sweep compared with the published search: ``python -m benchmarks.sweep``, an hour on two cores.

Two searches run at a time, one thread each, so that machine load affects both equally.
"""

from __future__ import annotations

import argparse
import csv
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from benchmarks.measure import ROOT

# Command of each search. The first is the reference.
ARMS = {
    "as published": ("-m", "benchmarks.published_search", "hydra/sweeper/pruner=none"),
    "default": (str(ROOT / "train.py"),),
}

# Pruners compared on the curves of the published search.
PRUNERS: dict[str, Callable[[], BasePruner]] = {
    "none": NopPruner,
    "median": lambda: MedianPruner(n_startup_trials=5, n_warmup_steps=5),
    "hyperband": lambda: HyperbandPruner(min_resource=3, max_resource=30),
}

COMMON = ("--multirun", "sweep=variable1dcnn", "trainer=cpu", "trainer.max_epochs=30", "hydra.sweeper.n_trials=100000")

# The smallest network of the space, to measure the overhead of a trial.
SMALL = ("model.depth=1", "model.start_out=8", "model.double_conv=false", "model.kernel_size=5", "model.stride=2")

# Minimum epochs of a complete curve; MSE of the mean predictor; overhead of a trial in seconds.
_COMPLETE, _WORST, _OVERHEAD = 16, 48.0, 0.7

_N_REPLAYS = 40

_EMPTY_APP = """
import hydra
@hydra.main(version_base="1.3", config_path=None)
def main(config):
    pass
main()
"""


@dataclass(frozen=True)
class Search:
    """Result of a search of limited time.

    Parameters
    ----------
    arm : str
        Its name in `ARMS`.
    seed : int
        Its seed.
    started, trained, epochs : int
        Number of started trials, of feasible ones, and of epochs.
    curve : list of (seconds, value)
        Each improvement of the lowest validation MSE.
    """

    arm: str
    seed: int
    started: int
    trained: int
    epochs: int
    curve: list[tuple[float, float]]

    @property
    def best(self) -> float:
        """The lowest validation MSE."""
        return self.curve[-1][1]

    def reached(self, value: float) -> float | None:
        """Return the seconds until this value was reached; None if never."""
        return next((seconds for seconds, best in self.curve if best <= value), None)


def main() -> None:
    """Measure, print, and rewrite the section of the docs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=__doc__)
    parser.add_argument("--minutes", type=float, default=15, help="duration of each search (default: 15)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--folder", type=Path, help="working folder; finished searches in it are reused")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        _run(folder, "store", 1, *SMALL, "trainer.max_epochs=1", "hydra.sweeper.n_trials=1")  # builds the store
        searches = list(_searches(folder, options.seeds, options.minutes * 60))
        overhead, empty = _overhead(folder)
        gain = _two_workers(folder)
        replayed = _replayed(folder, options.seeds, options.minutes * 60)
    text = "\n".join([*_section(searches, options.minutes, overhead, empty, gain), *replayed])
    print(text)
    docs = ROOT / "docs" / "benchmarks.md"
    docs.write_text(docs.read_text().partition("\n## Sweep")[0] + "\n" + text + "\n")


def _searches(folder: Path, seeds: Sequence[int], seconds: float) -> Iterator[Search]:
    jobs = [(arm, seed) for seed in seeds for arm in ARMS if not (folder / f"{arm}-{seed}" / "done").exists()]
    for pair in (jobs[index : index + 2] for index in range(0, len(jobs), 2)):
        processes = [(_begin(folder, arm, seed), folder / f"{arm}-{seed}") for arm, seed in pair]
        until = time.monotonic() + seconds
        for process, place in processes:
            time.sleep(max(0, until - time.monotonic()))
            process.send_signal(signal.SIGINT)
            process.wait()
            (place / "done").touch()
    yield from (_read(folder, arm, seed) for seed in seeds for arm in ARMS)


def _begin(folder: Path, arm: str, seed: int) -> subprocess.Popen[bytes]:
    place = folder / f"{arm}-{seed}"
    place.mkdir()
    words = [*ARMS[arm], *COMMON, f"seed={seed}", "hydra.sweeper.max_consecutive_failures=1000"]
    return _started(place, sorted(words, key=lambda word: "=" in word), 1)


def _started(place: Path, words: Sequence[str], threads: int) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
    store = f"store.root={place.parent / 'store' / 'outputs' / 'store'}"
    with (place / "output.txt").open("wb") as output:
        return subprocess.Popen(
            [sys.executable, *words, store], cwd=place, env=environment, stdout=output, stderr=subprocess.STDOUT
        )


def _run(folder: Path, name: str, threads: int, *words: str) -> Path:
    """Run a sweep to completion; return its folder."""
    place = folder / name
    place.mkdir()
    process = _started(place, [str(ROOT / "train.py"), *COMMON, *words], threads)
    if process.wait():
        raise RuntimeError((place / "output.txt").read_text())
    return place


def _trials(place: Path) -> list[FrozenTrial]:
    sweep = place / "outputs" / "sweeps" / "variable1dcnn-ica25"
    storage = RDBStorage(f"sqlite:///{sweep / 'study.db'}")
    try:
        return optuna.load_study(study_name="variable1dcnn-ica25", storage=storage).trials
    finally:
        storage.engine.dispose()


def _read(folder: Path, arm: str, seed: int) -> Search:
    place = folder / f"{arm}-{seed}"
    trials = [trial for trial in _trials(place) if trial.datetime_start is not None]
    runs = place / "outputs" / "sweeps" / "variable1dcnn-ica25" / "trials"
    curves = [runs / str(trial.number) / "metrics.csv" for trial in trials]
    epochs = [len(path.read_text().splitlines()) - 1 for path in curves if path.exists()]
    started = min(trial.datetime_start for trial in trials if trial.datetime_start)
    curve: list[tuple[float, float]] = []
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE and trial.datetime_complete]
    for trial in sorted(complete, key=lambda trial: trial.datetime_complete or started):
        assert trial.datetime_complete
        assert trial.value is not None
        if not curve or trial.value < curve[-1][1]:
            curve.append(((trial.datetime_complete - started).total_seconds(), trial.value))
    return Search(arm, seed, len(trials), len(epochs), sum(epochs), curve)


def _overhead(folder: Path) -> tuple[list[float], float]:
    """Return the seconds between starts of consecutive trials minus training; and the seconds of an empty Hydra job."""
    place = _run(folder, "overhead", 1, *SMALL, "hydra.sweeper.n_trials=25", "trainer.max_epochs=2")
    trials = [trial for trial in _trials(place) if trial.datetime_start]
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
    words = ("hydra.sweeper.n_trials=12", "hydra/sweeper/pruner=none", "hydra/sweeper/sampler=random", "model.depth=2")
    fixed = (
        "model.start_out=32",
        "model.double_conv=false",
        "model.kernel_size=8",
        "model.stride=3",
        "trainer.max_epochs=10",
    )
    gains = []
    for repetition in range(3):
        rates = []
        for n_workers in (1, 2):
            place = _run(
                folder, f"workers-{n_workers}-{repetition}", 1, *words, *fixed, f"hydra.sweeper.n_workers={n_workers}"
            )
            trials = _trials(place)
            started = min(trial.datetime_start for trial in trials if trial.datetime_start)
            ended = max(trial.datetime_complete for trial in trials if trial.datetime_complete)
            rates.append(len(trials) / (ended - started).total_seconds())
        gains.append(rates[1] / rates[0])
    return gains


def _replayed(folder: Path, seeds: Sequence[int], seconds: float) -> Iterator[str]:
    """Replay pruners on the curves of the published search, in random order and with the first ten sorted by cost."""
    curves = []
    for path in sorted(folder.glob("as published-*/outputs/sweeps/*/trials/*/metrics.csv")):
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        if len(rows) >= _COMPLETE:
            curves.append([(float(row["val/loss"]), float(row["seconds"])) for row in rows])
    rng = np.random.default_rng(0)
    orders = [rng.integers(len(curves), size=200).tolist() for _ in range(_N_REPLAYS)]
    yield ""
    yield f"Pruners replayed on {len(curves)} complete curves of the published searches in {_N_REPLAYS} random orders:"
    yield "mean of the lowest validation MSE after a third of the time and at the end."
    yield ""
    yield "| pruner | random order | first ten sorted by cost |"
    yield "|---|---|---|"
    for name, make in PRUNERS.items():
        cells = []
        for ordered in (False, True):
            reached = []
            for order in orders:
                first = sorted(order[:10], key=lambda index: curves[index][0][1]) if ordered else order[:10]
                reached.append(_replay(make(), [curves[index] for index in [*first, *order[10:]]], seconds))
            cells.append(", ".join(f"{statistics.fmean(values):.2f}" for values in zip(*reached, strict=True)))
        yield f"| {name} | {' | '.join(cells)} |"


def _replay(pruner: BasePruner, curves: Iterable[list[tuple[float, float]]], seconds: float) -> tuple[float, float]:
    """Return the lowest value after a third of the time and at the end."""
    study, spent, best, early = optuna.create_study(pruner=pruner), 0.0, _WORST, _WORST
    for curve in curves:
        trial, state = study.ask(), TrialState.COMPLETE
        spent += _OVERHEAD
        for epoch, (loss, duration) in enumerate(curve):
            spent += duration
            trial.report(loss, epoch)
            if trial.should_prune() and epoch + 1 < len(curve):
                state = TrialState.PRUNED
                break
        if spent > seconds:
            break
        value = min(loss for loss, _ in curve)
        study.tell(trial, value if state == TrialState.COMPLETE else None, state=state)
        best = min(best, value) if state == TrialState.COMPLETE else best
        early = best if spent <= seconds / 3 else early
    return early, best


def _section(
    searches: list[Search], minutes: float, overhead: list[float], empty: float, gains: list[float]
) -> Iterator[str]:
    from benchmarks.__main__ import about

    facts = about()
    yield "## Sweep"
    yield ""
    yield "`make bench-sweep` repeats this; it takes about an hour on two cores."
    yield ""
    yield f"Measured {facts['date']} at commit `{facts['commit']}` on {facts['machine']}."
    yield ""
    yield f"Searches of the published space for {minutes:g} minutes each, one thread, two at a time; simulated ICA25,"
    yield "1,500 participants, at most 30 epochs. *As published*: all points of the space are proposed, infeasible"
    yield "ones fail when they start, nothing is pruned. *Reached*: time until the search was as good as the published"
    yield "one at its end, and the ratio to the time that the published one took."
    yield ""
    yield "| search | seed | trials | trained | epochs | lowest validation MSE | reached |"
    yield "|---|---|---|---|---|---|---|"
    reference = {search.seed: search for search in searches if search.arm == next(iter(ARMS))}
    shares: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for search in searches:
        other = reference[search.seed]
        reached, took = search.reached(other.best), other.curve[-1][0]
        shares[search.arm].append(float("inf") if reached is None else reached / took)
        text = "not" if reached is None else f"{reached:.0f} s, {reached / took:.2f}"
        trained = search.trained / search.started
        yield (
            f"| {search.arm} | {search.seed} | {search.started} | {trained:.0%} | {search.epochs} | {search.best:.2f} "
            f"| {text} |"
        )
    yield ""
    yield "Lowest validation MSE by time:"
    yield ""
    times = [minutes * 60 * share for share in (1 / 5, 1 / 3, 2 / 3, 1)]
    yield f"| search | {' | '.join(f'{seconds:.0f} s' for seconds in times)} |"
    yield f"|---|{'---|' * len(times)}"
    for search in searches:
        cells = [min((v for s, v in search.curve if s <= seconds), default=float("nan")) for seconds in times]
        yield f"| {search.arm}, seed {search.seed} | {' | '.join(f'{value:.2f}' for value in cells)} |"
    yield ""
    for arm, each in list(shares.items())[1:]:
        median = statistics.median(each)
        said = "not reached" if median == float("inf") else f"{median:.2f}"
        yield f"- {arm}: median ratio to the published search's time: {said} (goal: at most 0.33)."
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
