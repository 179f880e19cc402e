"""Covariates and planned variables of a table in memory."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import brainage as ba
from brainage.errors import EvaluationError


def test_groups_are_compared_with_the_reference_group() -> None:
    rng = np.random.default_rng(1)
    age, case = rng.uniform(45, 80, 120), np.arange(120) % 3 == 0
    table = pd.DataFrame({"age": age, "predicted_age": 62 + 0.5 * (age - 62) + rng.normal(size=120) + 3 * case})
    table["diagnosis"] = np.where(case, 1, 0)
    found = ba.analyze(table, groups=("diagnosis", "0"), n_resamples=100, seed=2)
    assert found.settings.seed == 2 and found.differences is not None
    rows = found.differences.table.set_index("gap")
    assert rows["group"].tolist() == ["1", "1"] and rows["n"].tolist() == [40, 40]
    assert (rows["low"] < 3).all() and (rows["high"] > 3).all() and (rows["p"] < 1e-6).all()
    # The correction is that of the reference group: their corrected gaps have no mean, those of cases do.
    gaps = found.predictions["bag_corrected"].to_numpy(float)
    assert abs(gaps[~case].mean()) < 0.01 and gaps[case].mean() > 2
    assert ba.analyze(table, n_resamples=100).differences is None
    for groups, message in (
        (("diagnose", "0"), "groups.column.*'diagnose'"),
        (("diagnosis", "control"), "groups.reference.*control"),
    ):
        with pytest.raises(EvaluationError, match=message):
            ba.analyze(table, groups=groups, n_resamples=100)
    with pytest.raises(TypeError, match="unexpected keyword argument 'n_resample'"):
        ba.analyze(table, n_resample=100)


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
