"""A model against chance."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from brainage.evaluation.chance import measure_chance, permuted_errors


def people(n: int = 60, noise: float = 4.0, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.uniform(45, 80, n)
    return pd.DataFrame({"age": age, "predicted_age": age + rng.normal(0, noise, n)})


def test_permutations_within_sites_are_all_equally_likely() -> None:
    age, predicted, sites = (
        np.array([50.0, 60, 70, 80, 90]),
        np.array([51.0, 66, 69, 83, 86]),
        np.array([0, 1, 0, 1, 1]),
    )
    drawn = permuted_errors(age, predicted, sites, 6000, 3)
    # By hand: the two at site 0 and the three at site 1 are exchanged among themselves.
    every = {
        round(float(np.abs(predicted[[0, 2, 1, 3, 4]] - np.array([*a, *b])).mean()), 9)
        for a in itertools.permutations(age[[0, 2]])
        for b in itertools.permutations(age[[1, 3, 4]])
    }
    values, counts = np.unique(drawn.round(9), return_counts=True)
    assert set(values) == every
    assert counts.min() > 6000 / 12 * 0.8


def test_a_model_of_age_is_better_than_chance_and_one_of_the_site_is_not() -> None:
    table = people()
    found = measure_chance(table, n_permutations=199, seed=1)
    assert found is not None and found.p == pytest.approx(1 / 200) and found.n_sites == 1
    assert found.permuted.low is not None and found.mae < found.permuted.low
    site = np.where(table["age"] > 62, "old", "young")
    of_site = table.assign(site=site, predicted_age=np.where(site == "old", 70.0, 53.0))
    within = measure_chance(of_site, n_permutations=199, seed=1)
    assert within is not None and within.n_sites == 2 and within.p == 1
    across = measure_chance(of_site.drop(columns="site"), n_permutations=199, seed=1)
    assert across is not None and across.p == pytest.approx(1 / 200)


def test_p_of_predictions_that_know_nothing_is_uniform() -> None:
    rng = np.random.default_rng(0)
    values = []
    for seed in range(80):
        table = people(seed=seed).assign(predicted_age=rng.uniform(45, 80, 60))
        found = measure_chance(table, n_permutations=59, seed=seed)
        assert found is not None
        values.append(found.p)
    assert 1 <= sum(p <= 0.1 for p in values) <= 17  # 8 expected


@pytest.mark.parametrize(("n", "n_permutations"), [(9, 100), (20, 0)])
def test_nothing_is_tested_of_few_participants_or_without_permutations(n: int, n_permutations: int) -> None:
    assert measure_chance(people(n), n_permutations=n_permutations, seed=0) is None
