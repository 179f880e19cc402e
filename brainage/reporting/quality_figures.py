"""Figures of residuals, and of groups of participants."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas
from scipy.stats import norm

from brainage.evaluation.groups import Group
from brainage.evaluation.residuals import Residuals, residuals_of
from brainage.reporting.densities import CLOUDS, GAPS, cloud, drawable
from brainage.reporting.figure import BLUE, GREY, Figure, draw


def residuals(rows: pd.DataFrame, found: Residuals | None, *, points: str) -> Figure | None:
    """Draw the residuals of predicted on true age against age, and their percentiles against normal ones."""
    if found is None or not drawable(len(rows), points):
        return None
    age, left, sd = rows["age"].to_numpy(float), residuals_of(rows), found.sd
    shares = np.arange(5, 96, 5)

    def plot(canvas: Canvas) -> None:
        against_age, normal = canvas.subplots(1, 2)
        cloud(against_age, age, left, BLUE, points)
        against_age.axhline(0, color=GREY, linestyle="--")
        against_age.set(xlabel="age (years)", ylabel="residual (years)", title="residuals against age")
        expected = norm.ppf(shares / 100)
        normal.plot(expected, np.percentile(left, shares) / sd, "o-", color=BLUE)
        normal.plot(expected, expected, color=GREY, linestyle="--", label="normal")
        normal.set(xlabel="normal distribution (SDs)", ylabel="residuals (SDs)", title="percentiles 5, 10, ... 95")
        normal.legend()

    alt = f"Residuals of {len(rows)} participants against age, and their percentiles against a normal distribution."
    single = points == "all"
    return draw("residuals", alt, plot, size=(6.8, 3.4), caption=CLOUDS[points], shows_participants=single)


def groups(found: Sequence[Group], name: str = "groups") -> Figure | None:
    """Draw the mean gap and the mean corrected gap of groups, with intervals; of sites, `name` is ``sites``."""
    if not found:
        return None

    def plot(canvas: Canvas) -> None:
        axes = canvas.subplots()
        places = np.arange(len(found))[::-1].astype(float)
        for shift, (gap, (label, colour)) in zip((0.14, -0.14), GAPS.items(), strict=True):
            means = [group.mean_gap if gap == "bag" else group.mean_gap_corrected for group in found]
            mean, low, high = np.array([(one.value, one.low, one.high) for one in means], dtype=float).T
            if not np.isnan(mean).all():
                ends = np.abs(np.nan_to_num(np.stack([mean - low, high - mean])))
                axes.errorbar(mean, places + shift, xerr=ends, fmt="o", color=colour, capsize=2, label=label)
        axes.axvline(0, color=GREY, linestyle="--")
        axes.set_yticks(places, [f"{group.variable}: {group.level}" for group in found])
        axes.set(xlabel="mean gap (years, 95 % interval)")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)

    kind = "sites" if name == "sites" else "groups of age and sex"
    alt = f"Mean gap and mean corrected gap of {len(found)} {kind}, with intervals."
    return draw(name, alt, plot, size=(6, 1.2 + 0.36 * len(found)))
