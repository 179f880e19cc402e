"""Participant ids: their one form, and lists of them."""

from __future__ import annotations

import re
from pathlib import Path

from brainage.data.cohorts.opening import is_text, open_table
from brainage.data.cohorts.rows import position_of
from brainage.data.encoding import encoding_of
from brainage.errors import CohortError, MissingPathError
from brainage.system.files import open_file
from brainage.system.redaction import register

ID_NAMES = ("participant_id", "eid", "f.eid", "participant.eid", "Participant ID", "n_eid")
"""Names of a column of ids."""


def bare_id(text: str) -> str:
    """Return an id in the one form that it has everywhere: without quotes and without ``sub-``."""
    bare = text.strip("\"'").strip().removeprefix("sub-")
    # Spreadsheets and pandas write whole numbers this way where a cell of the column is empty.
    return bare[: bare.index(".")] if re.fullmatch(r"\d+\.0+", bare) else bare


def is_rounded(text: str) -> bool:
    """Return whether a spreadsheet made a number with a point or an exponent of an id, which may have changed it."""
    return re.fullmatch(r"[-+]?\d+(\.\d*([eE][-+]?\d+)?|[eE]\+\d+)", text) is not None


def read_ids(path: Path) -> frozenset[str]:
    """Read a list of ids: text with one a line, or a table in Parquet, Feather or Excel.

    A header ``eid`` or ``participant_id``, quotes and ``sub-`` are ignored.
    """
    try:
        with open_file(path, "rb", limit=100 * 2**20, follow=True) as file:
            data = file.read()
    except OSError as error:
        raise MissingPathError(
            f"The list of ids `{path}` cannot be read: {error.strerror}. Name an existing file with one id a line."
        ) from None
    lines = _lines_of_text(data, path) if is_text(data[:16]) else _lines_of_table(path)
    ids = [(number, one) for number, text in lines if (one := bare_id(text.strip()))]
    if ids and ids[0][1].casefold() in {name.casefold() for name in ID_NAMES}:
        del ids[0]
    for number, text in ids:
        if len(re.split(r"[\s,;]", text)) > 1 or is_rounded(text):
            raise CohortError(
                f"Line {number} of `{path}` is not one id. The file must have one id a line, without other columns, "
                "and no numbers with a point or an exponent."
            )
    found = frozenset(text for _, text in ids)
    register(found)
    return found


def _lines_of_text(data: bytes, path: Path) -> list[tuple[int, str]]:
    try:
        return list(enumerate(data.decode(encoding_of(data)).splitlines(), start=1))
    except UnicodeDecodeError:
        raise CohortError(
            f"The list of ids `{path}` is not UTF-8 text, but perhaps in Latin-1. Save it as text in UTF-8 with one id "
            "a line."
        ) from None


def _lines_of_table(path: Path) -> list[tuple[int, str]]:
    """Return the column of ids of a table that is no text, or its only column, with the header."""
    with open_table(path, "cohort.exclude_ids") as table:
        named = [name for name in ID_NAMES if name in table.header]
        if not named and len(table.header) != 1:
            raise CohortError(
                f"The list of ids `{path}` must have one column, or a column `participant_id` or `eid`, but has "
                f"{len(table.header)} columns of other names. Rename the column of ids."
            )
        name = named[0] if named else table.header[0]
        rows = table.rows([position_of(name, table.header, path)])
        return [(1, name), *((number, values[0]) for number, values in rows)]
