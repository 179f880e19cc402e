"""Arrays as participants of a store in memory, so that they pass the same checks and predictions as files do."""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.data.scale import has_percent
from brainage.data.store.checked import Checked, check_series
from brainage.data.store.layout import Store
from brainage.data.store.parse import Recording
from brainage.data.store.ragged import Ragged
from brainage.data.store.reading import Reading
from brainage.errors import SeriesError

# A folder in which no file can be cached, whatever the working directory has.
_NOWHERE = Path(os.devnull) / "memory"

# Unusable series that a message lists.
_N_SHOWN = 5


@dataclass(frozen=True)
class Columns:
    """Which columns of an array are the channels of a network.

    Parameters
    ----------
    n : int
        Columns of each array.
    positions : sequence of int
        Those that a network sees, in its order, from 0.
    """

    n: int
    positions: Sequence[int]

    def of(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the channels of an array of shape (n_times, n), or raise SeriesError."""
        if values.ndim != 2:
            raise SeriesError("not a table of time points and channels", f"{values.ndim} axes")
        if values.shape[1] != self.n:
            hint = "; are channels in rows? Transpose it" if values.shape[0] == self.n else ""
            raise SeriesError("wrong number of columns", f"{values.shape[1]}, expected {self.n}{hint}")
        return values[:, list(self.positions)]


def stored(
    series: Sequence[Any],
    columns: Columns,
    reading: Reading,
    t_r: Sequence[float],
    n_times: int,
    scale: str = "zscore",
) -> Store:
    """Check arrays, each of shape (its time points, n_channels), and return a store whose rows have their positions.

    `t_r` are the repetition times in seconds, NaN where unknown, and `scale` is one that the series must have. Raises
    SeriesError, with positions and reasons, if any array cannot be used.
    """
    found: list[Checked[NDArray[np.float32]]] = []
    wrong = []
    for position, (one, seconds) in enumerate(zip(series, t_r, strict=True)):
        try:
            found.append(_checked(one, columns, reading, seconds))
            if (length := found[-1].series.shape[1]) < n_times:
                raise SeriesError("too few time points", f"{length}, expected at least {n_times}")
            if scale == "percent":
                _check_percent(found[-1])
        except SeriesError as error:
            wrong.append(f"number {position}: {error}")
    if wrong:
        more = [f"and {len(wrong) - _N_SHOWN} more"] if len(wrong) > _N_SHOWN else []
        raise SeriesError(f"{len(wrong)} of {len(series)} series cannot be used", "; ".join(wrong[:_N_SHOWN] + more))
    arrays = [np.ascontiguousarray(one.series) for one in found]
    flat = np.concatenate([one.ravel() for one in arrays]) if arrays else np.empty(0, np.float32)
    rows = Ragged(flat, reading.n_channels, [one.shape[1] for one in arrays])
    checksums = np.array([zlib.crc32(one.data) for one in arrays], dtype=np.uint32)
    ids, no_scans = tuple(map(str, range(len(arrays)))), np.empty((0, reading.n_channels, 2))
    moments = np.concatenate([no_scans, *(one.moments for one in found if one.moments is not None)])
    return Store(_NOWHERE, ids, {}, rows, checksums, moments=moments)


def _check_percent(found: Checked[NDArray[np.float32]]) -> None:
    undefined = ~has_percent(np.asarray(found.moments))
    if undefined.any():
        counts = f"{int(undefined.sum())} of {undefined.size} channels"
        raise SeriesError("mean near 0", f"{counts} have no mean above their SD, which scale=percent divides by")


def _checked(one: Any, columns: Columns, reading: Reading, t_r: float) -> Checked[NDArray[np.float32]]:
    try:
        values = np.asarray(one, dtype=np.float64)
    except (TypeError, ValueError):
        raise SeriesError("not a table of numbers") from None
    recording = Recording(columns.of(values), t_r=None if np.isnan(t_r) else t_r)
    return check_series(recording, reading)


def table_of(n_participants: int, ages: Any = None, t_r: Any = None) -> pd.DataFrame:
    """Return the table of participants whose ids and rows are their positions.

    `ages` are in years and `t_r` in seconds: one value for each participant, or for `t_r` one for all. Raises
    ValueError if there are other numbers of them.
    """
    given = {
        "age": np.full(n_participants, np.nan) if ages is None else np.asarray(ages, dtype=np.float64),
        "t_r": np.full(n_participants, np.nan) if t_r is None else np.asarray(t_r, dtype=np.float64),
    }
    if given["t_r"].ndim == 0:
        given["t_r"] = np.full(n_participants, given["t_r"])
    for name, values in given.items():
        if values.shape != (n_participants,):
            what = "ages" if name == "age" else "t_r"
            raise ValueError(f"`{what}` must have {n_participants} values, one a series, but has shape {values.shape}.")
    rows = range(n_participants)
    return pd.DataFrame({"participant_id": [str(row) for row in rows], "row": list(rows), **given})
