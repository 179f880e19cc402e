"""Write a simulated cohort as the files that real cohorts come in; the command ``brainage simulate``."""

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

from brainage.data.cohorts.simulated import GOOD_COMPONENTS, PHENOTYPE_CAUSES, SimulatedCohort, SimulatedScan
from brainage.data.cohorts.simulated_series import RECRUITMENT
from brainage.errors import OutputError

# Real participants of UK Biobank have numbers below this.
_FIRST_EID = 9_000_001
_LONG_SCAN = 523
# Decimals of the table's columns, as the generator rounds them, so that files and memory agree.
_DECIMALS = {"age": 2, "head_motion": 5, "grip_strength": 1, "true_gap": 3}

_SITE_CODES = {"Cheadle": "11025", "Reading": "11026", "Newcastle": "11027", "Bristol": "11028"}
_RECRUITMENT_CENTRES = {"11010": "Leeds", "11016": "Liverpool", "11011": "Bristol"}


@dataclass(frozen=True)
class _Column:
    """A UK Biobank column: the field's number, its instance (None where a field has none), one text a row."""

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
    """Write a cohort into an empty folder, and return the overrides that read it.

    Parameters
    ----------
    cohort : SimulatedCohort
        The participants.
    folder : Path
        A new or an empty folder.
    layout : {"ukb", "bids"}
        How the files are laid out.
    style : {"dash", "dot", "rap"}
        How UK Biobank's columns are named.
    extracted : bool, default=False
        UK Biobank: folders instead of zip archives.

    Raises
    ------
    OutputError
        The folder is not empty or cannot be written.
    """
    _make_empty_folder(folder)
    if layout == "bids":
        _write_bids(cohort, folder)
        return ["cohort=bids", f"cohort.root={folder}"]
    _write_ukb(cohort, folder, style, extracted)
    return ["cohort=ukb", f"cohort.root={folder / 'bulk'}", f"cohort.phenotypes={folder / 'phenotypes.csv'}"]


def long_scan(index: int) -> bool:
    """Tell whether the files of person number `index` (from 0) hold 523 time points: one person in a hundred."""
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
        raise OutputError(f"`--out {folder}` must be a new or an empty folder, but it holds files. Name another one.")


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
    """Return UK Biobank's table as text, with columns of the recruitment visit and people who were never imaged."""
    n_imaged = cohort.n_participants
    everyone = replace(cohort, n_participants=n_imaged + n_imaged // 10).read_table()
    imaged = (everyone.index < n_imaged).tolist()
    columns = [*_recruitment_columns(cohort, everyone, style), *_imaging_columns(everyone, imaged, style)]
    columns.sort(key=lambda column: (column.field, column.instance or 0))
    table = {"f.eid" if style == "dot" else "eid": [str(_FIRST_EID + i) for i in everyone.index]}
    table |= {column.name(style): column.values for column in columns}
    table["true_gap"] = _only_where(imaged, _texts(everyone["true_gap"]))
    return pd.DataFrame(table)


def _recruitment_columns(cohort: SimulatedCohort, everyone: pd.DataFrame, style: str) -> Iterator[_Column]:
    """Yield what is known of everyone, imaged or not."""
    # A row of numbers each person, so that nobody's depend on how many people there are.
    chance = np.random.default_rng([cohort.seed, RECRUITMENT]).random((len(everyone), 2))
    age = [f"{value:.2f}" for value in everyone["age"] - 6 - 4 * chance[:, 0]]
    centres = list(_RECRUITMENT_CENTRES.values() if style == "rap" else _RECRUITMENT_CENTRES)
    sexes = ["Female", "Male"] if style == "rap" else ["0", "1"]
    yield _Column(31, None, [sexes[sex] for sex in everyone["sex"]])
    yield _Column(52, None, _texts(everyone["month_of_birth"]))
    yield _Column(54, 0, [centres[int(value * len(centres))] for value in chance[:, 1]])
    yield _Column(21003, 0, age)
    yield _Column(21022, None, age)


def _imaging_columns(everyone: pd.DataFrame, imaged: list[bool], style: str) -> Iterator[_Column]:
    """Yield what was measured at the imaging visit, instance 2, empty for those who had none."""
    site = [f"{name} (imaging)" if style == "rap" else _SITE_CODES[name] for name in everyone["site"]]
    # No answer is coded -1 (does not know) or -3 (prefers not to answer).
    answers = [text or ("-1", "-3")[row % 2] for row, text in enumerate(_texts(everyone["restlessness"]))]
    for field, values in (
        (47, _texts(everyone["grip_strength"])),
        (54, site),
        (2070, answers),
        (20116, _texts(everyone["smoker"])),
        (20159, _texts(everyone["processing_speed"])),
        (21003, _texts(everyone["age"])),
        (25741, _texts(everyone["head_motion"])),
    ):
        yield _Column(field, 2, _only_where(imaged, values))


def _write_bids(cohort: SimulatedCohort, folder: Path) -> None:
    """Write ``participants.tsv`` and a tree of text files."""
    people = cohort.read_table()
    table = {"participant_id": ["sub-" + name for name in people["participant_id"]]}
    table["age"] = _texts(people["age"])
    table["sex"] = ["FM"[sex] for sex in people["sex"]]
    table["site"] = people["site"].tolist()
    for name in ("head_motion", *PHENOTYPE_CAUSES, "true_gap"):
        table[name] = [text or "n/a" for text in _texts(people[name])]
    pd.DataFrame(table).to_csv(folder / "participants.tsv", sep="\t", index=False)
    names = table["participant_id"]

    def write(index: int, texts: dict[int, str]) -> None:
        for dimension, text in texts.items():
            name = f"{names[index]}_ses-2_task-rest_ts-ica-{dimension}.txt"
            _write_text(folder / names[index] / "ses-2" / "func" / name, text)

    _write_series(cohort, write)


def _write_series(cohort: SimulatedCohort, write: Callable[[int, dict[int, str]], None]) -> None:
    """Hand the text of each person's series, by dimension, to `write`, and say how far it got."""
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
    """Return series as FSL's dual regression writes them.

    Parameters
    ----------
    series : array of shape (n_times, n_components)
        The numbers.

    Returns
    -------
    str
        One line a time point, two spaces after each number, six significant digits.
    """
    # One format for all numbers is several times as fast as numpy.savetxt.
    n_times, n_components = series.shape
    line = "%.6g  " * n_components + "\n"
    text: str = line * n_times % tuple(series.ravel().tolist())
    return text


def _texts(column: pd.Series[float]) -> list[str]:
    """Return numbers as text with the decimals of their column, empty where missing."""
    decimals = _DECIMALS.get(str(column.name), 0)
    return ["" if math.isnan(value) else f"{value:.{decimals}f}" for value in column]


def _only_where(condition: list[bool], values: list[str]) -> list[str]:
    return [value if keep else "" for keep, value in zip(condition, values, strict=True)]


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")
