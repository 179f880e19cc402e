"""Report of predictions for participants of unknown age."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas

from brainage.data.training_stats import Spread
from brainage.evaluation.gap import MIN_SHOWN
from brainage.reporting.figure import BLUE, GREEN, Figure, draw
from brainage.reporting.page import Page, Section, Table, made_with


def prediction_page(
    predictions: pd.DataFrame, ages: Spread | None, facts: Sequence[tuple[str, str]], notes: Sequence[str]
) -> Page:
    """Return the report."""
    age = predictions["predicted_age"]
    rows = [["participants", f"{len(age):,}"], ["predicted age", f"{age.mean():.1f} ± {age.std(ddof=0):.1f} years"]]
    rows.append(["lowest to highest", f"{age.min():.1f} to {age.max():.1f} years"])
    if "predicted_age_sd" in predictions:
        rows.append(["SD between the networks, mean", f"{predictions['predicted_age_sd'].mean():.2f} years"])
    drawn = [figure] if (figure := _ages(age.to_numpy(float), ages)) is not None else []
    return Page(
        "Predicted ages",
        ["No ages are known, or only those of training participants: there are no gaps and no accuracy."],
        [
            Section("Predictions", tables=[Table((), rows)], figures=drawn),
            Section("What was run", tables=[Table((), [list(fact) for fact in (*facts, *made_with())])]),
        ],
        notices=list(notes),
    )


def _ages(predicted: np.ndarray[tuple[int, ...], np.dtype[np.float64]], ages: Spread | None) -> Figure | None:
    if len(predicted) < MIN_SHOWN:
        return None

    def plot(canvas: Canvas) -> None:
        axes = canvas.subplots()
        axes.hist(predicted, bins=30, color=BLUE, label=f"predicted (n = {len(predicted):,})")
        if ages is not None:
            axes.axvline(ages.mean, color=GREEN, label="mean age in training")
            for end in (ages.low, ages.high):
                axes.axvline(end, color=GREEN, linestyle="--")
        axes.set(xlabel="predicted age (years)", ylabel="participants")
        axes.legend()

    training = f"; in training, ages were {ages.low:.0f} to {ages.high:.0f}" if ages else ""
    alt = f"Histogram of predicted ages, {predicted.min():.1f} to {predicted.max():.1f} years{training}."
    return draw("predicted_ages", alt, plot, size=(6, 3.6), caption="Dashed: the youngest and oldest in training.")
