"""Simulated participants in the layout that nilearn's ``fetch_abide_pcp`` leaves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from brainage.data.cohorts.simulated_parcels import Acquisition, Simulation, lacks_a_parcel, parcel_scans
from brainage.data.cohorts.simulated_writing import counted, only_where, series_text, texts, write_text

# Real participants of ABIDE I have lower numbers.
_FIRST_ID = 90_001
_N_PARCELS = 200
# By the name of a simulated site: ABIDE's name, its form in file names, and how it measures.
_SITES = {
    "Cheadle": ("NYU", "NYU", Acquisition(2.0, 176)),
    "Reading": ("PITT", "Pitt", Acquisition(1.5, 196)),
    "Newcastle": ("UM_1", "UM_1", Acquisition(2.0, 296)),
    "Bristol": ("UCLA_1", "UCLA_1", Acquisition(3.0, 116)),
}
# Years of age, and of the gap, that stand for each simulated one, so that ages are from 6.5 to 64 years.
_YEARS = (64 - 6.5) / (82 - 46)


def write_abide(cohort: Simulation, folder: Path) -> list[str]:
    """Write ``ABIDE_pcp/`` with ``rois_cc200`` of C-PAC, neither filtered nor with global signal regression.

    A tenth of the table's participants more have no file, and a twentieth did not pass the third rater. A
    region without signal is 0.
    """
    data = folder / "ABIDE_pcp"
    table = replace(cohort, n_participants=cohort.n_participants + cohort.n_participants // 10).read_table()
    names = [f"{_SITES[site][1]}_{_FIRST_ID + i:07d}" for i, site in enumerate(table["site"])]
    scans = parcel_scans(cohort, _N_PARCELS, {site: values[2] for site, values in _SITES.items()})
    header = [f"#{number}" for number in range(1, _N_PARCELS + 1)]
    for i in counted(cohort.n_participants):
        series = scans[i].read()
        if lacks_a_parcel(i):
            series[:, 1] = 0
        text = series_text(series, header, separator="\t", end="")
        write_text(data / "cpac" / "nofilt_noglobal" / f"{names[i]}_rois_cc200.1D", text)
    _phenotypes(table, names, cohort.n_participants).to_csv(data / "Phenotypic_V1_0b_preprocessed1.csv", index=False)
    return ["cohort=abide", f"cohort.root={folder}", "modality=cc200"]


def _phenotypes(table: pd.DataFrame, names: list[str], n_scanned: int) -> pd.DataFrame:
    """Return the columns of the real table that the simulation has values for, as text; -9999 is missing."""
    ids = [str(_FIRST_ID + i) for i in table.index]
    scanned = (table.index < n_scanned).tolist()
    rows = [str(i) for i in table.index]
    columns = {
        "": rows,
        "Unnamed: 0": rows,
        "SUB_ID": ids,
        "X": rows,
        "subject": ids,
        "SITE_ID": [_SITES[site][0] for site in table["site"]],
        "FILE_ID": [name if i < n_scanned else "no_filename" for i, name in enumerate(names)],
        "DX_GROUP": [str(2 - int(value)) for value in table["diagnosis" if "diagnosis" in table else "smoker"]],
        "AGE_AT_SCAN": [f"{6.5 + _YEARS * (age - 46):.2f}" for age in table["age"]],
        "SEX": ["1" if sex else "2" for sex in table["sex"]],
        "FIQ": [f"{70 + 2 * value:.0f}" for value in table["processing_speed"]],
        "SRS_RAW_TOTAL": texts(20 * table["restlessness"], missing="-9999"),
        "func_mean_fd": only_where(scanned, texts(table["head_motion"])),
    }
    for rater in ("qc_rater_1", "qc_anat_rater_2", "qc_func_rater_2", "qc_anat_rater_3", "qc_func_rater_3"):
        columns[rater] = only_where(scanned, ["OK"] * len(table))
    columns["qc_func_rater_3"] = ["fail" if i % 20 == 3 else text for i, text in enumerate(columns["qc_func_rater_3"])]
    columns["true_gap"] = [f"{_YEARS * gap:.3f}" for gap in table["true_gap"]]
    return pd.DataFrame(columns)
