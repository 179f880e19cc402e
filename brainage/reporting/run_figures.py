"""Figures of findings: densities that show no single participant, or points where the user asks for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from scipy.stats import gaussian_kde

from brainage.evaluation.accuracy import Accuracy
from brainage.evaluation.associations import pearson
from brainage.evaluation.disclosure import MIN_RANKED, MIN_SHOWN, drawn_range
from brainage.reporting.figure import BLUE, GREEN, GREY, ORANGE, RED, Figure, draw
from brainage.reporting.text import PART_NAMES, number, slug

_Array = NDArray[np.float64]

_PARTS = {"train": BLUE, "val": ORANGE, "test": GREEN}

# Label and colour of the gap and of the corrected gap.
GAPS = {"bag": ("gap", BLUE), "bag_corrected": ("corrected gap", ORANGE)}

# Grid points of a density, per axis.
_GRID = 80

# Captions by `points`.
_CLOUDS = {
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


def ages(table: pd.DataFrame, *, points: str) -> Figure | None:
    """Draw the age distribution of each part."""
    groups = {part: table.loc[table["split"] == part, "age"].to_numpy(float) for part in _PARTS}
    drawn = {part: age for part, age in groups.items() if drawable(len(age), points) and np.ptp(age) > 0}
    if not drawn:
        return None

    def plot(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for part, values in drawn.items():
            label = f"{PART_NAMES[part]} (n = {len(values):,})"
            curve(axes, values, points, color=_PARTS[part], label=label)
        axes.set(xlabel="age (years)", ylabel="density")
        axes.set_ylim(bottom=0)
        axes.legend()

    text = ", ".join(f"{PART_NAMES[part]} mean {values.mean():.1f}" for part, values in drawn.items())
    alt = f"Smoothed distribution of age in each part of the split: {text} years."
    return draw("ages", alt, plot, size=(6, 3.6), caption=CURVES[points])


def training(curves: pd.DataFrame, best_epoch: int | None, *, augmented: bool = False) -> Figure | None:
    """Draw training and validation loss by epoch, and the selected epoch; `augmented` adds a caption."""
    if len(curves) < 2 or curves[["train/loss", "val/loss"]].isna().all(axis=None):
        return None

    def plot(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for part, colour in (("train", BLUE), ("val", ORANGE)):
            known = curves[curves[f"{part}/loss"].notna()]
            if known.empty:
                continue
            axes.plot(known["epoch"], known[f"{part}/loss"], color=colour, linewidth=2, label=PART_NAMES[part])
        if best_epoch is not None:
            axes.axvline(best_epoch, color=GREEN, linestyle="--", label=f"selected (epoch {best_epoch})")
        losses = curves[["train/loss", "val/loss"]].to_numpy(float)
        axes.set_ylim(0, float(np.nanpercentile(losses, 95)) * 1.3)
        axes.set(xlabel="epoch (from 0)", ylabel="mean squared error (years²)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()

    alt = f"Training and validation loss over {len(curves)} epochs; the selected one is {best_epoch}."
    caption = (
        "Training loss is that of augmented series (with CutMix also of mixed ages): it may be lower or higher than "
        "that of the original ones, which the accuracy of the training participants shows."
    )
    return draw("training", alt, plot, size=(6, 3.6), caption=caption if augmented else "")


def predicted(rows: pd.DataFrame, accuracy: Accuracy, *, points: str) -> Figure | None:
    """Draw predicted against true age, with the identity line and a fit."""
    if not drawable(len(rows), points):
        return None
    age, guess = rows["age"].to_numpy(float), rows["predicted_age"].to_numpy(float)
    values = {name: estimate.value for name, estimate in accuracy.estimates.items()}

    def plot(canvas: Canvas) -> None:
        axes = canvas.subplots()
        cloud(axes, age, guess, BLUE, points)
        identity(axes, age, guess, points)
        line(axes, age, guess, points)
        axes.set(xlabel="age (years)", ylabel="predicted age (years)", aspect="equal", adjustable="datalim")
        text = f"MAE {number(values['mae'])}   R² {number(values['r2'])}   r {number(values['pearson_r'])}"
        axes.set_title(f"{text}   n = {len(age):,}")
        axes.legend(loc="upper left")

    alt = (
        f"Predicted against true age of {len(age)} participants, with identity and fitted line: MAE "
        f"{number(values['mae'])} years, r {number(values['pearson_r'])}."
    )
    return draw("predicted", alt, plot, size=(5.6, 5.2), caption=_CLOUDS[points])


def gap_against_age(rows: pd.DataFrame, *, points: str) -> Figure | None:
    """Draw gap and corrected gap against age."""
    age = rows["age"].to_numpy(float)
    drawn = {name: look for name, look in GAPS.items() if name in rows and rows[name].notna().all()}
    if not drawable(len(rows), points) or not drawn:
        return None

    def plot(canvas: Canvas) -> None:
        panels = canvas.subplots(1, len(drawn), sharey=True, squeeze=False)[0]
        for axes, (name, (label, colour)) in zip(panels, drawn.items(), strict=True):
            gap = rows[name].to_numpy(float)
            cloud(axes, age, gap, colour, points)
            axes.axhline(0, color=GREY, linestyle="--")
            line(axes, age, gap, points)
            axes.set(xlabel="age (years)", title=f"{label}, r = {_correlation(age, gap)}")
        panels[0].set_ylabel("gap (years)")

    each = [f"{label} (r {_correlation(age, rows[name].to_numpy(float))})" for name, (label, _) in drawn.items()]
    alt = f"Against age, of {len(rows)} participants: {' and '.join(each)}."
    return draw("gap-age", alt, plot, size=(4.2 * len(drawn), 3.8), caption=_CLOUDS[points])


def gap_by_age(by_age: pd.DataFrame) -> Figure | None:
    """Draw mean gap and corrected gap by age bin, with intervals of the means."""
    shown = by_age[by_age["n"] >= MIN_SHOWN].astype(float)
    drawn = {name: look for name, look in GAPS.items() if name in shown and shown[name].notna().any()}
    if shown.empty or not drawn:
        return None

    def plot(canvas: Canvas) -> None:
        axes = canvas.subplots()
        middle = (shown["age_low"] + shown["age_high"]) / 2
        for shift, (name, (label, colour)) in enumerate(drawn.items()):
            half = 1.96 * shown[f"{name}_sd"] / np.sqrt(shown["n"])
            axes.errorbar(middle + 0.5 * shift, shown[name], half, fmt="o-", color=colour, capsize=3, label=label)
        axes.axhline(0, color=GREY, linestyle="--")
        axes.set(xlabel="age (years)", ylabel="mean gap (years)")
        axes.legend()

    alt = f"Mean gap and corrected gap in {len(shown)} age bins."
    return draw("gap-by-age", alt, plot, size=(6, 3.8), caption="Bars: mean ± 1.96 standard errors.")


def forest(table: pd.DataFrame) -> Figure | None:
    """Draw partial correlations of the gap and correlations of the corrected gap, with intervals."""
    known = table[table["r_partial"].notna()]
    if known.empty:
        return None

    def plot(canvas: Canvas) -> None:
        axes = canvas.subplots()
        places = np.arange(len(known))[::-1].astype(float)
        for shift, suffix, colour, label in (
            (0.14, "_partial", BLUE, "gap, adjusted for covariates"),
            (-0.14, "_corrected", ORANGE, "corrected gap"),
        ):
            r, low, high = (known[f"r{suffix}{end}"].to_numpy(float) for end in ("", "_low", "_high"))
            some = ~np.isnan(r)
            if some.any():
                ends = np.abs(np.nan_to_num(np.stack([r - low, high - r])[:, some]))
                axes.errorbar(r[some], places[some] + shift, xerr=ends, fmt="o", color=colour, capsize=2, label=label)
        axes.axvline(0, color=GREY, linestyle="--")
        axes.set_yticks(places, known["variable"] + np.where(known["q_partial"] < 0.05, " *", ""))
        axes.set(xlabel="correlation (95 % interval)")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)

    strongest = known.iloc[int(known["r_partial"].abs().to_numpy(float).argmax())]
    alt = (
        f"Partial correlations of the gap with {len(known)} variables; the strongest is {strongest['variable']}, "
        f"{strongest['r_partial']:.2f}."
    )
    caption = "* q < 0.05 (partial correlation)." if (known["q_partial"] < 0.05).any() else ""
    return draw("associations", alt, plot, size=(7.2, 1.4 + 0.42 * len(known)), caption=caption)


def phenotype(rows: pd.DataFrame, name: str, values: pd.Series, kind: str, *, points: str) -> Figure | None:
    """Draw gap and corrected gap against one variable."""
    gaps = {gap: look for gap, look in GAPS.items() if gap in rows and rows[gap].notna().all()}
    known = values.notna()
    x = values[known].to_numpy(float)
    categories = [float(value) for value in np.unique(x) if (x == value).sum() >= MIN_SHOWN]
    continuous = kind == "continuous"
    enough = drawable(len(x), points) if continuous else len(categories) > 1
    if not gaps or not enough:
        return None

    def plot(canvas: Canvas) -> None:
        panels = canvas.subplots(1, len(gaps), sharey=True, squeeze=False)[0]
        for axes, (gap, (label, colour)) in zip(panels, gaps.items(), strict=True):
            y = rows.loc[known, gap].to_numpy(float)
            if continuous:
                cloud(axes, x, y, colour, points)
                line(axes, x, y, points)
            else:
                _boxes(axes, {value: y[x == value] for value in categories}, colour)
            axes.axhline(0, color=GREY, linestyle="--", linewidth=1)
            axes.set_xlabel(name, parse_math=False)
            axes.set_title(f"{label}, r = {_correlation(x, y)}", fontsize=10)
        panels[0].set_ylabel("gap (years)")

    alt = f"Gap and corrected gap of {len(x)} participants against {name}."
    whiskers = f"Boxes: quartiles; whiskers, from {MIN_RANKED} participants on: 5th and 95th percentiles."
    caption = _CLOUDS[points] if continuous else whiskers
    return draw(f"phenotype-{slug(name)}", alt, plot, size=(3.3 * len(gaps), 2.9), caption=caption)


def agreement(first: _Array, second: _Array, names: Sequence[str], *, points: str) -> Figure | None:
    """Draw the gaps of two runs against each other."""
    if not drawable(len(first), points):
        return None

    def plot(canvas: Canvas) -> None:
        axes = canvas.subplots()
        cloud(axes, first, second, BLUE, points)
        identity(axes, first, second, points)
        axes.set_xlabel(f"gap of {names[0]} (years)", parse_math=False)
        axes.set_ylabel(f"gap of {names[1]} (years)", parse_math=False)
        axes.set_title(f"r = {_correlation(first, second)}   n = {len(first):,}")
        axes.legend()

    alt = f"Gaps of {names[0]} and {names[1]} of {len(first)} participants, r {_correlation(first, second)}."
    name = f"agreement-{slug(names[0])}-{slug(names[1])}"
    return draw(name, alt, plot, size=(5, 4.6), caption=_CLOUDS[points])


def cloud(axes: Axes, x: _Array, y: _Array, colour: str, points: str) -> None:
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
    # From 50 participants on, the density of a single one is below a tenth of the maximum.
    axes.contourf(*mesh, height, levels=np.linspace(0.1, 1, 8) * height.max(), cmap="Blues")


def curve(axes: Axes, values: _Array, points: str, **look: str) -> None:
    """Draw a kernel density of one variable, where participants are drawn."""
    margin = 3.0 if points == "all" else 0.0
    low, high = _ends(values, points)
    grid = np.linspace(low - margin, high + margin, 200)
    axes.plot(grid, gaussian_kde(values)(grid), linewidth=2, **look)  # type: ignore[arg-type]


def identity(axes: Axes, x: _Array, y: _Array, points: str) -> None:
    """Draw the line on which both are equal."""
    ends = [
        end(pair) for end, pair in zip((min, max), zip(_ends(x, points), _ends(y, points), strict=True), strict=True)
    ]
    axes.plot(ends, ends, color=GREY, linestyle="--", label="identity")


def _ends(values: _Array, points: str) -> tuple[float, float]:
    """Return between which values participants are drawn: the extremes are single participants' values."""
    ends = None if points == "all" else drawn_range(values)
    return ends or (float(values.min()), float(values.max()))


