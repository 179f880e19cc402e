"""Simulated participants as fMRIPrep leaves them: images, confounds and metadata, from which nilearn makes series."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from nibabel import nifti1
from numpy.typing import NDArray

from brainage.data.cohorts.simulated import SITES, SimulatedCohort
from brainage.data.cohorts.simulated_bids import write_table
from brainage.data.cohorts.simulated_parcels import SCHAEFER_100, Acquisition, Simulation, parcel_scans
from brainage.data.cohorts.simulated_series import NOISE
from brainage.data.cohorts.simulated_writing import counted, write_text

_ACQUISITION = Acquisition(2.0, 200)
# A voxel a parcel, of 4 mm.
_SHAPE = (10, 5, 2)
_AFFINE = np.diag([4.0, 4.0, 4.0, 1.0])
_MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")


def write_fmriprep(cohort: Simulation, folder: Path) -> list[str]:
    """Write tiny images with a voxel a parcel, ``atlas.nii.gz`` with the names of ``atlas.tsv``, and confounds."""
    names = write_table(cohort, folder)
    numbers = np.arange(1, len(SCHAEFER_100) + 1)
    _write_image(folder / "atlas.nii.gz", numbers.reshape(_SHAPE).astype(np.int16))
    pd.DataFrame({"index": numbers, "name": SCHAEFER_100}).to_csv(folder / "atlas.tsv", sep="\t", index=False)
    # Series of version 1 vary about 0.
    mean = 1000 if isinstance(cohort, SimulatedCohort) else 0
    scans = parcel_scans(cohort, len(SCHAEFER_100), dict.fromkeys(SITES, _ACQUISITION))
    for i in counted(cohort.n_participants):
        start = folder / names[i] / "func" / f"{names[i]}_task-rest"
        described = json.dumps({"RepetitionTime": _ACQUISITION.t_r, "TaskName": "rest"})
        write_text(Path(f"{start}_space-MNI152NLin2009cAsym_desc-preproc_bold.json"), described)
        volumes = (mean + scans[i].read().T.reshape(*_SHAPE, -1)).astype(np.float32)
        _write_image(Path(f"{start}_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz"), volumes)
        confounds = Path(f"{start}_desc-confounds_timeseries.tsv")
        table = _confounds(np.random.default_rng([cohort.seed, i, NOISE]), scans[i].head_motion)
        table.round(6).to_csv(confounds, sep="\t", index=False, na_rep="n/a")
        write_text(confounds.with_suffix(".json"), "{}\n")
    return []


def _confounds(rng: np.random.Generator, head_motion: float) -> pd.DataFrame:
    """Return 24 motion parameters, tissues, cosines and framewise displacement, named as by fMRIPrep."""
    n_times = _ACQUISITION.n_times
    walks = head_motion / 10 * rng.normal(size=(n_times, len(_MOTION))).cumsum(axis=0)
    motion = pd.DataFrame(walks, columns=[*_MOTION])
    moved = motion.diff()
    motion = motion.join(moved.add_suffix("_derivative1"))
    motion = motion.join((motion**2).add_suffix("_power2"))
    tissues = pd.DataFrame(rng.normal(1000, 1, size=(n_times, 3)), columns=["csf", "white_matter", "global_signal"])
    phase = np.pi * (np.arange(n_times) + 0.5) / n_times
    drifts = pd.DataFrame({f"cosine{order:02d}": np.cos(phase * (order + 1)) for order in range(6)})
    return motion.join([tissues, drifts]).assign(framewise_displacement=moved.abs().sum(axis=1, min_count=1))


def _write_image(path: Path, values: NDArray[Any]) -> None:
    create: Any = nifti1.Nifti1Image  # nibabel's constructors have no types
    image = create(values, _AFFINE)
    if values.ndim == 4:
        image.header.set_zooms((4.0, 4.0, 4.0, _ACQUISITION.t_r))
    image.to_filename(path)
