"""Harmonisation of features between sites, fitted on training participants and applied without anyone's age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainage.data.participants import Participants
from brainage.errors import CohortError
from brainage.evaluation.disclosure import MIN_SHOWN

_Array = NDArray[np.float64]

METHODS = ("center", "combat")

# The empirical Bayes estimates have converged when none changes by a larger share, or after so many steps.
_TOLERANCE, _MAX_STEPS = 1e-4, 100


@dataclass(frozen=True)
class Sited:
    """Features with the sites and sexes of their participants; a site is empty where unknown, a sex NaN."""

    values: NDArray[Any]
    site: NDArray[np.str_]
    sex: _Array

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Any) -> Sited:
        return Sited(self.values[rows], self.site[rows], self.sex[rows])


def with_sites(values: NDArray[Any], participants: Participants) -> Sited:
    """Return features of participants with their sites and sexes, as far as the table has them."""
    table, n = participants.table, len(participants)
    site = table["site"].fillna("").to_numpy(str) if "site" in table else np.full(n, "")
    sex = table["sex"].to_numpy(float) if "sex" in table else np.full(n, np.nan)
    return Sited(values, site, sex)


class Harmonizer:
    """Move, and with ComBat also scale, the features of each site to those of all training participants.

    Effects of age and sex are estimated together with those of the sites, so that sites of different ages keep the
    difference that age makes. Features are then changed by the numbers of their site alone. ComBat as published scales
    them around the mean that is expected at their age, which is to be predicted; here it is the mean of all.
    neuroHarmonize 2.5 and combatlearn 2.3 need the ages of those whom they are applied to, and blank or refuse unseen
    sites; the former also needs numpy below 2.

    Parameters
    ----------
    method : {"center", "combat"}
        ``center`` subtracts the difference of the site's mean; ``combat`` shrinks differences and scales by empirical
        Bayes, with priors over the features of a set.

    References
    ----------
    Johnson et al. (2007), doi 10.1093/biostatistics/kxj037. Fortin et al. (2018), doi 10.1016/j.neuroimage.2017.11.024.
    """

    def __init__(self, method: str) -> None:
        self.method = method

    def fit(self, features: _Array, people: Sited, age: _Array, sets: Sequence[slice]) -> None:
        """Fit on training participants.

        Parameters
        ----------
        features : array of shape (n_participants, n_features)
            Without missing values.
        people : Sited
            Sites and sexes of the participants.
        age : array of shape (n_participants,)
            In years.
        sets : sequence of slice
            Columns of each feature set that is harmonised; others are left as they are.

        Raises
        ------
        CohortError
            Fewer than two sites have ten participants.
        """
        names, counts = np.unique(people.site[people.site != ""], return_counts=True)
        self._sites = names[counts >= MIN_SHOWN]
        if len(self._sites) < 2:
            raise CohortError(
                f"`harmonize={self.method}` needs two or more sites with {MIN_SHOWN} training participants, but there "
                f"are {len(self._sites)} in the column `site`. Name it with cohort.columns.site=NAME, or use "
                "harmonize=none."
            )
        known = np.isin(people.site, self._sites)
        of_sites = (people.site[known][:, None] == self._sites).astype(float)
        protected = np.stack([_centred(age[known]), _centred(people.sex[known])], axis=1)
        shape = len(self._sites), features.shape[1]
        self._center, self._shift, self._scale = np.zeros(shape[1]), np.zeros(shape), np.ones(shape)
        for columns in sets:
            self._center[columns], shift, scale = _effects(features[known, columns], of_sites, protected, self.method)
            self._shift[:, columns], self._scale[:, columns] = shift, scale

    def transform(self, features: _Array, site: NDArray[np.str_]) -> _Array:
        """Return features of participants, which are changed where their site is one of the fitted ones."""
        found = features.copy()
        for name, shift, scale in zip(self._sites, self._shift, self._scale, strict=True):
            rows = site == name
            found[rows] = (features[rows] - self._center - shift) / scale + self._center
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the fitted numbers; names of sites as code points, so that all are numbers."""
        width = self._sites.dtype.itemsize // 4
        codes = self._sites.view(np.uint32).reshape(len(self._sites), width).astype(np.int32)
        return {"sites": codes, "site_shift": self._shift, "site_scale": self._scale, "site_center": self._center}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take what `arrays` returned."""
        self._sites = site_names(arrays["sites"])
        self._shift, self._scale, self._center = (arrays[f"site_{name}"] for name in ("shift", "scale", "center"))


def site_names(codes: NDArray[Any]) -> NDArray[np.str_]:
    """Return the names of sites, given their code points, of shape (n_sites, n_characters)."""
    return np.array(["".join(map(chr, row[row > 0])) for row in codes], dtype=str)


def _centred(values: _Array) -> _Array:
    """Return differences from the mean, 0 where unknown."""
    known = values[~np.isnan(values)]
    return np.nan_to_num(values - known.mean()) if len(known) else np.zeros_like(values)


def _effects(features: _Array, of_sites: _Array, protected: _Array, method: str) -> tuple[_Array, _Array, _Array]:
    """Return the mean of all, of shape (n_features,), and shifts and scales, of shape (n_sites, n_features)."""
    design = np.concatenate([of_sites, protected], axis=1)
    coefficients = np.linalg.lstsq(design, features, rcond=None)[0]
    n_sites, counts = of_sites.shape[1], of_sites.sum(axis=0)
    means = coefficients[:n_sites]
    center = counts @ means / counts.sum()
    if method == "center":
        return center, means - center, np.ones_like(means)
    sd = np.sqrt(((features - design @ coefficients) ** 2).mean(axis=0))
    sd = np.where(sd > 0, sd, 1.0)
    standard = (features - center - protected @ coefficients[n_sites:]) / sd
    shrunk = [_shrunk(standard[of_sites[:, site] > 0]) for site in range(n_sites)]
    shifts, scales = (np.array(values) for values in zip(*shrunk, strict=True))
    return center, shifts * sd, scales


def _shrunk(standard: _Array) -> tuple[_Array, _Array]:
    """Return means and SDs of a site's standardised features, shrunk to their distribution over features."""
    n, mean = len(standard), standard.mean(axis=0)
    squares = ((standard - mean) ** 2).sum(axis=0)
    variance = squares / (n - 1)
    prior_mean, prior_variance = mean.mean(), mean.var(ddof=1) if len(mean) > 1 else 0.0
    level, spread = variance.mean(), variance.var(ddof=1) if len(mean) > 1 else 0.0
    if spread == 0:  # one feature: nothing to shrink to
        return mean, np.sqrt(np.where(variance > 0, variance, 1.0))
    shape, rate = 2 + level**2 / spread, level + level**3 / spread
    shift, scaled = mean, variance
    for _ in range(_MAX_STEPS):
        last = shift, scaled
        shift = (n * prior_variance * mean + scaled * prior_mean) / (n * prior_variance + scaled)
        scaled = (rate + (squares + n * (mean - shift) ** 2) / 2) / (n / 2 + shape - 1)
        pairs = zip((shift, scaled), last, strict=True)
        if max(np.abs((new - old) / np.where(old == 0, 1, old)).max() for new, old in pairs) < _TOLERANCE:
            break
    return shift, np.sqrt(scaled)
