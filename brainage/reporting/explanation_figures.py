"""Figures of an explanation: components, component x time maps, single participants by row number."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from brainage.explanation.effects import spread
from brainage.explanation.summary import Explanation, Summary
from brainage.reporting.figure import BLUE, ORANGE, Figure, draw

# Label and colour of each method.
METHODS = {"occlusion": ("occlusion", BLUE), "gradients": ("integrated gradients", ORANGE)}

# Components per line of the figure; longest label that is written level.
_A_LINE = 34
_LEVEL = 3

# Single participants drawn at most.
_MOST_ROWS = 60

_Array = NDArray[np.float64]


def components(found: Explanation) -> Figure:
    """Draw the effect of each component with its interval over participants, in the order of the table."""
    order = found.order
    n_lines = math.ceil(len(order) / _A_LINE)
    lines = [part.tolist() for part in np.array_split(order, n_lines)]
    longest = max(len(part) for part in lines)

    def plot(canvas: Canvas) -> None:
        panels = canvas.subplots(n_lines, 1, sharey=True, squeeze=False)[:, 0]
        for axes, positions in zip(panels, lines, strict=True):
            for shift, (method, (label, colour)) in zip((-0.14, 0.14), METHODS.items(), strict=True):
                chosen = [found.by_component[method][k] for k in positions]
                value, ends = _drawn(chosen, absolute=_single(found))
                places = np.arange(len(positions)) + shift
                axes.errorbar(places, value, ends, fmt="o", markersize=5, color=colour, capsize=2, label=label)
            _label_below(axes, range(len(positions)), [found.labels[k] for k in positions])
            axes.set_xlim(-0.6, longest - 0.4)
            axes.set_ylim(bottom=0)
            axes.grid(visible=False, axis="x")
        panels[0].legend(loc="upper right")
        panels[-1].set_xlabel(found.kind)
        canvas.supylabel(_label(found), fontsize=10)

    first = ", ".join(found.labels[k] for k in order[:3])
    alt = (
        f"{size_name(found)} of {len(order)} {found.kind}s by occlusion and by integrated gradients, with 95 % "
        f"intervals; the first are {found.kind}s {first}."
    )
    return draw(
        "components",
        alt,
        plot,
        size=(max(5.5, 1 + 0.3 * longest), 0.6 + (2.8 + _height(found)) * n_lines),
        shows_participants=_single(found),
    )


def component_time(found: Explanation) -> Figure:
    """Draw the component x time maps of both methods, on a common scale."""
    single = _single(found)
    maps = {
        name: abs(effects.map[0]) if single else spread(effects.map) for name, effects in found.maps.methods.items()
    }
    highest = max(float(values.max()) for values in maps.values()) or 1.0

    def plot(canvas: Canvas) -> None:
        panels = canvas.subplots(1, 2, sharey=True)
        for axes, (name, values) in zip(panels, maps.items(), strict=True):
            image = _image(axes, values, "viridis", (0, highest), found)
            axes.set(title=METHODS[name][0])
        panels[0].set_ylabel(found.kind)
        canvas.colorbar(image, ax=panels, label=_label(found), aspect=30)

    row, window = divmod(int(maps["occlusion"].argmax()), len(found.times) - 1)
    alt = (
        f"Heat maps, {len(found.components)} {found.kind}s by {len(found.times) - 1} windows of time; by occlusion "
        f"the largest is {found.kind} {found.labels[row]} at {found.times[window]:.0f} to "
        f"{found.times[window + 1]:.0f} {found.unit}."
    )
    size = (8.5, 1.6 + 0.17 * len(found.components))
    return draw("component-time", alt, plot, size=size, shows_participants=_single(found))


def time_course(found: Explanation) -> Figure:
    """Draw the effect of each window of all components together."""
    middle = (found.times[:-1] + found.times[1:]) / 2

    def plot(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for name, (label, colour) in METHODS.items():
            value, ends = _drawn(found.by_time[name], absolute=_single(found))
            axes.errorbar(middle, value, ends, fmt="o-", color=colour, capsize=3, label=label)
        axes.set(xlabel=f"time ({found.unit})", ylabel=_label(found))
        axes.set_xlim(0, float(found.times[-1]))
        axes.set_ylim(bottom=0)
        axes.legend()

    alt = f"{size_name(found)} of {len(middle)} windows of time, all {found.kind}s together, by both methods."
    return draw("time", alt, plot, size=(6, 3.6), shows_participants=_single(found))


def participants(found: Explanation) -> Figure:
    """Draw the effects of all components on the predictions of the first participants, one row each."""
    values = found.maps.occlusion.components[found.shown_rows][:_MOST_ROWS]
    highest = float(abs(values).max()) or 1.0

    def plot(canvas: Canvas) -> None:
        axes = canvas.subplots()
        image = axes.imshow(values, aspect="auto", cmap="RdBu_r", vmin=-highest, vmax=highest, interpolation="nearest")
        axes.grid(visible=False)
        places = range(0, len(found.components), math.ceil(len(found.components) / 40))
        _label_below(axes, places, [found.labels[k] for k in places], fontsize=8)
        rows = range(0, len(values), math.ceil(len(values) / 10))
        axes.set_yticks(rows, [str(row + 1) for row in rows])
        axes.set(xlabel=found.kind, ylabel="row of participants.csv")
        canvas.colorbar(image, ax=axes, label="effect by occlusion (years)")

    alt = f"Effects of {values.shape[1]} {found.kind}s on the predictions of {len(values)} participants, by occlusion."
    size = (max(5.5, 2 + 0.22 * min(len(found.components), 40)), 1.6 + 0.09 * max(len(values), 15) + _height(found))
    caption = "Red makes the prediction older, blue younger."
    return draw("participants", alt, plot, size=size, caption=caption, shows_participants=True)


def single_maps(found: Explanation, rows: Sequence[int]) -> Figure:
    """Draw the component x time maps of gradients of the participants in these rows, from 0."""
    maps = found.maps.gradients.map[found.shown_rows][list(rows)]
    predicted = found.maps.predicted[found.shown_rows]
    highest = float(abs(maps).max()) or 1.0

    def plot(canvas: Canvas) -> None:
        panels = canvas.subplots(1, len(rows), sharey=True, squeeze=False)[0]
        for axes, row, values in zip(panels, rows, maps, strict=True):
            image = _image(axes, values, "RdBu_r", (-highest, highest), found)
            axes.set(title=f"row {row + 1}: {predicted[row]:.1f} years")
        panels[0].set_ylabel(found.kind)
        canvas.colorbar(image, ax=panels, label="integrated gradients (years)", aspect=30)

    named = ", ".join(str(row + 1) for row in rows)
    alt = f"Component x time maps of integrated gradients of rows {named}."
    size = (2.2 + 2.4 * len(rows), 1.6 + 0.17 * len(found.components))
    caption = "The participants with the lowest, median and highest predicted age, which is in the title."
    caption = caption if len(rows) == 3 else ""
    return draw("single-maps", alt, plot, size=size, caption=caption, shows_participants=True)


def _label_below(axes: Axes, places: Sequence[int], labels: Sequence[str], fontsize: float = 10) -> None:
    """Label places of the horizontal axis; names are turned, because they are longer than their places."""
    axes.set_xticks(places, labels, fontsize=fontsize, rotation=90 if max(map(len, labels)) > _LEVEL else 0)


def _height(found: Explanation) -> float:
    """Return the height that turned labels need, in inches."""
    longest = max(map(len, found.labels))
    return 0.07 * longest if longest > _LEVEL else 0.0


def _single(found: Explanation) -> bool:
    """Return whether there is one participant only, and so no SD."""
    return len(found.maps.predicted) < 2


def size_name(found: Explanation) -> str:
    """Return what the size of an effect is, in words."""
    return "Size of the effect" if _single(found) else "SD of the effect between participants"


def _label(found: Explanation) -> str:
    return "size of the effect (years)" if _single(found) else "SD of the effect (years)"


def _drawn(summaries: Sequence[Summary], *, absolute: bool) -> tuple[_Array, _Array]:
    """Return values, and the lengths of their error bars below and above."""
    estimates = [summary.absolute if absolute else summary.spread for summary in summaries]
    value, low, high = np.array([(e.value or 0.0, e.low, e.high) for e in estimates], dtype=float).T
    return value, np.nan_to_num(np.maximum(0, np.stack([value - low, high - value])))


def _image(axes: Axes, values: _Array, cmap: str, limits: tuple[float, float], found: Explanation) -> AxesImage:
    """Draw a component x time map."""
    axes.grid(visible=False)
    axes.set_xlabel(f"time ({found.unit})")
    axes.set_yticks(range(len(values)), found.labels, fontsize=8)
    extent = (0, float(found.times[-1]), len(values) - 0.5, -0.5)
    low, high = limits
    return axes.imshow(values, aspect="auto", cmap=cmap, vmin=low, vmax=high, interpolation="nearest", extent=extent)
