"""Figures of findings: densities that show no single participant, or points where the user asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from brainage.evaluation.accuracy import Accuracy
from brainage.evaluation.disclosure import MIN_SHOWN
from brainage.evaluation.findings import Findings
from brainage.reporting.densities import (
    CLOUDS,
    CURVES,
    GAPS,
    Array,
    cloud,
    correlation,
    curve,
    drawable,
    identity,
    line,
)
from brainage.reporting.figure import BLUE, GREEN, GREY, ORANGE, Figure, draw
from brainage.reporting.text import PART_NAMES, number, slug

_PARTS = {"train": BLUE, "val": ORANGE, "test": GREEN}


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
    return draw("ages", alt, plot, size=(6, 3.6), caption=CURVES[points], shows_participants=points == "all")


def training(
    curves: pd.DataFrame, best_epoch: int | None, unchanged: Mapping[str, float | None] | None = None
) -> Figure | None:
    """Draw training and validation loss by epoch, and the selected epoch.

    Where training series were augmented, `unchanged` are the metrics of the unchanged ones, by the selected weights.
    """
    if len(curves) < 2 or curves[["train/loss", "val/loss"]].isna().all(axis=None):
        return None
    mse = None if unchanged is None else unchanged.get("mse")
    augmented = "" if unchanged is None else ", augmented series"

    def plot(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for part, colour, name in (("train", BLUE, f"training{augmented}"), ("val", ORANGE, "validation")):
            known = curves[curves[f"{part}/loss"].notna()]
            if not known.empty:
                axes.plot(known["epoch"], known[f"{part}/loss"], color=colour, linewidth=2, label=name)
        if best_epoch is not None:
            axes.axvline(best_epoch, color=GREEN, linestyle="--", label=f"selected (epoch {best_epoch})")
            if mse is not None:
                axes.plot([best_epoch], [mse], "o", color=BLUE, label="training, unchanged series")
        losses = [*curves[["train/loss", "val/loss"]].to_numpy(float).ravel(), *([] if mse is None else [mse])]
        axes.set_ylim(0, float(np.nanpercentile(losses, 95)) * 1.3)
        axes.set(xlabel="epoch (from 0)", ylabel="mean squared error (years²)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()

    alt = f"Training and validation loss over {len(curves)} epochs; the selected one is {best_epoch}."
    return draw("training", alt, plot, size=(6, 3.6), caption=_training_caption(unchanged))


def _training_caption(unchanged: Mapping[str, float | None] | None) -> str:
    if unchanged is None:
        return ""
    caption = (
        "The training loss is that of augmented series, with CutMix of mixed ages: it may be lower or higher than the "
        "error on the unchanged series."
    )
    if (mse := unchanged.get("mse")) is None:
        return caption
    error = f"MSE {number(mse)} years², MAE {number(unchanged.get('mae'))} years"
    return f"{caption} On the unchanged series, the selected weights have {error}."


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
    return draw("predicted", alt, plot, size=(5.6, 5.2), caption=CLOUDS[points], shows_participants=points == "all")


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
            axes.set(xlabel="age (years)", title=f"{label}, r = {correlation(age, gap)}")
        panels[0].set_ylabel("gap (years)")

    each = [f"{label} (r {correlation(age, rows[name].to_numpy(float))})" for name, (label, _) in drawn.items()]
    alt = f"Against age, of {len(rows)} participants: {' and '.join(each)}."
    return draw(
        "gap-age", alt, plot, size=(4.2 * len(drawn), 3.8), caption=CLOUDS[points], shows_participants=points == "all"
    )


def gap_by_age(by_age: pd.DataFrame) -> Figure | None:
    """Draw mean gap and corrected gap by age bin, with intervals of the means."""
    shown = by_age[by_age["n"] >= MIN_SHOWN].astype(float)
    drawn = {name: look for name, look in GAPS.items() if name in shown and shown[name].notna().any()}
    if len(shown) < 2 or not drawn:
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


def agreement(first: Array, second: Array, names: Sequence[str], *, points: str) -> Figure | None:
    """Draw the gaps of two runs against each other."""
    if not drawable(len(first), points):
        return None

    def plot(canvas: Canvas) -> None:
        axes = canvas.subplots()
        cloud(axes, first, second, BLUE, points)
        identity(axes, first, second, points)
        axes.set_xlabel(f"gap of {_short(names[0])} (years)", parse_math=False)
        axes.set_ylabel(f"gap of {_short(names[1])} (years)", parse_math=False)
        axes.set_title(f"r = {correlation(first, second)}   n = {len(first):,}")
        axes.legend()

    alt = f"Gaps of {names[0]} and {names[1]} of {len(first)} participants, r {correlation(first, second)}."
    name = f"agreement-{slug(names[0])}-{slug(names[1])}"
    return draw(name, alt, plot, size=(5, 4.6), caption=CLOUDS[points], shows_participants=points == "all")


def _short(name: str) -> str:
    """Return the number of a run in place of its name, which is longer than an axis."""
    number, _, label = name.partition(": ")
    return f"run {number}" if label and number.isdecimal() else name


def shareable(findings: Findings) -> list[Figure]:
    """Return the main figures without single participants, whatever ``report.points`` is, such as for loggers."""
    rows, accuracy = findings.rows, findings.accuracy
    drawn = [
        predicted(rows, accuracy, points="none"),
        ages(findings.predictions, points="none"),
        gap_against_age(rows, points="none"),
        gap_by_age(findings.by_age),
    ]
    return [figure for figure in drawn if figure is not None]
