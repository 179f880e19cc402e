"""Simulated participants in the Human Connectome Project's layout, with parcels as ``wb_command`` writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from nibabel.cifti2 import cifti2, cifti2_axes

from brainage.data.cohorts.simulated import SITES
from brainage.data.cohorts.simulated_parcels import SCHAEFER_100, Acquisition, Simulation, parcel_scans
from brainage.data.cohorts.simulated_writing import counted, texts

# Real participants have lower numbers.
_FIRST_ID = 999_001
_ACQUISITION = Acquisition(0.72, 1200)
_RUN = "rfMRI_REST1_LR"
_N_VERTICES = 32_492  # of a hemisphere in fsLR


def write_hcp(cohort: Simulation, folder: Path) -> list[str]:
    """Write ``behavioral.csv`` and a ``.ptseries.nii`` of 100 parcels a participant, one vertex each."""
    table = cohort.read_table()
    ids = [str(_FIRST_ID + i) for i in table.index]
    columns = {"Subject": ids, "Gender": ["FM"[sex] for sex in table["sex"]], "Age_in_Yrs": texts(table["age"])}
    columns |= {name: texts(table[name]) for name in ("grip_strength", "processing_speed", "true_gap")}
    pd.DataFrame(columns).to_csv(folder / "behavioral.csv", index=False)
    scans = parcel_scans(cohort, len(SCHAEFER_100), dict.fromkeys(SITES, _ACQUISITION))
    create: Any = cifti2.Cifti2Image  # nibabel's constructors have no types
    axes = _axes()
    for i in counted(cohort.n_participants):
        run = folder / ids[i] / "MNINonLinear" / "Results" / _RUN
        run.mkdir(parents=True)
        image = create(scans[i].read().astype(np.float32), axes)
        image.to_filename(run / f"{_RUN}_Atlas_MSMAll_hp2000_clean_Schaefer100.ptseries.nii")
    names = "{participant_id: Subject, age: Age_in_Yrs, sex: Gender}"
    pattern = f"{{participant_id}}/MNINonLinear/Results/{_RUN}/*_Schaefer100.ptseries.nii"
    modality = [
        "modality=parcels",
        "modality.dimension=100",
        "modality.n_times=400",
        f"modality.t_r={_ACQUISITION.t_r}",
    ]
    table_words = [f"cohort.phenotypes={folder / 'behavioral.csv'}", f"cohort.columns={names}"]
    return ["cohort=bids", f"cohort.root={folder}", *table_words, f"cohort.pattern={pattern}", *modality]


def _axes() -> tuple[Any, Any]:
    """Return the axes of time points and of parcels."""
    axes: Any = cifti2_axes
    parcels = [(name, _vertex(number, name)) for number, name in enumerate(SCHAEFER_100)]
    return (
        axes.SeriesAxis(0, _ACQUISITION.t_r, _ACQUISITION.n_times),
        axes.ParcelsAxis.from_brain_models(parcels),
    )


def _vertex(number: int, name: str) -> Any:
    axes: Any = cifti2_axes
    side = "CortexLeft" if name.startswith("LH") else "CortexRight"
    return axes.BrainModelAxis.from_surface(np.array([number]), _N_VERTICES, name=side)
