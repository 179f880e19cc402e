import numpy as np
import pandas as pd
import pytest

from brainage.reporting.run_figures import phenotype


@pytest.mark.parametrize(("n_of_each", "drawn"), [((12, 12, 3), True), ((20, 9), False), ((9, 9, 9), False)])
def test_categories_are_drawn_if_two_of_them_have_ten_people(n_of_each: tuple[int, ...], drawn: bool) -> None:
    values = pd.Series(np.repeat(np.arange(len(n_of_each), dtype=float), n_of_each))
    rows = pd.DataFrame({"bag": np.random.default_rng(1).normal(size=len(values))})
    figure = phenotype(rows, "sex", values, "binary", points="all")
    assert (figure is not None) == drawn
