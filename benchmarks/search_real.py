"""Real searches of limited time, compared by the time to the same target: ``python -m benchmarks.search real``.

Two searches run at a time, one thread each, so that machine load affects both equally. Finished ones are in the table,
and are not repeated.
"""

from __future__ import annotations

import math
import shutil
import signal
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from optuna.trial import TrialState

from benchmarks.__main__ import about
from benchmarks.measure import ROOT
from benchmarks.search_record import N_PARTICIPANTS
from benchmarks.sweep import SMALL, STARTED, run, started, sweep_folder, trials_of
from brainage.system.files import write_csv

TABLE = ROOT / "benchmarks" / "real_searches.csv"

TITLE = "Real searches"

PUBLISHED, DEFAULT, COLD, WARM = "published", "default", "cold", "warm"


@dataclass(frozen=True)
class Arm:
    """A way to search.

    Parameters
    ----------
    name : str
        Its name in the table.
    words : sequence of str
        The program, and its overrides.
    modality : str
        What is searched for.
    earlier : str or None
        The arm whose study, of the same seed, this one starts from.
    """

    name: str
    words: Sequence[str] = (str(ROOT / "train.py"),)
    modality: str = "ica25"
    earlier: str | None = None


ARMS = (Arm(PUBLISHED, ("-m", "benchmarks.published_search", "hydra/sweeper/pruner=none")), Arm(DEFAULT))

WARM_ARMS = (
    Arm(COLD, modality="ica100"),
    Arm(
        WARM,
        (str(ROOT / "train.py"), "hydra.sweeper.start_from=variable1dcnn-ica25"),
        modality="ica100",
        earlier=DEFAULT,
    ),
)


@dataclass(frozen=True)
class Search:
    """Result of a search.

    Parameters
    ----------
    arm : str
        The name of its arm.
    seed : int
        Its seed.
    minutes : float
        Its duration.
    started, trained, epochs : int
        Number of started trials, of feasible ones, and of epochs.
    seconds, val_mse : list of float
        Each improvement of the lowest validation MSE.
    about : dict
        Date, commit and machine.
    """

    arm: str
    seed: int
    minutes: float
    started: int
    trained: int
    epochs: int
    seconds: list[float]
    val_mse: list[float]
    about: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, int, float]:
        """What it is known by in the table."""
        return self.arm, self.seed, self.minutes

    @property
    def best(self) -> float:
        """The lowest validation MSE; infinite if no trial was complete."""
        return self.best_at(math.inf)

    def best_at(self, seconds: float) -> float:
        """Return the lowest validation MSE until a time."""
        return min((v for at, v in zip(self.seconds, self.val_mse, strict=True) if at <= seconds), default=math.inf)

    def reached(self, value: float) -> float:
        """Return the seconds until this value was reached; infinite if never."""
        return next((at for at, best in zip(self.seconds, self.val_mse, strict=True) if best <= value), math.inf)


def search_all(
    folder: Path, arms: Sequence[Arm], seeds: Sequence[int], minutes: float, table: Path = TABLE
) -> list[Search]:
    """Return the searches of each arm and seed; those that are not in the table are run in `folder`, and added."""
    found = {search.key: search for search in read_searches(table)}
    jobs = [(arm, seed) for seed in seeds for arm in arms if (arm.name, seed, minutes) not in found]
    for modality in dict.fromkeys(arm.modality for arm, _ in jobs):
        _build_store(folder, modality)
    for pair in (jobs[index : index + 2] for index in range(0, len(jobs), 2)):
        begun = [(_begin(folder, arm, seed), arm, seed) for arm, seed in pair]
        until = time.monotonic() + minutes * 60
        for process, arm, seed in begun:
            time.sleep(max(0, until - time.monotonic()))
            process.send_signal(signal.SIGINT)
            process.wait()
            search = _read(folder, arm, seed, minutes)
            found[search.key] = search
            write_searches(table, list(found.values()))
    return [found[arm.name, seed, minutes] for seed in seeds for arm in arms]


