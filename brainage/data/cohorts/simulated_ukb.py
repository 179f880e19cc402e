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

from brainage.data.cohorts.simulated import SITES, SimulatedCohort
from brainage.data.cohorts.simulated_parcels import SCHAEFER_100, Acquisition, parcel_scans
from brainage.data.cohorts.simulated_series import RECRUITMENT
from brainage.data.cohorts.simulated_writing import counted, ica_texts, only_where, series_text, texts, write_text

# Real participants of UK Biobank have lower numbers.
_FIRST_EID = 9_000_001

_SITE_CODES = {"Cheadle": "11025", "Reading": "11026", "Newcastle": "11027", "Bristol": "11028"}
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


def write_ukb(cohort: SimulatedCohort, folder: Path, style: str, extracted: bool) -> list[str]:
    """Write ``bulk/`` with field 20227, the components of two ICAs, and ``phenotypes.csv``."""
    bulk = _write_table(cohort, folder, style)
    for i, series in ica_texts(cohort):
        eid = str(_FIRST_EID + i)
        members = {f"fMRI/rfMRI_{dimension}.dr/dr_stage1.txt": text for dimension, text in series.items()}
        if extracted:
            for member, text in members.items():
                write_text(bulk / eid / member, text)
        else:
            with zipfile.ZipFile(bulk / f"{eid}_20227_2_0.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                for member, text in members.items():
                    archive.writestr(member, text)
    return _overrides(folder)


def write_ukb_schaefer(cohort: SimulatedCohort, folder: Path, style: str, extracted: bool) -> list[str]:
    """Write ``bulk/`` with field 31018, the series of 100 of Schaefer's parcels, and ``phenotypes.csv``."""
    bulk = _write_table(cohort, folder, style)
    labels = [f"7Networks_{name}" for name in SCHAEFER_100]
    scans = parcel_scans(cohort, len(labels), dict.fromkeys(SITES, Acquisition(cohort.t_r, cohort.n_times)))
    for i in counted(cohort.n_participants):
        eid = str(_FIRST_EID + i)
        series = scans[i].read().T
        lines = series_text(series, separator=",", end="").splitlines()
        header = ",".join(["label_name", *(f"timepoint_{number}" for number in range(series.shape[1]))])
        text = "\n".join([header, *(f"{label},{line}" for label, line in zip(labels, lines, strict=True)), ""])
        name, data = f"{eid}_31018_2_0", gzip.compress(text.encode(), compresslevel=1, mtime=0)
        if extracted:
            (bulk / eid / "Baseline" / name).mkdir(parents=True)
            (bulk / eid / "Baseline" / name / "fMRI.Schaefer7n100p.csv.gz").write_bytes(data)
        else:
            with zipfile.ZipFile(bulk / f"{name}.zip", "w") as archive:
                archive.writestr("fMRI/fMRI.Schaefer7n100p.csv.gz", data)
    return [*_overrides(folder), "modality=ukb_schaefer"]


def _write_table(cohort: SimulatedCohort, folder: Path, style: str) -> Path:
    """Write ``phenotypes.csv``, make ``bulk/`` and return it."""
    _ukb_table(cohort, style).to_csv(
        folder / "phenotypes.csv", index=False, quoting=csv.QUOTE_ALL if style == "dash" else csv.QUOTE_MINIMAL
    )
    bulk = folder / "bulk"
    bulk.mkdir()
    return bulk


def _overrides(folder: Path) -> list[str]:
    return ["cohort=ukb", f"cohort.root={folder / 'bulk'}", f"cohort.phenotypes={folder / 'phenotypes.csv'}"]


def _ukb_table(cohort: SimulatedCohort, style: str) -> pd.DataFrame:
    """Return UK Biobank's table as text, with columns of the recruitment visit and participants without imaging."""
    n_imaged = cohort.n_participants
    table = replace(cohort, n_participants=n_imaged + n_imaged // 10).read_table()
    imaged = (table.index < n_imaged).tolist()
    columns = [*_recruitment_columns(cohort, table, style), *_imaging_columns(table, imaged, style)]
    columns.sort(key=lambda column: (column.field, column.instance or 0))
    cells = {"f.eid" if style == "dot" else "eid": [str(_FIRST_EID + i) for i in table.index]}
    cells |= {column.name(style): column.values for column in columns}
    cells["true_gap"] = only_where(imaged, texts(table["true_gap"]))
    return pd.DataFrame(cells)


def _recruitment_columns(cohort: SimulatedCohort, table: pd.DataFrame, style: str) -> Iterator[_Column]:
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


def _imaging_columns(table: pd.DataFrame, imaged: list[bool], style: str) -> Iterator[_Column]:
    """Yield the columns of the imaging visit, instance 2, empty for participants without one."""
    site = [f"{name} (imaging)" if style == "rap" else _SITE_CODES[name] for name in table["site"]]
    # A missing answer is coded -1 (does not know) or -3 (prefers not to answer).
    answers = [text or ("-1", "-3")[row % 2] for row, text in enumerate(texts(table["restlessness"]))]
    for field, values in (
        (47, texts(table["grip_strength"])),
        (54, site),
        (2070, answers),
        (20116, texts(table["smoker"])),
        (20159, texts(table["processing_speed"])),
        (21003, texts(table["age"])),
        (25741, texts(table["head_motion"])),
    ):
        yield _Column(field, 2, only_where(imaged, values))
