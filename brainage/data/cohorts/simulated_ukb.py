"""Simulated participants in UK Biobank's layouts."""

from __future__ import annotations

import csv
import gzip
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from brainage.data.cohorts.simulated import SITES
from brainage.data.cohorts.simulated_parcels import SCHAEFER_100, Acquisition, Simulation, SimulationScan, parcel_scans
from brainage.data.cohorts.simulated_series import RECRUITMENT
from brainage.data.cohorts.simulated_writing import (
    counted,
    ica_texts,
    numbers_of,
    only_where,
    series_text,
    texts,
    visits_of,
    write_text,
)

# Real participants of UK Biobank have lower numbers.
_FIRST_EID = 9_000_001

_SITE_CODES = {"Cheadle": "11025", "Reading": "11026", "Newcastle": "11027", "Bristol": "11028"}
# Fields of phenotypes at the imaging visit.
_FIELDS = {"grip_strength": 47, "memory": 4282, "smoker": 20116, "processing_speed": 20159, "reaction_time": 20023}
_FIRST_VISIT = 2
_RECRUITMENT_CENTRES = {"11010": "Leeds", "11016": "Liverpool", "11011": "Bristol"}


@dataclass(frozen=True)
class _Column:
    """A UK Biobank column: the field's number, its instance (None if the field has none), one text a row."""

    field: int
    instance: int | None
    values: list[str]

    def name(self, style: str) -> str:
        """Return the column's name in one of the styles dash, dot and rap."""
        if style == "rap":
            return f"p{self.field}" if self.instance is None else f"p{self.field}_i{self.instance}"
        pattern = "{}-{}.0" if style == "dash" else "f.{}.{}.0"
        return pattern.format(self.field, self.instance or 0)


