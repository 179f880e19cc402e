"""The sweep against the search as published: ``python -m benchmarks.sweep``, an hour on two cores.

Two searches run at a time, one thread each, so that what else the machine does weighs on both.
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

# A search's module or script, and what it is told. The first is what the other is compared with.
ARMS = {
    "as published": ("-m", "benchmarks.published_search", "hydra/sweeper/pruner=none"),
    "default": (str(ROOT / "train.py"),),
}

# Pruners that are compared on the curves of the published search.
PRUNERS: dict[str, Callable[[], BasePruner]] = {
    "none": NopPruner,
    "median": lambda: MedianPruner(n_startup_trials=5, n_warmup_steps=5),
    "hyperband": lambda: HyperbandPruner(min_resource=3, max_resource=30),
}

COMMON = ("--multirun", "sweep=variable1dcnn", "trainer=cpu", "trainer.max_epochs=30", "hydra.sweeper.n_trials=100000")

# The smallest network of the space, for what a trial costs beyond its training.
SMALL = ("model.depth=1", "model.start_out=8", "model.double_conv=false", "model.kernel_size=5", "model.stride=2")

# A curve that ended by itself has as many epochs; the mean predictor's error; seconds a trial beyond its training.
_WHOLE, _WORST, _BEYOND = 16, 48.0, 0.7

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
    """What a search of limited time came to.

    Parameters
    ----------
    arm : str
        Its name.
    seed : int
        Its seed.
    begun, trained, epochs : int
        Trials that were begun, of them those that could train, and epochs.
    curve : list of (seconds, value)
        The best so far, whenever it got better.
    """

    arm: str
    seed: int
    begun: int
    trained: int
    epochs: int
    curve: list[tuple[float, float]]

    @property
    def best(self) -> float:
        """The lowest validation MSE."""
        return self.curve[-1][1]

    def reached(self, value: float) -> float | None:
        """Return the seconds after which it was as good as this; None if never."""
        return next((seconds for seconds, best in self.curve if best <= value), None)


def main() -> None:
    """Measure, print, and write the section of the docs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=__doc__)
    parser.add_argument("--minutes", type=float, default=15, help="of each search (default: 15)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--folder", type=Path, help="where to work, and to find what is there already")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        _run(folder, "store", 1, *SMALL, "trainer.max_epochs=1", "hydra.sweeper.n_trials=1")  # makes the store
        searches = list(_searches(folder, options.seeds, options.minutes * 60))
        beyond, empty = _overhead(folder)
        gain = _two_workers(folder)
        replayed = _replayed(folder, options.seeds, options.minutes * 60)
    text = "\n".join([*_section(searches, options.minutes, beyond, empty, gain), *replayed])
    print(text)
    docs = ROOT / "docs" / "benchmarks.md"
    docs.write_text(docs.read_text().partition("\n## Sweep")[0] + "\n" + text + "\n")


def _searches(folder: Path, seeds: Sequence[int], seconds: float) -> Iterator[Search]:
    jobs = [(arm, seed) for seed in seeds for arm in ARMS if not (folder / f"{arm}-{seed}" / "done").exists()]
    for pair in (jobs[index : index + 2] for index in range(0, len(jobs), 2)):
        begun = [(_begin(folder, arm, seed), folder / f"{arm}-{seed}") for arm, seed in pair]
        until = time.monotonic() + seconds
        for process, place in begun:
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
    """Run a sweep to its end; return its folder."""
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
    """Return the seconds from a trial's beginning to the next one's, without training; and of an empty Hydra job."""
    place = _run(folder, "overhead", 1, *SMALL, "hydra.sweeper.n_trials=25", "trainer.max_epochs=2")
    trials = [trial for trial in _trials(place) if trial.datetime_start]
    beyond = []
    for trial, following in zip(trials[1:-1], trials[2:], strict=True):
        assert trial.datetime_start
        assert following.datetime_start
        gap = (following.datetime_start - trial.datetime_start).total_seconds()
        beyond.append(gap - trial.user_attrs["fit_seconds"])
    (place / "empty.py").write_text(_EMPTY_APP)
    times = []
    for n_jobs in (1, 41):
        began = time.perf_counter()
        jobs = ",".join(map(str, range(n_jobs)))
        subprocess.run([sys.executable, "empty.py", "--multirun", f"+x={jobs}"], cwd=place, check=True, stdout=-3)
        times.append(time.perf_counter() - began)
    return beyond, (times[1] - times[0]) / 40


