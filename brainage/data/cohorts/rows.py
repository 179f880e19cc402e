"""What an open table offers, whatever its format: column names, and rows of text."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from typing import Any

from brainage.errors import CohortError

Rows = Callable[[Sequence[int]], Iterator[tuple[int, list[str]]]]
"""Yields the values of each row at some positions, with its number as its users see it."""


@dataclass(frozen=True)
class OpenTable:
    """A table whose rows are read when they are asked for.

    Parameters
    ----------
    header : list of str
        Names of all columns; empty where a column has none.
    rows : Rows
        Reads rows. Blank ones are left out.
    decimal_commas : bool
        Whether a comma in a number stands for its point.
    """

    header: list[str]
    rows: Rows
    decimal_commas: bool = False


def extra(module: str, path: Path, kind: str) -> Any:
    """Return a module of the extra `tables`; raise CohortError if it is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        package = module.partition(".")[0]
        raise CohortError(
            f'`{path}` is {kind}, which needs {package}, which is not installed: pip install "brainage[tables]". '
            "Or save the table as comma separated text in UTF-8."
        ) from None


def cell_text(value: Any) -> str:
    """Return a cell as text would have it: empty where it is missing, and whole numbers without a point."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()  # Excel has no days without a time
    return str(value)


def position_of(name: str, header: Sequence[str], path: Path) -> int:
    """Return the position of a column that a table has; raise CohortError if it has several of that name."""
    if header.count(name) > 1:
        raise CohortError(
            f"`{path}` has {header.count(name)} columns `{name}`, so which one to read is ambiguous. Remove or rename "
            "all but one."
        )
    return header.index(name)
