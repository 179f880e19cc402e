"""Figures as pixels, from which the exact values of participants cannot be read."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.figure import Figure as Canvas

# Colour-blind safe (Okabe & Ito), and dark enough on white.
BLUE, ORANGE, GREEN, RED, GREY = "#0072b2", "#d98c00", "#008060", "#c64b00", "#7d8794"

_STYLE: dict[str, Any] = {
    "font.size": 10,
    "font.family": "DejaVu Sans",
    # Names of variables are plain text, even between dollar signs.
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.labelcolor": "#1c2430",
    "axes.edgecolor": "#7d8794",
    "axes.grid": True,
    "grid.color": "#e6eaef",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "white",
}

_DPI = 150

# Pixels on the page per inch of the figure; lower than _DPI, so figures are sharp on dense screens.
_SHOWN_DPI = 88


@dataclass(frozen=True)
class Figure:
    """A PNG image: file name without extension, alternative text, and width on a page in pixels."""

    name: str
    alt: str
    png: bytes
    width: int
    caption: str = ""


def draw(
    name: str,
    alt: str,
    plot: Callable[[Canvas], object],
    *,
    size: tuple[float, float] = (6.0, 4.0),
    caption: str = "",
) -> Figure:
    """Draw a figure."""
    with matplotlib.rc_context(_STYLE):  # type: ignore[arg-type]
        canvas = Canvas(figsize=size, layout="constrained")
        plot(canvas)
        return Figure(name, alt, _png(canvas), round(size[0] * _SHOWN_DPI), caption)


def _png(canvas: Canvas) -> bytes:
    written = io.BytesIO()
    with warnings.catch_warnings():
        # Characters that the font lacks are drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        # No version in the file: the same numbers give the same bytes.
        canvas.savefig(written, format="png", dpi=_DPI, metadata={"Software": None})
    return written.getvalue()
