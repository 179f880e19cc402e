"""Replays of searches on recorded trainings, through the project's own sampler and pruners."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import numpy as np
import optuna
import yaml
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from benchmarks.measure import ROOT
from benchmarks.search_oracles import FEASIBLE, ExhaustedError, Network, Oracle, Pool, Surrogate, cost, space
from benchmarks.search_strategies import EPOCH_SECONDS, STRATEGIES, Strategy
from brainage.sweep.feasible import FeasibleSpace
from brainage.sweep.known import adapted
from brainage.sweep.recovery import experimental
from brainage.sweep.sampler import FeasibleSampler
from brainage.sweep.space import Point

# Seconds of a search, and those of a trial besides its training, as measured by `benchmarks.sweep`.
SECONDS, OVERHEAD = 900.0, 0.54

REFERENCE = "published"

# Seconds at which regret is reported.
TIMES = (60, 120, 300, 600, 900)

# Networks with which a strategy can win, and with which strategies are replayed at all.
ENOUGH, FEWEST = 200, 40

_N_RESAMPLES = 2000


class _Snapped(BaseSampler):
    """Replaces the project's proposals by what the oracle can train; `taken` are the points that were trained."""

    def __init__(self, sampler: FeasibleSampler, oracle: Oracle, taken: Sequence[Point]) -> None:
        self._sampler, self._oracle, self._taken = sampler, oracle, taken

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> Point:
        point = self._sampler.sample_relative(study, trial, search_space)
        return self._oracle.snapped(point, self._taken) if _is_feasible(point) else point

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> object:
        raise AssertionError(param_name)


_ANY = FeasibleSpace(space(), lambda point: None)


def _is_feasible(point: Point) -> bool:
    return FEASIBLE.why_not(point) is None


@experimental()
def replay(strategy: Strategy, oracle: Oracle, seed: int, seconds: float = SECONDS) -> list[tuple[float, float]]:
    """Return each improvement of the lowest validation MSE of complete trials: seconds and value."""
    known, spent = _begin(strategy, oracle, seed)
    sampler = FeasibleSampler(
        FEASIBLE if strategy.feasible else _ANY,
        strategy.sampler,
        seed,
        known=known,
        n_first=strategy.n_first,
        cost=cost if strategy.in_order else lambda point: 0.0,
        all_trials=lambda: study,  # Hyperband passes only those of one bracket
    )
    taken: list[Point] = []
    study = optuna.create_study(sampler=_Snapped(sampler, oracle, taken), pruner=strategy.pruner())
    improvements: list[tuple[float, float]] = []
    while spent < seconds:
        try:
            trial = study.ask(FEASIBLE.space.distributions)
        except ExhaustedError:
            break
        spent += OVERHEAD
        if not _is_feasible(trial.params):
            study.tell(trial, state=TrialState.FAIL)
            continue
        taken.append(trial.params)
        curve = oracle.curve(trial.params, "full")
        trial.set_user_attr(EPOCH_SECONDS, statistics.fmean(curve.seconds))
        state = TrialState.COMPLETE
        for epoch, (mse, duration) in enumerate(zip(curve.mse, curve.seconds, strict=True)):
            spent += duration
            if spent > seconds:
                return improvements
            trial.report(mse, epoch)
            if trial.should_prune() and epoch + 1 < len(curve.mse):
                state = TrialState.PRUNED
                break
        value = min(curve.mse)
        study.tell(trial, value if state == TrialState.COMPLETE else None, state=state)
        if state == TrialState.COMPLETE and (not improvements or value < improvements[-1][1]):
            improvements.append((spent, value))
    return improvements


