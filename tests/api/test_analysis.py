"""Covariates and planned variables of a table in memory."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import brainage as ba
from brainage.errors import EvaluationError


def test_covariates_and_planned_variables_are_those_given() -> None:
    rng = np.random.default_rng(0)
    age = rng.uniform(45, 80, 80)
    table = pd.DataFrame({"age": age, "predicted_age": age + rng.normal(size=80)})
    table = table.assign(bmi=rng.normal(size=80), speed=rng.normal(size=80), sex=rng.integers(0, 2, 80))
    found = ba.analyze(table, covariates=["age", "bmi"], planned=["speed"], n_resamples=100).associations.table
    rows = found.set_index("variable")
    assert rows["covariates"].to_dict() == {"bmi": "age age^2", "speed": "age age^2 bmi", "sex": "age age^2 bmi"}
    assert rows["family"].to_dict() == {"bmi": "exploratory", "speed": "planned", "sex": "exploratory"}
    with pytest.raises(EvaluationError, match=r"`associations.covariates` must name columns .*'bmj'\. .*bmi"):
        ba.analyze(table, covariates=["bmj"], n_resamples=100)
