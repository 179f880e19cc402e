"""Simulated participants in BIDS-like trees."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from brainage.data.cohorts.simulated_parcels import PARCELS_4S156, Acquisition, Simulation, lacks_a_parcel, parcel_scans
from brainage.data.cohorts.simulated_writing import counted, ica_texts, series_text, texts, visits_of, write_text

# How the simulated sites measure what XCP-D processes.
_XCPD_SITES = {
    "Cheadle": Acquisition(0.8, 420),
    "Reading": Acquisition(0.8, 375),
    "Newcastle": Acquisition(2.0, 240),
    "Bristol": Acquisition(2.0, 180),
}
# The repetition time of `modality=ica25`.
_ICA_T_R = 0.735
_XCPD_SERIES = "_seg-4S156Parcels_stat-mean_timeseries"


def write_bids(cohort: Simulation, folder: Path) -> list[str]:
    """Write ``participants.tsv`` and a tree of text files, the components of two ICAs, with their repetition time.

    Where participants have several visits, their ages at each are in ``sessions.tsv`` instead of the table.
    """
    visits = visits_of(cohort)
    names = write_table(cohort, folder, ages=len(visits) == 1)
    if len(visits) > 1:
        _write_sessions(visits, folder)
    t_rs = [scan.t_r for scan in cohort.find_scans([name.removeprefix("sub-") for name in names], 25).values()]
    alike = len({*t_rs}) == 1
    if alike:
        write_text(folder / "task-rest_bold.json", _metadata(t_rs[0]))
    for visit, of_visit in visits.items():
        for i, series in ica_texts(of_visit):
            start = f"{folder}/{names[i]}/ses-{visit}/func/{names[i]}_ses-{visit}_task-rest"
            for dimension, text in series.items():
                write_text(Path(f"{start}_ts-ica-{dimension}.txt"), text)
            if not alike:
                write_text(Path(f"{start}_bold.json"), _metadata(t_rs[i]))
    own_t_r = [f"modality.t_r={t_rs[0]}"] if t_rs[0] != _ICA_T_R else []
    return ["cohort=bids", f"cohort.root={folder}", *(own_t_r if alike else ["modality.resample=true"])]


def write_xcpd(cohort: Simulation, folder: Path) -> list[str]:
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
        write_text(Path(f"{image}.json"), _metadata(scans[i].t_r))
    pattern = f"*{_XCPD_SERIES}.tsv"
    modality = ["modality=parcels", f"modality.dimension={len(PARCELS_4S156)}", "modality.n_times=180"]
    return ["cohort=bids", f"cohort.root={folder}", f"cohort.pattern={pattern}", *modality, "modality.t_r=null"]


def write_table(cohort: Simulation, folder: Path, *, ages: bool = True) -> list[str]:
    """Write ``participants.tsv``, with `ages` or without, and return the participants' labels."""
    table = cohort.read_table()
    names = [f"sub-{name}" for name in table["participant_id"]]
    columns = {
        "participant_id": names,
        "age": texts(table["age"]),
        "sex": ["FM"[sex] for sex in table["sex"]],
        "site": table["site"].tolist(),
    }
    for name in ("head_motion", *cohort.phenotype_names(), "true_gap"):
        columns[name] = texts(table[name], missing="n/a")
    if not ages:
        del columns["age"]
    pd.DataFrame(columns).to_csv(folder / "participants.tsv", sep="\t", index=False)
    return names


def _write_sessions(visits: Mapping[int, Simulation], folder: Path) -> None:
    """Write the ages of each participant at their visits."""
    ages = pd.concat(
        {visit: at_visit.read_table().set_index("participant_id")["age"] for visit, at_visit in visits.items()}
    )
    for participant, there in ages.groupby(level="participant_id"):
        rows = [f"ses-{visit}\t{age:.2f}" for (visit, _), age in there.items()]
        text = "\n".join(["session_id\tage", *rows, ""])
        write_text(folder / f"sub-{participant}" / f"sub-{participant}_sessions.tsv", text)


def _metadata(t_r: float) -> str:
    return _json({"RepetitionTime": t_r, "TaskName": "rest"})


def _json(content: dict[str, object]) -> str:
    return json.dumps(content, indent=4) + "\n"
