"""Report of predictions for participants of unknown age."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from brainage.data.training_stats import Spread
from brainage.evaluation.gap import MIN_SHOWN
from brainage.reporting.figure import BLUE, GREEN, Figure, draw
from brainage.reporting.page import Page, Section, Table, made_with
from brainage.reporting.text import years


def prediction_page(
    predictions: pd.DataFrame, ages: Spread | None, facts: Sequence[tuple[str, str]], notes: Sequence[str]
) -> Page:
    """Return the report."""
    age = predictions["predicted_age"]
    rows = [
        ["participants", f"{len(age):,}"],
        ["predicted age, mean ± SD", f"{age.mean():.1f} ± {age.std(ddof=0):.1f} years"],
        ["predicted age, range", f"{age.min():.1f} to {age.max():.1f} years"],
    ]
    if "predicted_age_sd" in predictions:
        rows.append(["SD between the networks, mean", years(predictions["predicted_age_sd"].mean())])
    figures = [_ages(age.to_numpy(float), ages)] if len(age) >= MIN_SHOWN else []
    return Page(
        "Predicted ages",
        ["Ages are unknown, or known for training participants only: neither gap nor accuracy can be computed."],
        [
            Section("Predictions", tables=[Table((), rows)], figures=figures),
            Section("What was run", tables=[Table((), [*facts, *made_with()], text=True)]),
        ],
        notices=list(notes),
    )


def _ages(predicted: NDArray[np.float64], ages: Spread | None) -> Figure:
    def plot(canvas: Canvas) -> None:
        axes = canvas.subplots()
        axes.hist(predicted, bins=30, color=BLUE, label=f"predicted (n = {len(predicted):,})")
        if ages is not None:
            axes.axvline(ages.mean, color=GREEN, label="mean training age")
            for end in (ages.low, ages.high):
                axes.axvline(end, color=GREEN, linestyle="--")
        axes.set(xlabel="predicted age (years)", ylabel="participants")
        axes.legend()

    training = f"; training ages were {ages.low:.0f} to {ages.high:.0f}" if ages else ""
    alt = f"Histogram of predicted ages, {predicted.min():.1f} to {predicted.max():.1f} years{training}."
    caption = "Dashed: lowest and highest training age." if ages else ""
    return draw("predicted_ages", alt, plot, size=(6, 3.6), caption=caption)
