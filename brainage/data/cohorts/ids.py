"""Participant ids: their one form, and lists of them."""

from __future__ import annotations

import re
from pathlib import Path

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
    """Read a list of ids, one a line; a header ``eid`` or ``participant_id``, quotes and ``sub-`` are ignored."""
    try:
        with open_file(path, limit=100 * 2**20, follow=True, encoding="utf-8-sig") as file:
            lines = file.read().splitlines()
    except OSError as error:
        raise MissingPathError(
            f"The list of ids `{path}` cannot be read: {error.strerror}. Name an existing file with one id a line."
        ) from None
    except UnicodeDecodeError:
        raise CohortError(f"The list of ids `{path}` is not UTF-8 text. Save it as text with one id a line.") from None
    ids = [(number, text) for number, line in enumerate(lines, start=1) if (text := bare_id(line.strip()))]
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