def _two_workers(folder: Path) -> list[float]:
    """Return how many times the trials per hour two workers of one thread reach, of one such worker."""
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
    """Tell how pruners fare on the published search's own curves, in the order of chance and the cheapest first."""
    curves = []
    for path in sorted(folder.glob("as published-*/outputs/sweeps/*/trials/*/metrics.csv")):
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        if len(rows) >= _WHOLE:
            curves.append([(float(row["val/loss"]), float(row["seconds"])) for row in rows])
    rng = np.random.default_rng(0)
    orders = [rng.integers(len(curves), size=200).tolist() for _ in range(_N_REPLAYS)]
    yield ""
    yield f"Pruners, replayed on the {len(curves)} whole curves of the published searches, {_N_REPLAYS} random orders:"
    yield "mean of the best validation MSE after a third of the time and after all of it."
    yield ""
    yield "| pruner | as drawn | the cheapest of the first ten first |"
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
    """Return the best value of whole or pruned trainings, after a third of the time and after all of it."""
    study, spent, best, early = optuna.create_study(pruner=pruner), 0.0, _WORST, _WORST
    for curve in curves:
        trial, state = study.ask(), TrialState.COMPLETE
        spent += _BEYOND
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
    searches: list[Search], minutes: float, beyond: list[float], empty: float, gains: list[float]
) -> Iterator[str]:
    from benchmarks.__main__ import about

    facts = about()
    yield "## Sweep"
    yield ""
    yield "`make bench-sweep` measures this anew: about an hour on two cores."
    yield ""
    yield f"Measured {facts['date']} at commit `{facts['commit']}` on {facts['machine']}."
    yield ""
    yield f"Searches of the published space for {minutes:g} minutes each, one thread, two at a time; simulated ICA25, "
    yield "1,500 participants, at most 30 epochs. *As published*: every point of the space is drawn, those that cannot "
    yield "exist fail when begun, nothing is pruned. *Reached*: when the search was as good as the published one was "
    yield "in the end, and the share of the time that the published one took for it."
    yield ""
    yield "| search | seed | trials | of them trained | epochs | best validation MSE | reached |"
    yield "|---|---|---|---|---|---|---|"
    reference = {search.seed: search for search in searches if search.arm == next(iter(ARMS))}
    shares: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for search in searches:
        other = reference[search.seed]
        reached, took = search.reached(other.best), other.curve[-1][0]
        shares[search.arm].append(float("inf") if reached is None else reached / took)
        text = "not" if reached is None else f"{reached:.0f} s, {reached / took:.2f}"
        trained = search.trained / search.begun
        yield (
            f"| {search.arm} | {search.seed} | {search.begun} | {trained:.0%} | {search.epochs} | {search.best:.2f} "
            f"| {text} |"
        )
    yield ""
    yield "Best validation MSE by time:"
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
        yield f"- {arm}: share of the published search's time, median: {said} (goal: at most 0.33)."
    yield (
        f"- Seconds a trial beyond its training: {statistics.median(beyond):.2f} (median of {len(beyond)}), an empty "
        f"job of Hydra {empty:.2f}: beyond both {statistics.median(beyond) - empty:.2f} (limit 0.5)."
    )
    yield (
        f"- Two workers of one thread / one, trials per hour: {statistics.median(gains):.2f} (at least 1.6; "
        f"{', '.join(f'{gain:.2f}' for gain in gains)})."
    )


if __name__ == "__main__":
    main()
