"""Parts of figures of participants: densities that show no single one, or points where the user asks for them."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy.stats import gaussian_kde

from brainage.evaluation.associations import pearson
from brainage.evaluation.disclosure import MIN_RANKED, MIN_SHOWN
from brainage.evaluation.shown_values import drawn_percentiles, drawn_range
from brainage.reporting.figure import BLUE, GREY, ORANGE, RED
from brainage.reporting.text import number

Array = NDArray[np.float64]

# Label and colour of the gap and of the corrected gap.
GAPS = {"bag": ("gap", BLUE), "bag_corrected": ("corrected gap", ORANGE)}

# Grid points of a density, per axis.
_GRID = 80

# Captions by `points`.
CLOUDS = {
    "all": "",
    "none": "Kernel density of participants between the 5th and 95th percentiles, down to a tenth of its maximum.",
}

CURVES = {
    "all": "Kernel density estimate.",
    "none": f"Kernel density estimate between the 5th and 95th percentiles, of at least {MIN_RANKED} participants.",
}


def drawable(n: int, points: str) -> bool:
    """Return whether a group of `n` participants is drawn: densities need 50, points ten."""
    return n >= (MIN_SHOWN if points == "all" else MIN_RANKED)


def cloud(axes: Axes, x: Array, y: Array, colour: str, points: str) -> None:
    """Draw participants as points; or as a density, without the outermost, if `points` is "none"."""
    if points == "all":
        axes.scatter(x, y, s=12, color=colour, alpha=max(0.15, min(0.6, 150 / max(len(x), 1))), linewidths=0)
        return
    try:
        density = gaussian_kde(np.stack([x, y]))
    except np.linalg.LinAlgError:  # constant, or all on one line
        return
    grids = [np.linspace(*_ends(values, points), _GRID) for values in (x, y)]
    mesh = np.meshgrid(*grids)
    height = density(np.stack([axis.ravel() for axis in mesh])).reshape(_GRID, _GRID)
    if (highest := float(height.max())) > 0:  # else all are almost on one line, between the grid points
        # From 50 participants on, the density of a single one is below a tenth of the maximum.
        axes.contourf(*mesh, height, levels=np.linspace(0.1, 1, 8) * highest, cmap="Blues")


def curve(axes: Axes, values: Array, points: str, **look: str) -> None:
    """Draw a kernel density of one variable, where participants are drawn."""
    margin = 3.0 if points == "all" else 0.0
    low, high = _ends(values, points)
    grid = np.linspace(low - margin, high + margin, 200)
    axes.plot(grid, gaussian_kde(values)(grid), linewidth=2, **look)  # type: ignore[arg-type]


def identity(axes: Axes, x: Array, y: Array, points: str) -> None:
    """Draw the line on which both are equal."""
    ends = [
        end(pair) for end, pair in zip((min, max), zip(_ends(x, points), _ends(y, points), strict=True), strict=True)
    ]
    axes.plot(ends, ends, color=GREY, linestyle="--", label="identity")


def _ends(values: Array, points: str) -> tuple[float, float]:
    """Return between which values participants are drawn: the extremes are single participants' values."""
    ends = None if points == "all" else drawn_range(values)
    return ends or (float(values.min()), float(values.max()))


def line(axes: Axes, x: Array, y: Array, points: str) -> None:
    """Draw the least-squares line."""
    if np.ptp(x) == 0:
        return
    slope, intercept = np.polyfit(x, y, 1)
    ends = np.array(_ends(x, points))
    axes.plot(ends, intercept + slope * ends, color=RED, linewidth=2, label="least-squares line")


def boxes(axes: Axes, groups: dict[float, Array], colour: str) -> None:
    """Draw one box per category: quartiles, and whiskers at the 5th and 95th percentiles where they may be shown."""
    drawn = []
    for values in groups.values():
        q1, med, q3 = drawn_percentiles(values, [25, 50, 75])
        low, high = drawn_range(values) or (q1, q3)
        drawn.append({"q1": q1, "med": med, "q3": q3, "whislo": low, "whishi": high})
    parts = axes.bxp(
        drawn,
        positions=range(len(groups)),
        widths=0.55,
        showfliers=False,
        patch_artist=True,
        medianprops={"color": "#1c2430"},
    )
    for box in parts["boxes"]:
        box.set(facecolor=colour, alpha=0.55)
    axes.set_xticks(range(len(groups)), [f"{value:g}" for value in groups])


def correlation(x: Array, y: Array) -> str:
    """Return Pearson's r as text."""
    r = pearson(x, y)
    return "undefined" if np.isnan(r) else number(r)
