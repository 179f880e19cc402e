"""Simulated participants in BIDS-like trees."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from brainage.data.cohorts.simulated import PHENOTYPE_CAUSES, SimulatedCohort
from brainage.data.cohorts.simulated_parcels import PARCELS_4S156, Acquisition, lacks_a_parcel, parcel_scans
from brainage.data.cohorts.simulated_writing import counted, ica_texts, series_text, texts, write_text

# How the simulated sites measure what XCP-D processes.
_XCPD_SITES = {
    "Cheadle": Acquisition(0.8, 420),
    "Reading": Acquisition(0.8, 375),
    "Newcastle": Acquisition(2.0, 240),
    "Bristol": Acquisition(2.0, 180),
}
_XCPD_SERIES = "_seg-4S156Parcels_stat-mean_timeseries"


def write_bids(cohort: SimulatedCohort, folder: Path) -> list[str]:
    """Write ``participants.tsv`` and a tree of text files, the components of two ICAs, with their repetition time."""
    names = write_table(cohort, folder)
    write_text(folder / "task-rest_bold.json", _json({"RepetitionTime": cohort.t_r, "TaskName": "rest"}))
    for i, series in ica_texts(cohort):
        for dimension, text in series.items():
            name = f"{names[i]}_ses-2_task-rest_ts-ica-{dimension}.txt"
            write_text(folder / names[i] / "ses-2" / "func" / name, text)
    return ["cohort=bids", f"cohort.root={folder}"]


def write_xcpd(cohort: SimulatedCohort, folder: Path) -> list[str]:
    """Write ``participants.tsv`` and what XCP-D writes of each participant: series of parcels and metadata.

    As in real output, the sidecar of the series has no repetition time; that of the denoised images has. A parcel
    without coverage is ``n/a``.
    """
    names = write_table(cohort, folder)
    scans = parcel_scans(cohort, len(PARCELS_4S156), _XCPD_SITES)
    described = {"Name": "XCP-D outputs", "DatasetType": "derivative", "GeneratedBy": [{"Name": "xcp_d"}]}
    write_text(folder / "dataset_description.json", _json({**described, "BIDSVersion": "1.9.0"}))
    for i in counted(cohort.n_participants):
        start = f"{folder}/{names[i]}/ses-1/func/{names[i]}_ses-1_task-rest_space-fsLR"
        parcels, image = f"{start}{_XCPD_SERIES}", f"{start}_den-91k_desc-denoised_bold"
        series = scans[i].read()
        if lacks_a_parcel(i):
            series[:, 1] = np.nan
        text = series_text(series, PARCELS_4S156, separator="\t", end="")
        write_text(Path(f"{parcels}.tsv"), text.replace("nan", "n/a"))
        write_text(Path(f"{parcels}.json"), _json({"SamplingFrequency": "TR"}))
        write_text(Path(f"{image}.json"), _json({"RepetitionTime": scans[i].t_r, "TaskName": "rest"}))
    pattern = f"*{_XCPD_SERIES}.tsv"
    modality = ["modality=parcels", f"modality.dimension={len(PARCELS_4S156)}", "modality.n_times=180"]
    return ["cohort=bids", f"cohort.root={folder}", f"cohort.pattern={pattern}", *modality, "modality.t_r=null"]


def write_table(cohort: SimulatedCohort, folder: Path) -> list[str]:
    """Write ``participants.tsv`` and return the participants' labels."""
    table = cohort.read_table()
    names = [f"sub-{name}" for name in table["participant_id"]]
    columns = {
        "participant_id": names,
        "age": texts(table["age"]),
        "sex": ["FM"[sex] for sex in table["sex"]],
        "site": table["site"].tolist(),
    }
    for name in ("head_motion", *PHENOTYPE_CAUSES, "true_gap"):
        columns[name] = texts(table[name], missing="n/a")
    pd.DataFrame(columns).to_csv(folder / "participants.tsv", sep="\t", index=False)
    return names


def _json(content: dict[str, object]) -> str:
    return json.dumps(content, indent=4) + "\n"
