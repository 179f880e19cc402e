"""Checks of splits."""

from __future__ import annotations

import pandas as pd
import pytest

from brainage.data.splits.checks import check_disjoint
from brainage.errors import SplitError


def test_a_participant_in_two_parts_is_refused() -> None:
    table = pd.DataFrame({"participant_id": ["a", "b", "c", "a"], "split": ["train", "val", "test", "test"]})
    with pytest.raises(SplitError, match="1 participants or families into more than one part"):
        check_disjoint(table)


def test_a_family_in_two_parts_is_refused() -> None:
    table = pd.DataFrame({"participant_id": ["a", "b", "c"], "split": ["train", "val", "test"]})
    check_disjoint(table.assign(family_id=["x", "y", None]))
    with pytest.raises(SplitError, match="1 participants or families"):
        check_disjoint(table.assign(family_id=["x", "x", None]))
