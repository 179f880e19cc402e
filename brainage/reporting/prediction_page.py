"""Report of predictions for participants of unknown age."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from brainage.evaluation.conformal import HIGH, LOW
from brainage.evaluation.disclosure import may_describe
from brainage.evaluation.shown_values import middle_range
from brainage.evaluation.training_stats import Spread
from brainage.reporting.densities import CURVES, curve, drawable
from brainage.reporting.figure import BLUE, GREEN, Figure, draw
from brainage.reporting.page import Page, Section, Table, made_with
from brainage.reporting.text import middle, years

_Array = NDArray[np.float64]


def prediction_page(
    predictions: pd.DataFrame,
    ages: Spread | None,
    facts: Sequence[tuple[str, str]],
    notes: Sequence[str],
    first: Section | None = None,
    *,
    points: str,
) -> Page:
    """Return the report."""
    age = predictions["predicted_age"].to_numpy(float)
    rows = [["participants", f"{len(age):,}"], *predicted_rows(age)]
    if "predicted_age_sd" in predictions and may_describe(len(age)):
        rows.append(["SD between the networks, mean", years(predictions["predicted_age_sd"].mean())])
    if LOW in predictions and may_describe(int(predictions[LOW].notna().sum())):
        rows.append(["width of the prediction intervals, mean", years((predictions[HIGH] - predictions[LOW]).mean())])
    drawn = [_ages(age, ages, points)] if drawable(len(age), points) and np.ptp(age) > 0 else []
    return Page(
        "Predicted ages",
        ["Ages are unknown, or known for training participants only: neither gap nor accuracy can be computed."],
        [
            *([] if first is None else [first]),
            Section("Predictions", tables=[Table((), rows)], figures=drawn),
            Section("What was run", tables=[Table((), [*facts, *made_with()], text=True)]),
        ],
        notices=list(notes),
    )


def predicted_rows(age: _Array) -> list[list[str]]:
    """Return rows on predicted ages: mean and SD from ten participants on, percentiles from 50 on."""
    if not may_describe(len(age)):
        return []
    rows = [["predicted age, mean ± SD", f"{age.mean():.1f} ± {age.std(ddof=0):.1f} years"]]
    if ends := middle_range(age):
        rows.append(["predicted age, 5th to 95th percentile", f"{middle(*ends)} years"])
    return rows


def _ages(predicted: _Array, ages: Spread | None, points: str) -> Figure:
    limits = [end for end in (ages.p5, ages.p95) if end is not None] if ages else []

    def plot(canvas: Canvas) -> None:
        axes = canvas.subplots()
        curve(axes, predicted, points, color=BLUE, label=f"predicted (n = {len(predicted):,})")
        if ages is not None:
            axes.axvline(ages.mean, color=GREEN, label="mean training age")
            for end in limits:
                axes.axvline(end, color=GREEN, linestyle="--")
        axes.set(xlabel="predicted age (years)", ylabel="density")
        axes.set_ylim(bottom=0)
        axes.legend()

    alt = f"Smoothed distribution of predicted ages, mean {predicted.mean():.1f} years."
    caption = f"{CURVES[points]}{' Dashed: 5th and 95th percentile of training ages.' if limits else ''}"
    return draw("predicted_ages", alt, plot, size=(6, 3.6), caption=caption, shows_participants=points == "all")
