"""Opening tables of any format: text, Parquet, Feather or Excel, told apart by their first bytes."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from brainage.data.cohorts.arrow import feather_table, parquet_table
from brainage.data.cohorts.rows import OpenTable
from brainage.data.cohorts.text import text_table
from brainage.data.cohorts.workbooks import workbook_table
from brainage.errors import CohortError, MissingPathError
from brainage.system.files import open_file

_FORMATS = {b"PAR1": parquet_table, b"ARROW1": feather_table, b"PK\x03\x04": workbook_table}
# What tables are saved as, and is not read.
_OTHERS = {
    b"\xd0\xcf\x11\xe0": "an Excel file of the old format .xls, or one with a password",
    b"FEA1": "a Feather file of version 1",
    b"$FL2": "an SPSS file",
    b"$FL3": "an SPSS file",
    b"<stata_dta>": "a Stata file",
}


@contextmanager
def open_table(path: Path, key: str = "cohort.phenotypes") -> Iterator[OpenTable]:
    """Open a table of any format, to read some of its columns.

    Parameters
    ----------
    path : Path
        The file.
    key : str
        The config key that names the table, for messages.

    Raises
    ------
    CohortError, MissingPathError
        It is missing, or no such table; also while its rows are read.
    """
    try:
        with open_file(path, "rb", follow=True) as file, _opened(file, path) as table:
            yield table
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise CohortError(f"`{path}` is not a whole gzip file. Copy it again.") from None
    except csv.Error as error:
        raise CohortError(f"The header of `{path}` cannot be parsed: {error}. Correct its quotes.") from None
    except OSError as error:
        raise MissingPathError(
            f"The table `{path}` cannot be read: {error.strerror}. Name an existing file with `{key}=FILE`."
        ) from None


def is_text(start: bytes) -> bool:
    """Return whether a file with these first bytes is read as text."""
    return not start.startswith((*_FORMATS, *_OTHERS))


@contextmanager
def _opened(file: IO[bytes], path: Path) -> Iterator[OpenTable]:
    start = file.read(16)
    file.seek(0)
    for magic, name in _OTHERS.items():
        if start.startswith(magic):
            raise CohortError(
                f"`{path}` is {name}, which is not read. Save the table as comma separated text in UTF-8, as .xlsx, or "
                "as Parquet."
            )
    reader = next((reader for magic, reader in _FORMATS.items() if start.startswith(magic)), None)
    if reader is not None:
        yield reader(file, path)
    else:
        with text_table(file, path) as table:
            yield table
