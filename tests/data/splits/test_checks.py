"""Checks of splits."""

from __future__ import annotations

import pandas as pd
import pytest

from brainage.data.splits.checks import check_disjoint
from brainage.errors import SplitError


def test_one_person_in_two_parts_is_refused() -> None:
    split = pd.Series(["train", "val", "test", "test"], index=["a", "b", "c", "a"])
    with pytest.raises(SplitError, match="1 participants or families into more than one part"):
        check_disjoint(split, {})


def test_one_family_in_two_parts_is_refused() -> None:
    split = pd.Series(["train", "val", "test"], index=["a", "b", "c"])
    check_disjoint(split, {"a": "x", "b": "y"})
    with pytest.raises(SplitError, match="1 participants or families"):
        check_disjoint(split, {"a": "x", "b": "x"})
