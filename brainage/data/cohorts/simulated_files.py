"""Write a simulated cohort as files in the layouts of real cohorts."""

from __future__ import annotations

import csv
import math
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.data.cohorts.simulated import GOOD_COMPONENTS, PHENOTYPE_CAUSES, SimulatedCohort
from brainage.data.cohorts.simulated_series import RECRUITMENT, SimulatedScan
from brainage.errors import OutputError

# Real participants of UK Biobank have lower numbers.
_FIRST_EID = 9_000_001
_LONG_SCAN = 523
# Decimals that the generator rounds columns to, so that files and memory agree.
_DECIMALS = {"age": 2, "head_motion": 5, "grip_strength": 1, "true_gap": 3}

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


def write_cohort(
    cohort: SimulatedCohort, folder: Path, layout: str, *, style: str = "dash", extracted: bool = False
) -> list[str]:
    """Write a cohort into a new or an empty folder, and return the overrides that read it.

    `layout` is ukb or bids. For ukb, `style` is that of the columns, dash, dot or rap, and `extracted` writes folders
    instead of zip archives.
    """
    _make_empty_folder(folder)
    if layout == "bids":
        _write_bids(cohort, folder)
        return ["cohort=bids", f"cohort.root={folder}"]
    _write_ukb(cohort, folder, style, extracted)
    return ["cohort=ukb", f"cohort.root={folder / 'bulk'}", f"cohort.phenotypes={folder / 'phenotypes.csv'}"]


def long_scan(index: int) -> bool:
    """Return whether participant number `index`, from 0, has 523 time points; one in a hundred has."""
    return index % 100 == 7


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