def warm_and_cold(folder: Path, seeds: Sequence[int], minutes: float, table: Path = TABLE) -> None:
    """Run searches for 100 components, from the default's studies of 25 in the folder, and from nothing."""
    for seed in seeds:
        if not (sweep_folder(folder / f"{DEFAULT}-{seed}", "ica25") / "study.db").exists():
            raise SystemExit(
                f"`--folder` must have the default's search for 25 components with each seed, but {folder} has none "
                f"with seed {seed}. Run `python -m benchmarks.search real --seeds {seed}` with this folder first."
            )
    search_all(folder, WARM_ARMS, seeds, minutes, table)


def _build_store(folder: Path, modality: str) -> None:
    name = "store" if modality == "ica25" else f"store-{modality}"
    if not (folder / name / "done").exists():
        shutil.rmtree(folder / name, ignore_errors=True)
        words = (f"modality={modality}", f"cohort.n_participants={N_PARTICIPANTS}", "trainer.max_epochs=1")
        run(folder, name, 1, *SMALL, *words, "hydra.sweeper.n_trials=1")
        (folder / name / "done").touch()


def _begin(folder: Path, arm: Arm, seed: int) -> subprocess.Popen[bytes]:
    place = folder / f"{arm.name}-{seed}"
    shutil.rmtree(place, ignore_errors=True)  # one that was interrupted
    place.mkdir(parents=True)
    if arm.earlier is not None:
        earlier = sweep_folder(folder / f"{arm.earlier}-{seed}", "ica25")
        sweep_folder(place, "ica25").mkdir(parents=True)
        shutil.copy(earlier / "study.db", sweep_folder(place, "ica25") / "study.db")
    own = (f"modality={arm.modality}", f"cohort.n_participants={N_PARTICIPANTS}", f"seed={seed}")
    words = [*arm.words, *STARTED, *own, "hydra.sweeper.max_consecutive_failures=1000"]
    return started(place, sorted(words, key=lambda word: "=" in word), 1)


def _read(folder: Path, arm: Arm, seed: int, minutes: float) -> Search:
    place = folder / f"{arm.name}-{seed}"
    trials = [trial for trial in trials_of(place, arm.modality) if trial.datetime_start is not None]
    runs = sweep_folder(place, arm.modality) / "trials"
    curves = [runs / str(trial.number) / "metrics.csv" for trial in trials]
    epochs = [len(path.read_text().splitlines()) - 1 for path in curves if path.exists()]
    began = min(trial.datetime_start for trial in trials if trial.datetime_start)
    ended = [
        ((trial.datetime_complete - began).total_seconds(), trial.value)
        for trial in trials
        if trial.state == TrialState.COMPLETE and trial.datetime_complete and trial.value is not None
    ]
    curve: list[tuple[float, float]] = []
    for at, value in sorted(ended):
        if not curve or value < curve[-1][1]:
            curve.append((round(at, 1), round(value, 4)))
    facts = {key: about()[key] for key in ("date", "commit", "machine")}
    seconds, lowest = [at for at, _ in curve], [value for _, value in curve]
    return Search(arm.name, seed, minutes, len(trials), len(epochs), sum(epochs), seconds, lowest, facts)


def read_searches(table: Path = TABLE) -> list[Search]:
    """Return the searches of the table; none without it."""
    if not table.exists():
        return []
    rows = pd.read_csv(table, dtype={"seconds": str, "val_mse": str}, keep_default_na=False)
    return [_search({str(key): value for key, value in row.items()}) for row in rows.to_dict("records")]


def _search(row: dict[str, Any]) -> Search:
    facts = {key: str(row.pop(key)) for key in ("date", "commit", "machine")}
    lists: dict[str, Any] = {key: [float(number) for number in row[key].split()] for key in ("seconds", "val_mse")}
    return Search(**{**row, **lists}, about=facts)


