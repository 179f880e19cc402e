"""Participants in memory, with a store of given series."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainage.data.participants import Participants
from brainage.data.store.layout import Store

NO_STORE: Any = None


def participants(**columns: Any) -> Participants:
    n = len(next(iter(columns.values())))
    table = pd.DataFrame({"participant_id": [f"p{i}" for i in range(n)], "row": range(n), **columns})
    return Participants(table, NO_STORE, (0, 1, 2), 400)


def people_of(folder: Path, series: Any, t_r: float | None = 0.8, **columns: Any) -> Participants:
    """Participants with a store of their z-scored series, and their means and SDs."""
    mean, sd = series.mean(axis=2, keepdims=True), series.std(axis=2, keepdims=True)
    series = (series - mean) / sd
    series = series.astype(np.float32)
    table = participants(**columns).table
    checksums = np.array([zlib.crc32(row.data) for row in series], dtype=np.uint32)
    store = Store(
        folder, tuple(table["participant_id"]), {}, series, checksums, moments=np.concatenate([mean, sd], axis=2)
    )
    return Participants(table, store, tuple(range(series.shape[1])), series.shape[2], t_r=t_r)
