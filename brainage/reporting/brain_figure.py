"""Effects of channels in the brain."""

from __future__ import annotations

import math

import nibabel
import numpy as np
from matplotlib.figure import Figure as Canvas
from nilearn import plotting

from brainage.reporting.figure import Figure, draw

# Share of the highest value below which voxels are transparent: maps have small values everywhere.
_OF_LABELS, _OF_MAPS = 1e-6, 0.1

_N_SLICES = 6


def brain(image: nibabel.Nifti1Image, *, what: str, maps: bool, single: bool) -> Figure:
    """Draw the size of effects (first volume) and their mean (second volume) in a standard brain.

    `what` names the first volume; `maps` is whether the atlas has maps; `single` whether it is one participant's.
    """
    size, mean = (image.slicer[..., k] for k in (0, 1))
    highest = [float(abs(np.asarray(one.dataobj)).max()) or 1.0 for one in (size, mean)]

    def plot(canvas: Canvas) -> None:
        rows = canvas.subplots(3, 1)
        for axes, shown, top in zip(rows, (size, size, mean), (*highest[:1], *highest), strict=True):
            signed = shown is mean
            colours = {"cmap": "RdBu_r" if signed else "YlOrRd", "vmin": -top if signed else 0, "vmax": top}
            digits = max(0, 1 - math.floor(math.log10(top)))
            colours |= {
                "threshold": (_OF_MAPS if maps else _OF_LABELS) * top,
                "colorbar": True,
                "cbar_tick_format": f"%.{digits}f",
            }
            look = {**colours, "axes": axes, "figure": canvas, "black_bg": False}
            if axes is rows[1]:
                plotting.plot_stat_map(shown, display_mode="z", cut_coords=_slices(size), draw_cross=False, **look)
            else:
                plotting.plot_glass_brain(shown, display_mode="lyrz", plot_abs=False, **look)
        for axes, title in zip(rows, (what, f"{what}, slices", "mean effect"), strict=True):
            axes.set_title(f"{title} (years)", loc="left", fontsize=10)

    alt = f"{what} and mean effect on predictions by occlusion, in a standard brain seen from its sides, back and top."
    caption = f"Less than {_OF_MAPS:.0%} of the highest value is transparent." if maps else ""
    return draw("brain", alt, plot, size=(9, 5.6), caption=caption, shows_participants=single)


def _slices(image: nibabel.Nifti1Image) -> list[float]:
    """Return heights between the lowest and the highest effect, in millimetres."""
    found = np.argwhere(np.asarray(image.dataobj) != 0)
    ends = [corner(found, axis=0) for corner in (np.min, np.max)] if len(found) else [np.zeros(3)] * 2
    low, high = (float(image.affine[2] @ [*end, 1]) for end in ends)
    return sorted(set(np.linspace(low, high, _N_SLICES + 2)[1:-1].tolist()))
