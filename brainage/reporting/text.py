"""Numbers, intervals and p values as text, for pages and the terminal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from brainage.evaluation.intervals import Estimate

# Name and unit of each metric, in the order in which they are shown.
METRICS = {
    "mae": ("MAE", " years"),
    "rmse": ("RMSE", " years"),
    "r2": ("R²", ""),
    "pearson_r": ("Pearson r", ""),
    "spearman_rho": ("Spearman ρ", ""),
}

# Of ``predicted_age_sd``.
SD_NOTE = (
    "The SD between networks is no prediction interval: networks that agree are wrong together, so that 1.96 SD on "
    "both sides of a prediction contain far fewer than 95 % of true ages. Intervals are predicted_age_low and "
    "predicted_age_high, where there are any."
)

PART_NAMES = {"train": "training", "val": "validation", "test": "test"}


def number(value: float | None) -> str:
    """Return a number with two decimals, or a dash."""
    return "-" if value is None else f"{round(value, 2) + 0.0:.2f}"  # + 0.0: no -0.00


def years(value: float | None) -> str:
    """Return a number of years."""
    return f"{number(value)} years"


def mean_sd(mean: float | None, sd: float | None) -> str:
    """Return a mean with its SD."""
    return f"{number(mean)} ± {number(sd)}"


def middle(low: float | None, high: float | None) -> str:
    """Return the 5th and 95th percentiles, or a dash."""
    return "-" if low is None or high is None else f"{low:g} to {high:g}"


def integer(value: int | None) -> str:
    """Return an integer with thousands separators, or a dash."""
    return "-" if value is None else f"{value:,}"


def interval(estimate: Estimate) -> str:
    """Return an interval, or an empty string where there is none."""
    return "" if estimate.low is None else f"{number(estimate.low)} to {number(estimate.high)}"


def with_interval(estimate: Estimate) -> str:
    """Return a number with its interval in parentheses."""
    return number(estimate.value) + (f" ({interval(estimate)})" if estimate.low is not None else "")


def signed(value: float | None) -> str:
    """Return a number with its sign, or a dash."""
    return "-" if value is None else f"{round(value, 2) + 0.0:+.2f}"  # + 0.0: no -0.00


def signed_interval(estimate: Estimate) -> str:
    """Return a difference with its sign and interval."""
    between = f" ({signed(estimate.low)} to {signed(estimate.high)})" if estimate.low is not None else ""
    return f"{signed(estimate.value)}{between}"


def estimate_in(row: Mapping[Any, Any], value: str, low: str, high: str) -> Estimate:
    """Return the estimate in these columns of a table's row."""
    return Estimate(*(None if pd.isna(row[name]) else float(row[name]) for name in (value, low, high)))


def correlation_in(row: Mapping[Any, Any], suffix: str) -> str:
    """Return a correlation of ``associations.csv`` with its interval; `suffix` is that of its columns."""
    return with_interval(estimate_in(row, f"r{suffix}", f"r{suffix}_low", f"r{suffix}_high"))


def percent(value: float | None) -> str:
    """Return a fraction in percent, or a dash."""
    return "-" if value is None else f"{round(value, 2) + 0.0:.0%}"  # + 0.0: no -0%


def p_text(value: float | None) -> str:
    """Return a p or q value, or a dash."""
    if value is None or pd.isna(value):
        return "-"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def p_phrase(value: float | None) -> str:
    """Return a p value for use in a sentence."""
    text = p_text(value)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def slug(name: str) -> str:
    """Return a name for a file: letters, digits and hyphens."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:60] or "unnamed"
