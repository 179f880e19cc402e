"""Columns of a table as numbers or categories."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

# Integers with at most this many distinct values are ordinal; categories have at most that many.
_MOST_LEVELS = 10
_MOST_CATEGORIES = 50

# Columns whose numbers are codes with names: fields of UK Biobank (ethnic background, centre, handedness, employment),
# and columns whose names say so.
_CODED_FIELDS = r"(?:f\.|p)?(?:21000|54|1707|6142)(?:[-._]|$)"
_CODED_NAMES = r"(?:.*[^a-z])?(?:ethnic|ethnicity|race|site|cent(?:re|er)|scanner|country|region)(?:[^a-z].*)?$"
_CODES = re.compile(f"{_CODED_FIELDS}|{_CODED_NAMES}", re.IGNORECASE)


def categories_of(name: str, column: pd.Series) -> pd.Series | None:
    """Return a column as names of three categories or more, None where missing; None if it is none.

    Categories are text, and numbers that are codes: those of ethnic backgrounds, centres and the like have no order.
    """
    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    if (column.notna() & numbers.isna()).any():
        values = column.astype("string")
    elif _CODES.match(name) and (numbers.dropna() % 1 == 0).all():
        values = numbers.astype("Int64").astype("string")
    else:
        return None
    return values.astype(object).where(values.notna(), None) if 2 < values.nunique() <= _MOST_CATEGORIES else None


def coded(column: pd.Series) -> tuple[pd.Series, str, str]:
    """Return a column as numbers, why it cannot be used, and the meaning of 0 and 1 if it is text with two values."""
    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    if not (column.notna() & numbers.isna()).any():
        return numbers.where(np.isfinite(numbers)), "", ""
    kinds = sorted(column.dropna().astype(str).unique())
    if len(kinds) == 1:
        return numbers, "it does not vary", ""
    if len(kinds) != 2:
        return numbers, f"it is text with more than {_MOST_CATEGORIES} values", ""
    values = column.astype("string").map({kinds[0]: 0.0, kinds[1]: 1.0}).astype(float)
    return values, "", f"0 = {kinds[0]}, 1 = {kinds[1]}"


def kind_of(values: ArrayLike) -> str:
    """Return ``binary``, ``ordinal`` (integers, at most ten distinct) or ``continuous``."""
    distinct = np.unique(np.asarray(values, dtype=np.float64))
    if len(distinct) == 2:
        return "binary"
    return "ordinal" if len(distinct) <= _MOST_LEVELS and bool((distinct % 1 == 0).all()) else "continuous"
