"""Texts without participant ids."""

from __future__ import annotations

import re


def without_ids(text: str, ids: set[str]) -> str:
    """Return a text in which nobody is named: the errors of libraries may quote what they were given.

    Parameters
    ----------
    text : str
        Such as a traceback.
    ids : set of str
        Of everybody whom it may name.
    """
    for person in sorted((person for person in ids if person in text), key=len, reverse=True):
        text = re.sub(rf"(?<![A-Za-z0-9])(sub-)?{re.escape(person)}(?![A-Za-z0-9])", "<participant>", text)
    return text