def write_ukb(cohort: Simulation, folder: Path, style: str, extracted: bool) -> list[str]:
    """Write ``bulk/`` with field 20227, the components of two ICAs, and ``phenotypes.csv``."""
    bulk = _write_table(cohort, folder, style)
    for instance, at_visit in visits_of(cohort).items():
        for i, series in ica_texts(at_visit):
            eid = str(_FIRST_EID + i)
            members = {f"fMRI/rfMRI_{dimension}.dr/dr_stage1.txt": text for dimension, text in series.items()}
            name = f"{eid}_20227_{instance}_0"
            if extracted:
                for member, text in members.items():
                    write_text(bulk / (eid if instance == _FIRST_VISIT else name) / member, text)
            else:
                with zipfile.ZipFile(bulk / f"{name}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                    for member, text in members.items():
                        archive.writestr(member, text)
    return _overrides(folder)


def write_ukb_schaefer(cohort: Simulation, folder: Path, style: str, extracted: bool) -> list[str]:
    """Write ``bulk/`` with field 31018, the series of 100 of Schaefer's parcels, and ``phenotypes.csv``."""
    bulk = _write_table(cohort, folder, style)
    labels = [f"7Networks_{name}" for name in SCHAEFER_100]
    acquisitions = dict.fromkeys(SITES, Acquisition(cohort.t_r, cohort.n_times))
    for instance, at_visit in visits_of(cohort).items():
        scans = parcel_scans(at_visit, len(labels), acquisitions)
        numbers = numbers_of(at_visit)
        for row in counted(len(scans)):
            name = f"{_FIRST_EID + numbers[row]}_31018_{instance}_0"
            data = gzip.compress(_parcels_in_rows(scans[row], labels).encode(), compresslevel=1, mtime=0)
            if extracted:
                visit = "Baseline" if instance == _FIRST_VISIT else "Repeat"
                (bulk / name.partition("_")[0] / visit / name).mkdir(parents=True)
                (bulk / name.partition("_")[0] / visit / name / "fMRI.Schaefer7n100p.csv.gz").write_bytes(data)
            else:
                with zipfile.ZipFile(bulk / f"{name}.zip", "w") as archive:
                    archive.writestr("fMRI/fMRI.Schaefer7n100p.csv.gz", data)
    return [*_overrides(folder), "modality=ukb_schaefer"]


def _parcels_in_rows(scan: SimulationScan, labels: list[str]) -> str:
    series = scan.read().T
    lines = series_text(series, separator=",", end="").splitlines()
    header = ",".join(["label_name", *(f"timepoint_{number}" for number in range(series.shape[1]))])
    return "\n".join([header, *(f"{label},{line}" for label, line in zip(labels, lines, strict=True)), ""])


def _write_table(cohort: Simulation, folder: Path, style: str) -> Path:
    """Write ``phenotypes.csv``, make ``bulk/`` and return it."""
    _ukb_table(cohort, style).to_csv(
        folder / "phenotypes.csv", index=False, quoting=csv.QUOTE_ALL if style == "dash" else csv.QUOTE_MINIMAL
    )
    bulk = folder / "bulk"
    bulk.mkdir()
    return bulk


def _overrides(folder: Path) -> list[str]:
    return ["cohort=ukb", f"cohort.root={folder / 'bulk'}", f"cohort.phenotypes={folder / 'phenotypes.csv'}"]


def _ukb_table(cohort: Simulation, style: str) -> pd.DataFrame:
    """Return UK Biobank's table as text, with columns of the recruitment visit and participants without imaging."""
    n_imaged = cohort.n_participants
    larger = replace(cohort, n_participants=n_imaged + n_imaged // 10)
    table = larger.read_table()
    imaged = (table.index < n_imaged).tolist()
    columns = [*_recruitment_columns(cohort, table, style), *_imaging_columns(table, imaged)]
    for instance, at_visit in visits_of(larger).items():
        there = at_visit.read_table().set_index("participant_id").reindex(table["participant_id"])
        columns += _columns_of_visit(there, imaged, style, instance)
    columns.sort(key=lambda column: (column.field, column.instance or 0))
    cells = {"f.eid" if style == "dot" else "eid": [str(_FIRST_EID + i) for i in table.index]}
    cells |= {column.name(style): column.values for column in columns}
    others = [name for name in cohort.phenotype_names() if name not in (*_FIELDS, "restlessness", "month_of_birth")]
    cells |= {name: only_where(imaged, texts(table[name])) for name in (*others, "true_gap")}
    return pd.DataFrame(cells)


def _recruitment_columns(cohort: Simulation, table: pd.DataFrame, style: str) -> Iterator[_Column]:
    """Yield the columns that participants have whether imaged or not."""
    # One row of numbers a participant, which does not depend on the number of participants.
    chance = np.random.default_rng([cohort.seed, RECRUITMENT]).random((len(table), 2))
    age = [f"{value:.2f}" for value in table["age"] - 6 - 4 * chance[:, 0]]
    centres = list(_RECRUITMENT_CENTRES.values() if style == "rap" else _RECRUITMENT_CENTRES)
    sexes = ["Female", "Male"] if style == "rap" else ["0", "1"]
    yield _Column(31, None, [sexes[sex] for sex in table["sex"]])
    yield _Column(52, None, texts(table["month_of_birth"]))
    yield _Column(54, 0, [centres[int(value * len(centres))] for value in chance[:, 1]])
    yield _Column(21003, 0, age)
    yield _Column(21022, None, age)


def _imaging_columns(table: pd.DataFrame, imaged: list[bool]) -> Iterator[_Column]:
    """Yield the phenotypes of the first imaging visit, instance 2, empty for participants without one."""
    # A missing answer is coded -1 (does not know) or -3 (prefers not to answer).
    answers = [text or ("-1", "-3")[row % 2] for row, text in enumerate(texts(table["restlessness"]))]
    yield _Column(2070, 2, only_where(imaged, answers))
    for name in table.columns.intersection(list(_FIELDS)):
        yield _Column(_FIELDS[name], 2, only_where(imaged, texts(table[name])))


def _columns_of_visit(there: pd.DataFrame, imaged: list[bool], style: str, instance: int) -> Iterator[_Column]:
    """Yield what differs between imaging visits: site, age and head motion."""
    codes = {name: f"{name} (imaging)" if style == "rap" else code for name, code in _SITE_CODES.items()}
    yield _Column(54, instance, only_where(imaged, there["site"].map(codes).fillna("").tolist()))
    yield _Column(21003, instance, only_where(imaged, texts(there["age"])))
    yield _Column(25741, instance, only_where(imaged, texts(there["head_motion"])))