def _begin(strategy: Strategy, oracle: Oracle, seed: int) -> tuple[list[Point], float]:
    """Return the points that a strategy starts from, and the seconds that finding them took."""
    known: list[Point] = []
    if strategy.starts_known:
        known = [point for point in (adapted(values, FEASIBLE) for values in known_networks()) if point is not None]
    if strategy.screened is None:
        return known, 0.0
    n_networks, n_epochs = strategy.screened
    rng, screened, spent = np.random.default_rng([seed, 1]), [], 0.0
    taken: list[Point] = []
    for _ in range(n_networks):
        try:
            point = oracle.snapped(FEASIBLE.draw(rng), taken)
        except ExhaustedError:
            break
        taken.append(point)
        curve = oracle.curve(point, "third")
        spent += OVERHEAD + sum(curve.seconds[:n_epochs])
        screened.append((min(curve.mse[:n_epochs]), point))
    best = sorted(screened, key=lambda pair: pair[0])[: max(1, n_networks // 5)]
    return [*known, *(point for _, point in best)], spent


def known_networks() -> Iterator[dict[str, object]]:
    """Yield the values of the default and the published networks."""
    files = [
        ROOT / "configs" / "model" / "pooled1dcnn.yaml",
        *(ROOT / "experiments" / "final_models" / f"{name}.yaml" for name in ("ica25", "ica100")),
    ]
    plain = {"model.conv_dropout": 0.0, "model.final_dropout": 0.0, "optimizer.lr": 2e-3, "optimizer.weight_decay": 0.1}
    for path in files:
        read = yaml.safe_load(path.read_text().replace("${", "#{"))
        values = read.get("model", read)
        yield {
            **plain,
            **{f"model.{key}": value for key, value in values.items() if not isinstance(value, dict | list)},
        }


@dataclass(frozen=True)
class Share:
    """Time to the target as a share of that of a search: the median, its interval, and how many reached it."""

    median: float
    low: float
    high: float
    reached: float

    def __str__(self) -> str:
        numbers = [f"{n:.2f}" if math.isfinite(n) else "not reached" for n in (self.median, self.low, self.high)]
        return f"{numbers[0]} ({numbers[1]} to {numbers[2]}), {self.reached:.0%}"


def share(curves: Sequence[Sequence[tuple[float, float]]], target: float, seconds: float = SECONDS) -> Share:
    """Return the median share of the time until the target is reached; a search that did not is longer than any."""
    times = np.array([next((at / seconds for at, value in curve if value <= target), math.inf) for curve in curves])
    rng = np.random.default_rng(0)
    medians = [_median(times[rng.integers(len(times), size=len(times))]) for _ in range(_N_RESAMPLES)]
    low, high = np.quantile(medians, [0.025, 0.975], method="nearest")
    return Share(_median(times), float(low), float(high), float(np.isfinite(times).mean()))


def _median(times: NDArray[np.float64]) -> float:
    return float(np.sort(times)[(len(times) - 1) // 2])


def regret(curves: Sequence[Sequence[tuple[float, float]]], best: float, worst: float) -> list[float]:
    """Return the mean distance of the lowest MSE from `best` at `TIMES`; `worst` stands for no complete trial."""
    return [
        statistics.fmean(min((v for t, v in curve if t <= at), default=worst) - best for curve in curves)
        for at in TIMES
    ]


@dataclass(frozen=True)
class Replayed:
    """Replays of all strategies on one oracle."""

    shares: dict[str, Share]
    regrets: dict[str, list[float]]
    target: float


def replay_all(
    oracle: Oracle, n_replays: int, names: Sequence[str] = tuple(STRATEGIES), executor: Executor | None = None
) -> Replayed:
    """Replay strategies, so many times each; the target is the median final best of the published search."""
    jobs = [(name, seed) for name in names for seed in range(n_replays)]
    named = partial(_replay_named, oracle)
    replayed = list(map(named, jobs) if executor is None else executor.map(named, jobs, chunksize=10))
    curves = {name: replayed[n * n_replays : (n + 1) * n_replays] for n, name in enumerate(names)}
    finals = [curve[-1][1] if curve else math.inf for curve in curves[REFERENCE]]
    found = [value for each in curves.values() for curve in each for _, value in curve]
    target, best, worst = _median(np.array(finals)), min(found), max(found)
    shares = {name: share(each, target) for name, each in curves.items()}
    return Replayed(shares, {name: regret(each, best, worst) for name, each in curves.items()}, target)


def _replay_named(oracle: Oracle, job: tuple[str, int]) -> list[tuple[float, float]]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    name, seed = job
    return replay(STRATEGIES[name], oracle, seed)


def halves(recorded: Sequence[Network]) -> dict[str, tuple[Oracle, Oracle]]:
    """Return a pool and a surrogate for each half of the networks: one to choose with, one to report."""
    return {
        name: (Pool(half), Surrogate(half)) for name, half in (("choice", recorded[::2]), ("report", recorded[1::2]))
    }


def winner(pool: Replayed, surrogate: Replayed) -> str | None:
    """Return the strategy that is faster than today's on both oracles, by its slower median; None if there is none."""
    slower = {name: max(pool.shares[name].median, surrogate.shares[name].median) for name in pool.shares}
    better = [
        name for name in slower if all(one.shares[name].high < one.shares["today"].low for one in (pool, surrogate))
    ]
    return min(better, key=lambda name: slower[name], default=None)
