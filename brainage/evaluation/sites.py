"""Sites: what they alone predict of age, and how much of the gap they explain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.evaluation.disclosure import MIN_SHOWN, may_describe
from brainage.evaluation.groups import levels_of
from brainage.evaluation.paired import Difference, paired_difference
from brainage.evaluation.shown_values import described_groups

_Array = NDArray[np.float64]

N_PERMUTATIONS = 1000

# Permutations held in memory at once.
_CHUNK = 100


@dataclass(frozen=True)
class SiteAlone:
    """Age predicted by the mean age of the site, among training participants or, without these, among the others.

    Parameters
    ----------
    mae, mean_mae, model_mae : float
        MAE of this prediction, of the mean age of all sites, and of the analysed predictions, in years.
    difference : Difference
        The first minus the second.
    of_training : bool
        Whether the means are those of training participants; otherwise of the other analysed participants.
    """

    mae: float
    mean_mae: float
    model_mae: float
    difference: Difference
    of_training: bool

    @property
    def knows_age(self) -> bool:
        """Whether sites predict age better than the mean age does, beyond sampling error."""
        return self.difference.mae.high is not None and self.difference.mae.high < 0


@dataclass(frozen=True)
class SiteInGap:
    """Share of the variance of the gap that site explains (partial eta squared), adjusted for age and age².

    Parameters
    ----------
    n, n_sites : int
        Participants of sites that may be described, and these sites.
    share, chance : float
        The share; and its mean when the gaps are permuted between participants: sites explain some of it by chance.
    p : float
        Share of permutations that explain as much or more; the sample itself counts as one.

    References
    ----------
    Freedman & Lane (1983), A nonstochastic interpretation of reported significance levels, doi
    10.1080/07350015.1983.10509354; Winkler et al. (2014), doi 10.1016/j.neuroimage.2014.01.060.
    """

    n: int
    n_sites: int
    share: float
    chance: float
    p: float


@dataclass(frozen=True)
class Sites:
    """Sites of the analysed participants.

    Parameters
    ----------
    n, n_sites : int
        Participants whose site is known, and their sites.
    n_trained : int or None
        Participants whose site has training participants; None where training participants, or their sites, are
        unknown.
    alone : SiteAlone or None
        None for fewer than ten participants, or for a number that would describe fewer.
    in_gap : SiteInGap or None
        None where fewer than two sites may be described.
    """

    n: int
    n_sites: int
    n_trained: int | None
    alone: SiteAlone | None
    in_gap: SiteInGap | None

    @property
    def flatters(self) -> bool:
        """Whether sites predict age, and the analysed participants may be of sites with training participants."""
        return self.alone is not None and self.alone.knows_age and self.n_trained != 0


def measure_sites(
    rows: pd.DataFrame, training: pd.DataFrame, *, seen: bool | None, n_resamples: int, seed: int
) -> Sites | None:
    """Relate sites to ages and gaps; None where no site is known, or all participants are of one.

    Parameters
    ----------
    rows, training : DataFrame
        ``age``, ``bag`` and ``site`` of the analysed participants; ``age`` and ``site`` of training participants, or no
        rows.
    seen : bool or None
        Whether the participants' sites were in the training, where there are no training rows; None if unknown.
    n_resamples, seed : int
        Of the bootstrap; the seed also governs the permutations.
    """
    site, site_of_training = site_names(rows), site_names(training)
    is_known, trained = site.notna(), set(site_of_training.dropna())
    n, n_sites = int(is_known.sum()), site.nunique()
    if n == 0 or len({*site.dropna(), *trained}) < 2:
        return None
    n_trained = int(site.isin(trained).sum()) if trained else None if seen is None else n * seen
    alone = None
    if may_describe(n, len(rows)):
        age = rows["age"].astype(float)[is_known]
        means = _means_of_training(site[is_known], training["age"], site_of_training) if trained else None
        by_site, by_all = _means_of_others(age, site[is_known]) if means is None else means
        difference = paired_difference(age, by_site, by_all, n_resamples=n_resamples, seed=seed)
        mae, mean_mae, own = (float(np.abs(one - age).mean()) for one in (by_site, by_all, age + rows["bag"][is_known]))
        alone = SiteAlone(mae, mean_mae, own, difference, of_training=means is not None)
    return Sites(n, n_sites, n_trained, alone, _in_gap(rows, seed))


def harmonized(method: str, rows: pd.DataFrame, training: pd.DataFrame) -> list[str]:
    """Return a note on whose features were harmonised between sites, by ``harmonize``; none without."""
    if method == "none":
        return []
    how = f"Features are harmonised between sites (harmonize={method}), fitted on training participants"
    if not len(training):
        return [f"{how} of each run: features of participants at sites that are not among these are left as they are."]
    counts = site_names(training).value_counts()
    large = counts.index[counts >= MIN_SHOWN]
    n_others = int((~site_names(rows).isin(large)).sum())
    if not n_others:
        return [f"{how} of {len(large)} sites, of which all analysed participants are."]
    return [
        f"{how} of {len(large)} sites. {n_others:,} of the {len(rows):,} analysed participants are "
        "of other or unknown sites: their features are left as they are."
    ]


def site_names(table: pd.DataFrame) -> pd.Series:
    """Return the site of each row as text; missing where it is unknown."""
    names = pd.Series(None, table.index, dtype=object)
    for name, mask in levels_of(table, "site").items():
        names[mask] = None if name == "unknown" else name
    return names


def _means_of_training(site: pd.Series, age: pd.Series, site_of_training: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return what the baseline ``site_mean`` predicts, and the mean training age, for each row."""
    of_sites = age.groupby(site_of_training)
    means = of_sites.mean()[of_sites.size() >= MIN_SHOWN]
    mean = pd.Series(float(age.mean()), site.index)
    return site.map(means).astype(float).fillna(mean), mean


