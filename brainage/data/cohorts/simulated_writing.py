"""What all layouts of simulated files share: the text of series and of tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.data.cohorts.simulated import GOOD_COMPONENTS
from brainage.data.cohorts.simulated2 import SimulatedCohort2
from brainage.data.cohorts.simulated_parcels import Simulation, SimulationScan

# Decimals that the generator rounds columns to, so that files and memory agree.
_DECIMALS = {"age": 2, "head_motion": 5, "grip_strength": 1, "true_gap": 3}
_LONG_SCAN = 523


def counted(n_participants: int) -> Iterator[int]:
    """Yield each participant's number, from 0, and print the progress."""
    for i in range(n_participants):
        yield i
        if (i + 1) * 10 // n_participants > i * 10 // n_participants:
            print(f"{i + 1} of {n_participants} participants", flush=True)


def visits_of(cohort: Simulation) -> dict[int, Simulation]:
    """Return a cohort at each of its visits, which are numbered as in UK Biobank: 2 is the first, 3 the repeat."""
    return {2: cohort, 3: replace(cohort, visit="second")} if isinstance(cohort, SimulatedCohort2) else {2: cohort}


def numbers_of(cohort: Simulation) -> list[int]:
    """Return the numbers of participants, from 0, in the order of the table."""
    return [int(one.removeprefix("sim")) - 1 for one in cohort.read_table()["participant_id"]]


def ica_texts(cohort: Simulation) -> Iterator[tuple[int, dict[int, str]]]:
    """Yield each participant's number, from 0, and series, as text by dimension, and print the progress."""
    names, numbers = cohort.read_table()["participant_id"].tolist(), numbers_of(cohort)
    scans = {d: replace(cohort, good_components=good).find_scans(names, d) for d, good in GOOD_COMPONENTS.items()}
    for row in counted(len(names)):
        texts_of = {d: series_text(_as_filed(scans[d][names[row]], numbers[row])) for d in scans}
        yield numbers[row], texts_of


def _as_filed(scan: SimulationScan, index: int) -> NDArray[np.float64]:
    return (replace(scan, n_times=max(scan.n_times, _LONG_SCAN)) if long_scan(index) else scan).read()


def long_scan(index: int) -> bool:
    """Return whether participant number `index`, from 0, has 523 time points; one in a hundred has."""
    return index % 100 == 7


def series_text(
    series: NDArray[np.float64], names: Iterable[str] = (), *, separator: str = "  ", end: str = "  "
) -> str:
    """Return series (n_rows, n_columns) as text with six significant digits and the names of the columns, if any.

    By default they look as FSL's dual regression writes them.
    """
    # One format for all numbers is several times faster than numpy.savetxt.
    n_rows, n_columns = series.shape
    line = separator.join(["%.6g"] * n_columns) + end + "\n"
    header = separator.join(names)
    text: str = line * n_rows % tuple(series.ravel().tolist())
    return f"{header}\n{text}" if header else text


def texts(column: pd.Series[float], missing: str = "") -> list[str]:
    """Return numbers as text with the decimals of their column."""
    decimals = _DECIMALS.get(str(column.name), 0)
    return [missing if math.isnan(value) else f"{value:.{decimals}f}" for value in column]


def only_where(condition: list[bool], values: list[str]) -> list[str]:
    """Return texts, empty where the condition is false."""
    return [value if keep else "" for keep, value in zip(condition, values, strict=True)]


def write_text(path: Path, text: str) -> None:
    """Write an ASCII file in a folder that may be new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")
