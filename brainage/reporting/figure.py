"""Figures as pixels and, where they show no single participant, as vectors that are no more exact than pixels."""

from __future__ import annotations

import io
import re
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
    # Words stay words, and the same numbers give the same bytes.
    "svg.fonttype": "none",
    "svg.hashsalt": "brainage",
}

# Dots per inch on a page, and of a figure that is not a vector in print.
_DPI, _PRINT_DPI = 150, 300

# Coordinates in SVG: those of paths, and places of markers.
_COORDINATES = re.compile(r'(?<=[ "])(?:d|x|y|points)="[^"]*"')

# Pixels on the page per inch of the figure; lower than _DPI, so figures are sharp on dense screens.
_SHOWN_DPI = 88


@dataclass(frozen=True)
class Figure:
    """A figure: file name without extension, alternative text, PNG, width on a page in pixels, and SVG.

    `svg` is empty where single participants are drawn: their values could be read from it.
    """

    name: str
    alt: str
    png: bytes
    width: int
    caption: str = ""
    svg: bytes = b""


def draw(
    name: str,
    alt: str,
    plot: Callable[[Canvas], object],
    *,
    size: tuple[float, float] = (6.0, 4.0),
    caption: str = "",
    shows_participants: bool = False,
) -> Figure:
    """Draw a figure: as PNG for a page and as SVG; as PNG for print where it shows single participants."""
    with matplotlib.rc_context(_STYLE):  # type: ignore[arg-type]
        canvas = Canvas(figsize=size, layout="constrained")
        plot(canvas)
        png = _saved(canvas, "png", _PRINT_DPI if shows_participants else _DPI)
        canvas.set_layout_engine("none")  # it stays as it is now; arranging takes most of the time
        svg = "" if shows_participants else _saved(canvas, "svg", 72).decode()
        svg = _COORDINATES.sub(_as_exact_as_pixels, svg)
        return Figure(name, alt, png, round(size[0] * _SHOWN_DPI), caption, svg.encode())


def _as_exact_as_pixels(coordinates: re.Match[str]) -> str:
    """Return coordinates of an SVG to a tenth of a point."""
    return re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.1f}", coordinates[0])


def _saved(canvas: Canvas, kind: str, dpi: int) -> bytes:
    written = io.BytesIO()
    # No version and no date in the file: the same numbers give the same bytes.
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    with warnings.catch_warnings():
        # Characters that the font lacks are drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        canvas.savefig(written, format=kind, dpi=dpi, metadata=metadata)
    return written.getvalue()
