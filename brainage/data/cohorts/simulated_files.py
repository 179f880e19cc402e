"""Write a simulated cohort as files in the layouts of real cohorts."""

from __future__ import annotations

import os
from pathlib import Path

from brainage.data.cohorts.simulated_abide import write_abide
from brainage.data.cohorts.simulated_bids import write_bids, write_xcpd
from brainage.data.cohorts.simulated_fmriprep import write_fmriprep
from brainage.data.cohorts.simulated_hcp import write_hcp
from brainage.data.cohorts.simulated_parcels import Simulation
from brainage.data.cohorts.simulated_ukb import write_ukb, write_ukb_schaefer
from brainage.errors import OutputError

_UKB = {"ukb": write_ukb, "ukb_schaefer": write_ukb_schaefer}
_OTHERS = {"bids": write_bids, "xcpd": write_xcpd, "abide": write_abide, "fmriprep": write_fmriprep, "hcp": write_hcp}
UKB_LAYOUTS = tuple(_UKB)
LAYOUTS = (*_UKB, *_OTHERS)


def write_cohort(
    cohort: Simulation, folder: Path, layout: str, *, style: str = "dash", extracted: bool = False
) -> list[str]:
    """Write a cohort into a new or an empty folder, and return the overrides that read it, none for images.

    `layout` is one of `LAYOUTS`. For `UKB_LAYOUTS`, `style` is that of the columns, dash, dot or rap, and `extracted`
    writes folders instead of zip archives.
    """
    _make_empty_folder(folder)
    if layout in _UKB:
        return _UKB[layout](cohort, folder, style, extracted)
    return _OTHERS[layout](cohort, folder)


def _make_empty_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        empty = not any(folder.iterdir())
    except OSError as error:
        raise OutputError(f"`--out {folder}` cannot be made into a folder: {error.strerror}.") from None
    if not os.access(folder, os.W_OK):
        raise OutputError(f"`--out {folder}` must be a folder that you may write into. Name another one.")
    if not empty:
        raise OutputError(f"`--out {folder}` must be a new or an empty folder, but it has files. Name another one.")
