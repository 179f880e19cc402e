"""Figures of a study. Optuna's own omit pruned trials from the history, cut labels, and need pyplot's global state."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState

from brainage.reporting.figure import BLUE, GREEN, GREY, ORANGE, RED, Figure, draw
from brainage.system.console import cell

Distributions = Mapping[str, BaseDistribution]

# Marker and colour of a trial by how it ended.
_LOOKS = {TrialState.COMPLETE: ("o", BLUE), TrialState.PRUNED: ("x", ORANGE), TrialState.FAIL: ("|", RED)}

# Values above this multiple of the best one are drawn at the edge: diverged networks would hide all others.
_FAR = 3.0

# Parameters in a row of parallel coordinates, and characters between two of them.
_N_AXES, _N_CHARACTERS = 6, 14

# Replaces a best value that is nearer to 0, as an R² may be.
_NEAR_ZERO = 0.2


def value_of(trial: FrozenTrial, *, reported: bool = True) -> float:
    """Return a trial's value: of a pruned one its last `reported` value, if that is comparable; NaN without a value."""
    if trial.state == TrialState.COMPLETE:
        return float(trial.values[0])
    last = trial.intermediate_values
    return float(last[max(last)]) if last and reported else float("nan")


def history(trials: Sequence[FrozenTrial], name: str, *, maximize: bool, reported: bool = True) -> Figure:
    """Draw every trial's value in order, and the best so far; `reported`: whether pruned trials reported values."""
    shown = [trial for trial in trials if trial.state.is_finished()]
    values = np.array([value_of(trial, reported=reported) for trial in shown])
    complete = np.array([trial.state == TrialState.COMPLETE for trial in shown])
    best = np.where(complete, values, -np.inf if maximize else np.inf)
    best = np.maximum.accumulate(best) if maximize else np.minimum.accumulate(best)

    def plot(canvas: Canvas) -> None:
        axes = canvas.subplots()
        numbers = np.array([trial.number for trial in shown])
        drawn, edge = _clipped(values, maximize=maximize)
        for state, (marker, colour) in _LOOKS.items():
            of_state = np.array([trial.state == state for trial in shown])
            y = np.where(np.isfinite(drawn), drawn, edge)[of_state]
            label = f"{state.name.lower()} ({of_state.sum()})"
            axes.scatter(numbers[of_state], y, marker=marker, color=colour, label=label)
        known = np.isfinite(best)
        axes.step(numbers[known], best[known], where="post", color=GREEN, label="best so far")
        _label(axes, "trial", name)

    alt = f"{name} of each of {len(shown)} trials in order, and the best so far; complete, pruned, failed ones marked."
    where = "A pruned trial is at its last reported value; failed and far ones" if reported else "All others"
    return draw("history", alt, plot, size=(7.5, 4), caption=f"{where} are at the edge.")


def curves(trials: Sequence[FrozenTrial], name: str, best: FrozenTrial, *, maximize: bool) -> Figure:
    """Draw the validation error of every trial by epoch; it was reported as negative where the study maximizes."""

    def plot(canvas: Canvas) -> None:
        axes = canvas.subplots()
        sign = -1 if maximize else 1
        drawn = [trial for trial in trials if trial.intermediate_values]
        everything = np.array([sign * value for trial in drawn for value in trial.intermediate_values.values()])
        _, edge = _clipped(everything, maximize=False)
        for trial in sorted(drawn, key=lambda trial: trial.number == best.number):
            chosen = trial.number == best.number
            colour = GREEN if chosen else _LOOKS.get(trial.state, ("", GREY))[1]
            epochs, values = zip(*sorted(trial.intermediate_values.items()), strict=True)
            y = np.minimum(sign * np.array(values), edge)
            axes.plot(epochs, y, color=colour, linewidth=2.4 if chosen else 0.9, alpha=1 if chosen else 0.5)
            if trial.state == TrialState.PRUNED:
                axes.plot(epochs[-1], y[-1], "x", color=ORANGE)
        axes.plot([], [], color=GREEN, linewidth=2.4, label=f"best (trial {best.number})")
        axes.plot([], [], color=BLUE, label="complete")
        axes.plot([], [], color=ORANGE, marker="x", label="pruned")
        _label(axes, "epoch", name)

    return draw("curves", f"{name} by epoch, one line per trial; a cross at the end marks a pruned trial.", plot)


