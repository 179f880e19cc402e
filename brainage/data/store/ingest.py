"""Reading many scans in parallel. Worker processes import this module at their start, so it imports little."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from functools import partial
from typing import Any

from brainage.data.store.checked import Checked
from brainage.data.store.reading import Reading
from brainage.data.store.rows import Rows
from brainage.data.store.series import Scan
from brainage.data.store.several import read_scan
from brainage.data.store.workers import for_each
from brainage.errors import SeriesError

# A participant id with their series, or the reason for exclusion.
Result = tuple[str, Checked[Any] | SeriesError]


def read_all(scans: Mapping[str, Scan], rows: Rows | None, reading: Reading) -> Generator[Result, None, None]:
    """Read every scan, write its series to the row of its position among the sorted ids, and yield each result.

    The row of an excluded scan stays empty. Without `rows`, results have the series. Raises StoreError if a worker
    process is killed.
    """
    ids = sorted(scans)
    read = for_each(partial(_read_one, rows, reading), [(row, scans[one]) for row, one in enumerate(ids)])
    try:
        yield from zip(ids, read, strict=True)
    finally:
        read.close()  # workers stop at once


def _read_one(rows: Rows | None, reading: Reading, numbered: tuple[int, Scan]) -> Checked[Any] | SeriesError:
    row, scan = numbered
    try:
        found = read_scan(scan, reading)
    except SeriesError as error:
        return error
    if rows is None:
        return found
    written: Checked[int] = Checked(**{**vars(found), "series": rows.write(row, found.series)})
    return written