def _means_of_others(age: pd.Series, site: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return the mean age of all others at the site, if these are ten, and of all others."""
    of_site = age.groupby(site)
    others = of_site.transform("size") - 1
    mean = (age.sum() - age) / (len(age) - 1)
    return ((of_site.transform("sum") - age) / others).where(others >= MIN_SHOWN, mean), mean


def _in_gap(rows: pd.DataFrame, seed: int) -> SiteInGap | None:
    levels = [*levels_of(rows, "site").items()]
    shown = described_groups([mask for _, mask in levels])
    chosen = [mask for (name, mask), is_shown in zip(levels, shown, strict=True) if is_shown and name != "unknown"]
    if len(chosen) < 2:
        return None
    used = np.logical_or.reduce(chosen)
    dummies = np.stack([mask[used] for mask in chosen[1:]], axis=1).astype(float)
    return site_in_gap(rows["bag"].to_numpy(float)[used], rows["age"].to_numpy(float)[used], dummies, seed)


def site_in_gap(gap: _Array, age: _Array, dummies: _Array, seed: int) -> SiteInGap | None:
    """Compute the partial eta squared of sites, and that of permuted residuals (Freedman and Lane).

    Parameters
    ----------
    gap, age : array of shape (n_participants,)
        In years.
    dummies : array of shape (n_participants, n_sites - 1)
        One for the participants of each site but the first.
    seed : int
        Governs the permutations.
    """
    z = (age - age.mean()) / (age.std() or 1.0)
    nuisance, _ = np.linalg.qr(np.stack([np.ones_like(z), z, z**2], axis=1))
    sites, _ = np.linalg.qr(dummies - nuisance @ (nuisance.T @ dummies))
    left = gap - nuisance @ (nuisance.T @ gap)
    if len(gap) <= nuisance.shape[1] + sites.shape[1] or not left.any():
        return None

    def share(columns: _Array) -> _Array:
        unexplained = (columns**2).sum(axis=0) - ((nuisance.T @ columns) ** 2).sum(axis=0)
        return np.asarray(((sites.T @ columns) ** 2).sum(axis=0) / unexplained)

    rng = np.random.default_rng(seed)
    repeated = np.repeat(left[:, None], _CHUNK, axis=1)
    drawn = np.concatenate([share(rng.permuted(repeated, axis=0)) for _ in range(N_PERMUTATIONS // _CHUNK)])
    own = float(share(left[:, None])[0])
    p = (1 + int((drawn >= own).sum())) / (1 + N_PERMUTATIONS)
    return SiteInGap(len(gap), dummies.shape[1] + 1, own, float(drawn.mean()), p)


def site_caveats(sites: Sites | None) -> list[str]:
    """Return a note where the error was measured at sites of the training, and sites predict age."""
    if sites is None or sites.alone is None or not sites.flatters:
        return []
    alone = sites.alone
    where = "If it was trained at these sites," if sites.n_trained is None else "It was trained at the same sites, so"
    return [
        f"Site alone predicts age: MAE {alone.mae:.2f} years (the mean age of all sites {alone.mean_mae:.2f}, this "
        f"model {alone.model_mae:.2f}). {where} its accuracy may be partly that of telling sites apart, and is "
        "unknown at a new site. Leave whole sites out: --multirun split=leave_site_out split.site=all."
    ]