def line(axes: Axes, x: _Array, y: _Array, points: str) -> None:
    """Draw the least-squares line."""
    if np.ptp(x) == 0:
        return
    slope, intercept = np.polyfit(x, y, 1)
    ends = np.array(_ends(x, points))
    axes.plot(ends, intercept + slope * ends, color=RED, linewidth=2, label="least-squares line")


def _boxes(axes: Axes, groups: dict[float, _Array], colour: str) -> None:
    """Draw one box per category: quartiles, and whiskers at the 5th and 95th percentiles where they may be shown."""
    boxes = []
    for values in groups.values():
        q1, med, q3 = np.percentile(values, [25, 50, 75])
        low, high = drawn_range(values) or (q1, q3)
        boxes.append({"q1": q1, "med": med, "q3": q3, "whislo": low, "whishi": high})
    parts = axes.bxp(
        boxes,
        positions=range(len(groups)),
        widths=0.55,
        showfliers=False,
        patch_artist=True,
        medianprops={"color": "#1c2430"},
    )
    for box in parts["boxes"]:
        box.set(facecolor=colour, alpha=0.55)
    axes.set_xticks(range(len(groups)), [f"{value:g}" for value in groups])


def _correlation(x: _Array, y: _Array) -> str:
    r = pearson(x, y)
    return "undefined" if np.isnan(r) else number(r)
