"""Figures of associations of the gap with other variables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas

from brainage.evaluation.disclosure import MIN_RANKED, MIN_SHOWN
from brainage.reporting.densities import CLOUDS, GAPS, Array, boxes, cloud, correlation, drawable, line
from brainage.reporting.figure import BLUE, GREY, ORANGE, Figure, draw
from brainage.reporting.text import slug


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


def phenotype(
    rows: pd.DataFrame,
    name: str,
    values: pd.Series,
    kind: str,
    adjusted: tuple[Array, Array] | None,
    *,
    points: str,
    coding: str = "",
) -> Figure | None:
    """Draw the gap and the corrected gap against one variable; `adjusted` are it and the gap without the covariates."""
    known = values.notna().to_numpy()
    x = values[known].to_numpy(float)
    categories = [float(value) for value in np.unique(x) if (x == value).sum() >= MIN_SHOWN]
    continuous = kind == "continuous"
    panels = _panels(rows, values, adjusted)
    if not panels or not (drawable(len(x), points) if continuous else len(categories) > 1):
        return None

    def plot(canvas: Canvas) -> None:
        drawn = canvas.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, panel in zip(drawn, panels, strict=True):
            if continuous:
                cloud(axes, panel.x, panel.gap, panel.colour, points)
                line(axes, panel.x, panel.gap, points)
            else:
                boxes(axes, {value: panel.gap[x == value] for value in categories}, panel.colour)
            axes.axhline(0, color=GREY, linestyle="--", linewidth=1)
            suffix = ", adjusted" if continuous and panel.is_partial else ""
            axes.set_xlabel(f"{name}{f' ({coding})' if coding else ''}{suffix}", parse_math=False)
            r = "partial r" if panel.is_partial else "r"
            axes.set_title(f"{panel.label}, {r} = {correlation(panel.x, panel.gap)}", fontsize=10)
        drawn[0].set_ylabel("gap (years)")

    alt = f"Gap, adjusted for covariates, and corrected gap of {len(x)} participants against {name}."
    whiskers = f"Boxes: quartiles; whiskers, from {MIN_RANKED} participants on: 5th and 95th percentiles."
    caption = CLOUDS[points] if continuous else whiskers
    single = continuous and points == "all"
    size = (3.3 * len(panels), 2.9)
    return draw(f"phenotype-{slug(name)}", alt, plot, size=size, caption=caption, shows_participants=single)


@dataclass(frozen=True)
class _Panel:
    label: str
    colour: str
    x: Array
    gap: Array
    is_partial: bool = False


def _panels(rows: pd.DataFrame, values: pd.Series, adjusted: tuple[Array, Array] | None) -> list[_Panel]:
    """Return the panels of a variable; the raw gap is shown where it cannot be adjusted for the covariates."""
    known = values.notna().to_numpy()
    panels = {
        gap: _Panel(label, colour, values[known].to_numpy(float), rows.loc[known, gap].to_numpy(float))
        for gap, (label, colour) in GAPS.items()
        if gap in rows and rows[gap].notna().all()
    }
    if adjusted is not None:
        panels["bag"] = _Panel("gap, adjusted", GAPS["bag"][1], *adjusted, is_partial=True)
    return list(panels.values())