def importances(shares: dict[str, float]) -> Figure:
    """Draw how much of the difference between trials each parameter accounts for."""

    def plot(canvas: Canvas) -> None:
        axes = canvas.subplots()
        names = list(shares)[::-1]
        bars = axes.barh([_short(name) for name in names], [shares[name] for name in names], color=BLUE)
        axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=9)
        axes.set(xlabel="share", xlim=(0, max(shares.values()) * 1.15 or 1))
        axes.grid(visible=False, axis="y")

    order = ", ".join(f"{_short(name)} {share:.2f}" for name, share in shares.items())
    alt = f"Importance of each parameter, as a share: {order}."
    return draw("importances", alt, plot, size=(6, 1.0 + 0.32 * len(shares)))


def parallel(trials: Sequence[FrozenTrial], distributions: Distributions, name: str, *, maximize: bool) -> Figure:
    """Draw each complete trial as a line through its parameters, the best ones darkest and last."""
    keys = list(distributions)
    ranked = sorted(trials, key=value_of, reverse=not maximize)
    # Each row begins with the last parameter of the row above, so that lines can be followed.
    n_rows = max(1, -(-(len(keys) - 1) // (_N_AXES - 1)))
    rows = [keys[row * (_N_AXES - 1) : row * (_N_AXES - 1) + _N_AXES] for row in range(n_rows)]

    def plot(canvas: Canvas) -> None:
        grid = canvas.subplots(n_rows, 1, squeeze=False).ravel()
        for axes, names in zip(grid, rows, strict=True):
            _draw_lines(axes, ranked, {key: distributions[key] for key in names})
            axes.set(yticks=[], xlim=(-0.1, min(len(keys), _N_AXES) - 0.3), ylim=(-0.08, 1.08))
            axes.spines[["left", "bottom"]].set_visible(False)
            axes.grid(visible=False)

    alt = f"{len(ranked)} complete trials as lines through {len(keys)} parameters; the darker, the better their {name}."
    width = max(4.5, 1.5 * min(len(keys), _N_AXES))
    return draw("parallel", alt, plot, size=(width, 3.4 * n_rows), caption="The darker, the better.")


def _draw_lines(axes: Axes, ranked: Sequence[FrozenTrial], distributions: Distributions) -> None:
    """Draw trials, the best last, as lines through parameters; labels are wrapped to their place, never cut."""
    scales = {key: _Scale.of(value) for key, value in distributions.items()}
    for trial, share in zip(ranked, np.linspace(0, 1, len(ranked)), strict=True):
        y = [scale.place(trial.params[key]) for key, scale in scales.items()]
        colour = colormaps["cividis_r"](share)
        axes.plot(range(len(y)), y, color=colour, alpha=0.35 + 0.6 * share**2, linewidth=1 + share)
    box: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
    for index, scale in enumerate(scales.values()):
        axes.axvline(index, color=GREY, linewidth=0.8)
        for place, text in scale.ticks():
            label = textwrap.fill(text, _N_CHARACTERS)
            point = (index, place)
            axes.annotate(label, point, (4, 0), textcoords="offset points", fontsize=8, va="center", bbox=box)
    axes.set_xticks(range(len(scales)), [textwrap.fill(_short(key), 2 * _N_CHARACTERS) for key in scales])


def slices(trials: Sequence[FrozenTrial], distributions: Distributions, name: str, *, maximize: bool) -> Figure:
    """Draw the value against each parameter."""
    keys = list(distributions)
    n_columns = min(len(keys), 4)
    n_rows = -(-len(keys) // n_columns)

    def plot(canvas: Canvas) -> None:
        grid = canvas.subplots(n_rows, n_columns, sharey=True, squeeze=False).ravel()
        values, _ = _clipped(np.array([value_of(trial) for trial in trials]), maximize=maximize)
        for axes, key in zip(grid, keys, strict=False):
            scale = _Scale.of(distributions[key])
            for state in (TrialState.PRUNED, TrialState.COMPLETE):
                of_state = [i for i, trial in enumerate(trials) if trial.state == state]
                marker, colour = _LOOKS[state]
                x = [scale.place(trials[i].params[key]) for i in of_state]
                axes.scatter(x, values[of_state], marker=marker, s=16, color=colour, alpha=0.7)
            ticks = scale.ticks()
            axes.set_xticks([place for place, _ in ticks], [text for _, text in ticks], fontsize=8)
            axes.set(xlabel=_short(key), xlim=(-0.08, 1.08))
        for axes in grid[len(keys) :]:
            axes.set_axis_off()
        for axes in grid[::n_columns]:
            axes.set_ylabel(name)

    alt = f"{name} against each of {len(keys)} parameters; complete trials as dots, pruned ones as crosses."
    return draw("slices", alt, plot, size=(2.9 * n_columns, 2.4 * n_rows + 0.3))


def durations(trials: Sequence[FrozenTrial]) -> Figure:
    """Draw each trial's time: training, and what is beyond it."""

    def plot(canvas: Canvas) -> None:
        axes = canvas.subplots()
        numbers = [trial.number for trial in trials]
        for key, colour, label in (("seconds", GREY, "all else"), ("fit_seconds", BLUE, "training")):
            seconds = np.array([trial.user_attrs.get(key) or np.nan for trial in trials], dtype=float)
            axes.bar(numbers, seconds, color=colour, width=0.9, label=label)
        _label(axes, "trial", "time (s)")

    return draw("time", f"Time of each of {len(trials)} trials, that of training and all else.", plot, size=(7.5, 3.2))


def front(
    trials: Sequence[FrozenTrial],
    best: Sequence[FrozenTrial],
    chosen: FrozenTrial,
    names: Sequence[str],
    *,
    maximize: bool,
) -> Figure:
    """Draw two objectives against each other, with the front: trials that no other one beats in both."""

    def plot(canvas: Canvas) -> None:
        axes = canvas.subplots()
        values = np.array([trial.values for trial in trials], dtype=float)
        y, _ = _clipped(values[:, 0], maximize=maximize)
        axes.scatter(values[:, 1], y, color=GREY, s=18, label="complete")
        line = np.array(sorted((trial.values[1], trial.values[0]) for trial in best))
        axes.step(line[:, 0], line[:, 1], where="post", color=BLUE, marker="o", markersize=4, label="front")
        axes.scatter(chosen.values[1], chosen.values[0], marker="*", s=170, color=GREEN, zorder=3, label="chosen")
        axes.set(xscale="log" if (values[:, 1] > 0).all() else "linear", xlabel=names[1], ylabel=names[0])
        axes.legend()

    return draw("front", f"{names[0]} against {names[1]} of {len(trials)} trials, with the front of the best.", plot)


@dataclass(frozen=True)
class _Scale:
    """Scales a parameter's values to [0, 1]; `marks` are the values with a label."""

    place: Callable[[Any], float]
    marks: Sequence[Any]

    @classmethod
    def of(cls, distribution: BaseDistribution) -> _Scale:
        if isinstance(distribution, CategoricalDistribution):
            names = [repr(choice) for choice in distribution.choices]
            last = max(len(names) - 1, 1)
            return cls(lambda value: names.index(repr(value)) / last, distribution.choices)
        low, high = float(distribution.low), float(distribution.high)  # type: ignore[attr-defined]
        log = bool(distribution.log)  # type: ignore[attr-defined]
        bend: Callable[[float], float] = (lambda value: float(np.log10(value))) if log else float
        span = bend(high) - bend(low) or 1.0
        if log:
            marks: list[float] = [
                10.0**power for power in range(int(np.ceil(bend(low))), int(np.floor(bend(high))) + 1)
            ] or [low]
        else:
            whole = isinstance(distribution.low, int)  # type: ignore[attr-defined]
            marks = [float(mark) for mark in np.linspace(low, high, 4)]
            marks = sorted({float(round(mark)) for mark in marks}) if whole else marks
        return cls(lambda value: (bend(value) - bend(low)) / span, marks)

    def ticks(self) -> list[tuple[float, str]]:
        return [(self.place(mark), cell(mark, "g")) for mark in self.marks]


def _label(axes: Axes, x: str, y: str) -> None:
    axes.set(xlabel=x, ylabel=y)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()


def _short(key: str) -> str:
    return key.rpartition(".")[2]


def _clipped(values: NDArray[np.float64], *, maximize: bool) -> tuple[NDArray[np.float64], float]:
    """Return values that are not far from the best, the others at the edge; and the edge."""
    known = values[np.isfinite(values)]
    if known.size == 0:
        return values, 0.0
    if maximize:
        flipped, edge = _clipped(-values, maximize=False)
        return -flipped, -edge
    edge = min(known.max(), known.min() + (_FAR - 1) * max(abs(known.min()), _NEAR_ZERO))
    return np.minimum(values, edge), float(edge)
