"""A model against chance: ages of the tested participants are permuted within sites, and predictions stay the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.evaluation.disclosure import may_describe
from brainage.evaluation.intervals import Estimate, percentile_interval

_Array = NDArray[np.float64]

# Errors that differ by less, in years, are equal: fits with permuted ages round otherwise.
_SAME = 1e-9


@dataclass(frozen=True)
class Chance:
    """A permutation test.

    Parameters
    ----------
    n, n_permutations, n_sites : int
        Participants, permutations, and sites within which ages were permuted; 1 where sites are unknown.
    mae : float
        Of the predictions, in years.
    permuted : Estimate
        MAE with permuted ages, in years: mean, and its middle 95 %.
    p : float
        Share of permutations with an MAE as low, of which the ages as they are count as one.
    """

    n: int
    n_permutations: int
    n_sites: int
    mae: float
    permuted: Estimate
    p: float


def measure_chance(rows: pd.DataFrame, *, n_permutations: int, seed: int) -> Chance | None:
    """Test whether predictions are closer to age than to ages that were permuted within sites.

    Nothing is trained again. What a model predicts by knowing the site alone is no better than chance here.

    Parameters
    ----------
    rows : DataFrame
        ``age, predicted_age`` in years and, where known, ``site``; participants without a site are one of their own.
    n_permutations : int
        None are made with 0, nor for fewer than ten participants.
    seed : int
        Governs the permutations.

    References
    ----------
    Winkler et al. (2015), Multi-level block permutation, doi 10.1016/j.neuroimage.2015.05.092.
    """
    if n_permutations == 0 or not may_describe(len(rows)):
        return None
    age, predicted = rows["age"].to_numpy(float), rows["predicted_age"].to_numpy(float)
    sites = site_codes(rows)
    drawn = permuted_errors(age, predicted, sites, n_permutations, seed)
    return against_chance(float(np.abs(predicted - age).mean()), drawn, n=len(rows), n_sites=int(sites.max()) + 1)


def against_chance(mae: float, drawn: _Array, *, n: int, n_sites: int) -> Chance:
    """Compare an MAE, in years, of n participants with those after permutations."""
    p = (1 + int((drawn <= mae + _SAME).sum())) / (len(drawn) + 1)
    permuted = Estimate(float(drawn.mean()), *percentile_interval(drawn))
    return Chance(n, len(drawn), n_sites, mae, permuted, p)


def site_codes(table: pd.DataFrame) -> NDArray[np.intp]:
    """Return the number of each participant's site; one for all where sites are unknown."""
    if "site" not in table:
        return np.zeros(len(table), dtype=np.intp)
    return pd.factorize(table["site"], use_na_sentinel=False)[0]


def orders_within(sites: NDArray[np.intp], n_permutations: int, rng: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """Yield permutations of participants within their sites."""
    by_site = np.argsort(sites, kind="stable")
    for _ in range(n_permutations):
        order = np.empty_like(by_site)
        order[by_site] = np.lexsort((rng.random(len(sites)), sites))
        yield order


def permuted_errors(age: _Array, predicted: _Array, sites: NDArray[np.intp], n_permutations: int, seed: int) -> _Array:
    """Return the MAE with each permutation of ages within sites."""
    orders = orders_within(sites, n_permutations, np.random.default_rng(seed))
    return np.array([np.abs(predicted - age[order]).mean() for order in orders])
