"""Figures of findings."""

import numpy as np
import pandas as pd
import pytest

from brainage.reporting.run_figures import phenotype


@pytest.mark.parametrize(("n_second", "drawn"), [(9, False), (10, True)], ids=["nine", "ten"])
def test_a_category_of_fewer_than_ten_participants_is_not_drawn(n_second: int, drawn: bool) -> None:
    values = pd.Series([0.0] * 30 + [1.0] * n_second)
    rows = pd.DataFrame({"bag": np.random.default_rng(0).normal(size=len(values))})
    assert (phenotype(rows, "smoker", values, "binary", points="all") is not None) == drawn


def test_a_variable_of_fewer_than_ten_participants_is_not_drawn() -> None:
    rows = pd.DataFrame({"bag": np.arange(12.0)})
    values = pd.Series([1.5, 2.0, 3.0] * 3 + [np.nan] * 3)
    assert phenotype(rows, "bmi", values, "continuous", points="all") is None
