"""Effects of channels in the brain."""

from __future__ import annotations

import nibabel
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
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
    visible = _OF_MAPS if maps else _OF_LABELS

    def plot(canvas: Canvas) -> None:
        canvas.set_layout_engine("none")  # nilearn divides axes before a layout moves them
        for row, (title, shown) in enumerate(((what, size), ("slices", size), ("mean effect", mean))):
            bottom, signed = 0.68 - 0.33 * row, shown is mean
            axes = canvas.add_axes((0.01, bottom, 0.87, 0.27))
            top = float(abs(np.asarray(shown.dataobj)).max()) or 1.0
            low, cmap = (-top, "RdBu_r") if signed else (0.0, "YlOrRd")
            look = {"cmap": cmap, "vmin": low, "vmax": top, "threshold": visible * top, "colorbar": False}
            look |= {"axes": axes, "figure": canvas}
            if title == "slices":
                heights = _slices(size)
                plotting.plot_stat_map(shown, display_mode="z", cut_coords=heights, black_bg=False, **look)
            else:
                plotting.plot_glass_brain(shown, display_mode="lyrz", plot_abs=False, black_bg=False, **look)
            canvas.text(0.01, bottom + 0.28, title, fontsize=10)
            mapped = ScalarMappable(Normalize(low, top), cmap)
            canvas.colorbar(mapped, cax=canvas.add_axes((0.9, bottom, 0.013, 0.27)), label="years")

    alt = f"{what} and mean effect on predictions by occlusion, in a standard brain seen from its sides, back and top."
    caption = f"Less than {_OF_MAPS:.0%} of the highest value is transparent." if maps else ""
    return draw("brain", alt, plot, size=(9, 5.6), caption=caption, shows_participants=single)


def _slices(image: nibabel.Nifti1Image) -> list[float]:
    """Return heights between the lowest and the highest effect, in millimetres."""
    found = np.argwhere(np.asarray(image.dataobj) != 0)
    ends = [corner(found, axis=0) for corner in (np.min, np.max)] if len(found) else [np.zeros(3)] * 2
    low, high = (float(image.affine[2] @ [*end, 1]) for end in ends)
    return sorted(set(np.linspace(low, high, _N_SLICES + 2)[1:-1].tolist()))