def _write_ukb(cohort: SimulatedCohort, folder: Path, style: str, extracted: bool) -> None:
    """Write ``bulk/`` and ``phenotypes.csv`` as they come from UK Biobank."""
    _ukb_table(cohort, style).to_csv(
        folder / "phenotypes.csv", index=False, quoting=csv.QUOTE_ALL if style == "dash" else csv.QUOTE_MINIMAL
    )
    bulk = folder / "bulk"
    bulk.mkdir()

    def write(index: int, texts: dict[int, str]) -> None:
        eid = _FIRST_EID + index
        members = {f"fMRI/rfMRI_{dimension}.dr/dr_stage1.txt": text for dimension, text in texts.items()}
        if extracted:
            for member, text in members.items():
                _write_text(bulk / str(eid) / member, text)
        else:
            with zipfile.ZipFile(bulk / f"{eid}_20227_2_0.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                for member, text in members.items():
                    archive.writestr(member, text)

    _write_series(cohort, write)


def _ukb_table(cohort: SimulatedCohort, style: str) -> pd.DataFrame:
    """Return UK Biobank's table as text, with columns of the recruitment visit and participants without imaging."""
    n_imaged = cohort.n_participants
    table = replace(cohort, n_participants=n_imaged + n_imaged // 10).read_table()
    imaged = (table.index < n_imaged).tolist()
    columns = [*_recruitment_columns(cohort, table, style), *_imaging_columns(table, imaged, style)]
    columns.sort(key=lambda column: (column.field, column.instance or 0))
    texts = {"f.eid" if style == "dot" else "eid": [str(_FIRST_EID + i) for i in table.index]}
    texts |= {column.name(style): column.values for column in columns}
    texts["true_gap"] = _only_where(imaged, _texts(table["true_gap"]))
    return pd.DataFrame(texts)


def _recruitment_columns(cohort: SimulatedCohort, table: pd.DataFrame, style: str) -> Iterator[_Column]:
    """Yield the columns that participants have whether imaged or not."""
    # One row of numbers a participant, which does not depend on the number of participants.
    chance = np.random.default_rng([cohort.seed, RECRUITMENT]).random((len(table), 2))
    age = [f"{value:.2f}" for value in table["age"] - 6 - 4 * chance[:, 0]]
    centres = list(_RECRUITMENT_CENTRES.values() if style == "rap" else _RECRUITMENT_CENTRES)
    sexes = ["Female", "Male"] if style == "rap" else ["0", "1"]
    yield _Column(31, None, [sexes[sex] for sex in table["sex"]])
    yield _Column(52, None, _texts(table["month_of_birth"]))
    yield _Column(54, 0, [centres[int(value * len(centres))] for value in chance[:, 1]])
    yield _Column(21003, 0, age)
    yield _Column(21022, None, age)


def _imaging_columns(table: pd.DataFrame, imaged: list[bool], style: str) -> Iterator[_Column]:
    """Yield the columns of the imaging visit, instance 2, empty for participants without one."""
    site = [f"{name} (imaging)" if style == "rap" else _SITE_CODES[name] for name in table["site"]]
    # A missing answer is coded -1 (does not know) or -3 (prefers not to answer).
    answers = [text or ("-1", "-3")[row % 2] for row, text in enumerate(_texts(table["restlessness"]))]
    for field, values in (
        (47, _texts(table["grip_strength"])),
        (54, site),
        (2070, answers),
        (20116, _texts(table["smoker"])),
        (20159, _texts(table["processing_speed"])),
        (21003, _texts(table["age"])),
        (25741, _texts(table["head_motion"])),
    ):
        yield _Column(field, 2, _only_where(imaged, values))


def _write_bids(cohort: SimulatedCohort, folder: Path) -> None:
    """Write ``participants.tsv`` and a tree of text files."""
    table = cohort.read_table()
    names = [f"sub-{name}" for name in table["participant_id"]]
    columns = {
        "participant_id": names,
        "age": _texts(table["age"]),
        "sex": ["FM"[sex] for sex in table["sex"]],
        "site": table["site"].tolist(),
    }
    for name in ("head_motion", *PHENOTYPE_CAUSES, "true_gap"):
        columns[name] = [text or "n/a" for text in _texts(table[name])]
    pd.DataFrame(columns).to_csv(folder / "participants.tsv", sep="\t", index=False)

    def write(index: int, texts: dict[int, str]) -> None:
        for dimension, text in texts.items():
            name = f"{names[index]}_ses-2_task-rest_ts-ica-{dimension}.txt"
            _write_text(folder / names[index] / "ses-2" / "func" / name, text)

    _write_series(cohort, write)


def _write_series(cohort: SimulatedCohort, write: Callable[[int, dict[int, str]], None]) -> None:
    """Call `write` with each participant's number and series, as text by dimension, and print the progress."""
    n = cohort.n_participants
    names = cohort.read_table()["participant_id"].tolist()
    scans = {d: replace(cohort, good_components=good).find_scans(names, d) for d, good in GOOD_COMPONENTS.items()}
    for i, name in enumerate(names):
        write(i, {dimension: series_text(_as_filed(scans[dimension][name], i)) for dimension in scans})
        if (i + 1) * 10 // n > i * 10 // n:
            print(f"{i + 1} of {n} participants", flush=True)


def _as_filed(scan: SimulatedScan, index: int) -> NDArray[np.float64]:
    return (replace(scan, n_times=_LONG_SCAN) if long_scan(index) else scan).read()


def series_text(series: NDArray[np.float64]) -> str:
    """Return series (n_times, n_components) as FSL's dual regression writes them, with six significant digits."""
    # One format for all numbers is several times faster than numpy.savetxt.
    n_times, n_components = series.shape
    line = "%.6g  " * n_components + "\n"
    text: str = line * n_times % tuple(series.ravel().tolist())
    return text


def _texts(column: pd.Series[float]) -> list[str]:
    """Return numbers as text with the decimals of their column; missing ones are empty."""
    decimals = _DECIMALS.get(str(column.name), 0)
    return ["" if math.isnan(value) else f"{value:.{decimals}f}" for value in column]


def _only_where(condition: list[bool], values: list[str]) -> list[str]:
    return [value if keep else "" for keep, value in zip(condition, values, strict=True)]


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")