def write_searches(table: Path, searches: Sequence[Search]) -> None:
    """Write the table: one row a search."""
    rows = []
    for search in searches:
        row = {key: value for key, value in vars(search).items() if key != "about"}
        lists = {key: " ".join(map(str, row[key])) for key in ("seconds", "val_mse")}
        rows.append({**row, **lists, **search.about})
    write_csv(table, pd.DataFrame(rows))


def section(searches: Sequence[Search]) -> Iterator[str]:
    """Yield the lines of the section of the docs: the searches of the table."""
    yield from (f"## {TITLE}", "", "`python -m benchmarks.search real` and `real --warm` repeat this.", "")
    made = dict.fromkeys(", ".join(search.about.values()) for search in searches)
    yield f"Simulated participants ({N_PARTICIPANTS}), one thread each, two searches at a time ({'; '.join(made)})."
    for minutes in sorted({search.minutes for search in searches}):
        alike = [search for search in searches if search.minutes == minutes]
        if any(search.arm == PUBLISHED for search in alike):
            yield from _compared([search for search in alike if search.arm not in (COLD, WARM)])
        if any(search.arm == WARM for search in alike):
            yield from _warm([search for search in alike if search.arm in (COLD, WARM)])


def _compared(searches: Sequence[Search]) -> Iterator[str]:
    """Yield the time that each search took to the median final best of the published searches."""
    target = statistics.median_low(search.best for search in searches if search.arm == PUBLISHED)
    if not math.isfinite(target):
        yield "Most published searches had no complete trial, so there is no target."
        return
    yield "*Published*: all points of the space are proposed, infeasible ones fail when they start, nothing is pruned."
    yield f"*Reached*: time until the median final best of these searches ({target:.2f}); > where it was not."
    yield ""
    yield from _rows(searches, "reached", lambda search: _time(search, target))
    yield ""
    for arm in dict.fromkeys(search.arm for search in searches):
        times = [search.reached(target) / (60 * search.minutes) for search in searches if search.arm == arm]
        median = statistics.median_low(times)
        share = f"{median:.2f}" if math.isfinite(median) else "more than 1"
        n_reached = int(np.isfinite(times).sum())
        yield f"- {arm}: median share of the time {share}; {n_reached} of {len(times)} searches reached the target."


def _warm(searches: Sequence[Search]) -> Iterator[str]:
    """Yield what starting from a study of 25 components brings for 100."""
    cold = {search.seed: search for search in searches if search.arm == COLD}
    yield from ("", "100 components, from nothing (*cold*) and from the best of the default's search for 25 components")
    yield "with the same seed (*warm*), whose time is not counted. *Reached*: time until the cold search's final best."
    yield ""
    both = [search for search in searches if search.seed in cold]
    yield from _rows(both, "reached", lambda search: _time(search, cold[search.seed].best))


def _rows(searches: Sequence[Search], name: str, last: Callable[[Search], str]) -> Iterator[str]:
    parts = (1 / 5, 1 / 3, 2 / 3, 1)
    yield (
        f"| search | seed | minutes | trials | trained | epochs | "
        f"{' | '.join(f'validation MSE at {part:.0%}' for part in parts)} | {name} |"
    )
    yield f"|{'---|' * (7 + len(parts))}"
    for search in searches:
        lowest = [search.best_at(part * 60 * search.minutes) for part in parts]
        cells = " | ".join(f"{value:.2f}" if math.isfinite(value) else "none" for value in lowest)
        share = f"{search.trained / search.started:.0%}" if search.started else "none"
        yield (
            f"| {search.arm} | {search.seed} | {search.minutes:g} | {search.started} | {share} | {search.epochs} "
            f"| {cells} | {last(search)} |"
        )


def _time(search: Search, target: float) -> str:
    seconds = search.reached(target)
    return f"{seconds:.0f} s" if math.isfinite(seconds) else f"> {60 * search.minutes:.0f} s"
