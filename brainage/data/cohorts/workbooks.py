"""Tables in Excel workbooks (``.xlsx``), read by openpyxl."""

from __future__ import annotations

import itertools
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from brainage.data.cohorts.rows import OpenTable, cell_text, extra
from brainage.errors import CohortError

# Bytes of all parts of a workbook, decompressed: a sheet of a million rows has less. The last row of a sheet.
_MAX_BYTES, _MAX_ROW = 2 * 2**30, 2**20


def workbook_table(file: IO[bytes], path: Path) -> OpenTable:
    """Return the only sheet with values as a table; rows have the numbers that Excel shows.

    Formulas have the values that Excel has stored.
    """
    openpyxl = extra("openpyxl", path, "an Excel workbook")
    _check_size(file, path)
    book = _whole(path, lambda: openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False))
    visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    filled = [sheet for sheet in visible if any(any(values) for _, values in _rows(sheet, path))]
    if len(filled) > 1:
        raise CohortError(
            f"`{path}` must have one sheet with values, but has {len(filled)}, and which of them is the table is not "
            "known. Save that sheet as a workbook of its own, or as comma separated text."
        )
    first = next(_rows(filled[0], path), None) if filled else None
    if first is None or not any(first[1]):
        raise CohortError(f"`{path}` is empty, or its first row is. The first row must contain the column names.")
    header = first[1]
    return OpenTable(header, lambda positions: _picked(filled[0], header, positions, path))


def _picked(sheet: Any, header: list[str], positions: Sequence[int], path: Path) -> Iterator[tuple[int, list[str]]]:
    for number, values in itertools.islice(_rows(sheet, path), 1, None):
        if len(values) > len(header):
            raise CohortError(
                f"Row {number} of `{path}` has {len(values)} values, but the header has {len(header)} names. Every "
                "value must be in a column with a name: look for values to the right of the table."
            )
        if values:
            values += [""] * (len(header) - len(values))
            yield number, [values[position] for position in positions]


def _rows(sheet: Any, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each row and its values as text, up to the last one that is not empty."""
    sheet.reset_dimensions()  # what other programs write there may be too small
    found = sheet.iter_rows(max_row=_MAX_ROW, values_only=True)
    for number in itertools.count(1):
        row = _whole(path, lambda: next(found, None))
        if row is None:
            return
        values = [cell_text(value).strip() for value in row]
        while values and not values[-1]:
            values.pop()
        yield number, values


def _check_size(file: IO[bytes], path: Path) -> None:
    size = _whole(path, lambda: sum(part.file_size for part in zipfile.ZipFile(file).infolist()))
    if size > _MAX_BYTES:
        raise CohortError(
            f"`{path}` must have at most {_MAX_BYTES / 2**30:.0f} GB of content, but has {size / 2**30:.1f} GB. Save "
            "the table as comma separated text."
        )


def _whole(path: Path, read: Any) -> Any:
    """Return what a function reads; raise CohortError if the file is damaged, or another kind of zip."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="openpyxl")  # of styles and validations
            return read()
    except Exception:  # openpyxl has no common class, and its message may quote the file
        raise CohortError(
            f"`{path}` is not a whole Excel workbook (.xlsx). Copy it again or, if another program made "
            "it, save it as .xlsx there."
        ) from None
