"""What a cell of a file has, in words: values are never repeated in messages, because they may be ids."""

from __future__ import annotations

import re

# Written for missing values; only these are quoted.
MISSING = frozenset({"n/a", "na", "nan", "none", "null"})

_NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
# What a number may consist of.
_FEW = r"[-+.\deE ]*"
_KINDS = {
    r"[-+]?\d+": "a whole number",
    _NUMBER: "a number",
    r"[-+]?\d+,\d+([eE][-+]?\d+)?": "a decimal comma",
    r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}": "a date",
    rf"[<>=~]+\s*{_NUMBER}|{_NUMBER}\s*[+%]": "a number with a sign",
    r"\d+\s*[-\u2013]\s*\d+": "a range of numbers",
    r"[-+]?inf(inity)?": "infinity",
    rf"{_FEW}(;{_FEW})+": "numbers separated by semicolons",
    rf"{_FEW}(\t{_FEW})+": "numbers separated by tabs",
    rf"{_FEW}(,{_FEW})+": "numbers separated by commas",
    r".*\d.*": "text with digits",
}


def kind_of(cell: str) -> str:
    """Return the kind of a cell's value, such as "a decimal comma"."""
    text = cell.strip()
    bare = text.strip("\"'").strip()
    if not bare:
        return "an empty cell"
    if bare.casefold() in MISSING:
        return f"`{bare}`"
    if bare != text and re.fullmatch(_NUMBER, bare):
        return "a number in quotes"
    return next((kind for pattern, kind in _KINDS.items() if re.fullmatch(pattern, bare, re.DOTALL)), "text")
