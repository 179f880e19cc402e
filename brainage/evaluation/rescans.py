"""Second scans of the analysed participants: what agrees, what changes, and what is noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.evaluation.disclosure import may_describe
from brainage.evaluation.gap import Correction
from brainage.evaluation.intervals import Estimate, bootstrap, correlation_estimate, proportion_estimate
from brainage.evaluation.reliability import Reliability, measure_reliability

VISITS, HALVES = "visits", "halves"

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Change:
    """What differs between visits at different ages.

    Parameters
    ----------
    n : int
        Participants whose ages at the two scans differ.
    years : (float, float)
        Mean and SD of the time between the scans.
    per_year, per_year_corrected : Estimate
        Change of the gap, and of the corrected gap, per year between the scans (a line through 0), in years, with
        bootstrap intervals.
    with_time : Estimate
        Correlation of the change of the gap with the time between the scans.
    older : Estimate
        Share whose later scan has the higher predicted age, with Wilson's interval.
    """

    n: int
    years: tuple[float, float]
    per_year: Estimate
    per_year_corrected: Estimate
    with_time: Estimate
    older: Estimate


@dataclass(frozen=True)
class Rescans:
    """Participants with exactly two scans.

    Parameters
    ----------
    kind : {"visits", "halves"}
        Two visits (sessions), or the two halves of one scan.
    n : int
        Number of these.
    n_more : int
        Participants with more visits, who are left out.
    measures : sequence of Reliability
        Of predictions, gaps and, where they can be computed, corrected gaps; none of fewer than ten participants.
    change : Change or None
        None where ages at both scans are the same or unknown, or fewer than ten participants have others.
    """

    kind: str
    n: int
    n_more: int
    measures: Sequence[Reliability] = ()
    change: Change | None = None

    def table(self) -> pd.DataFrame:
        """Return a row a number: ``scans, measure, n, value, low, high``."""
        rows = [
            (one.name, name, one.n, estimate)
            for one in self.measures
            for name, estimate in (("icc_agreement", one.agreement), ("icc_consistency", one.consistency),
                                   ("error", one.error))
        ]  # fmt: skip
        if (change := self.change) is not None:
            rows += [("bag", "change_per_year", change.n, change.per_year),
                     ("bag_corrected", "change_per_year", change.n, change.per_year_corrected),
                     ("bag", "r_change_with_time", change.n, change.with_time),
                     ("predicted_age", "later_is_older", change.n, change.older)]  # fmt: skip
        columns = ["scans", "of", "measure", "n", "value", "low", "high"]
        return pd.DataFrame(
            [
                (self.kind, of, name, n, one.value, one.low, one.high)
                for of, name, n, one in rows
                if one.value is not None
            ],
            columns=columns,
        )


def measure_rescans(
    scans: pd.DataFrame, corrections: Sequence[Correction], *, kind: str, n_resamples: int, seed: int
) -> Rescans | None:
    """Compare the two scans of participants.

    Parameters
    ----------
    scans : DataFrame
        ``participant_id``, ``scan`` (a label), ``age`` at the scan and ``predicted_age``, of the analysed participants;
        where gaps are corrected by fits of several folds, ``fit``, the place of each one's in `corrections`.
    corrections : sequence of Correction
        One fit that applies to all rows, or those of the folds; with others, corrected gaps are not compared.
    kind : {"visits", "halves"}
        What they are.
    n_resamples, seed : int
        See `brainage.evaluation.intervals.bootstrap`.

    Returns
    -------
    Rescans or None
        None where no participant has two.
    """
    visits = _visits(scans)
    counts = visits.groupby("participant_id")["scan"].transform("size")
    pairs = _with_gaps(visits[counts == 2], corrections).sort_values(["participant_id", "age", "scan"], kind="stable")
    first, second = (pairs.iloc[place::2].reset_index(drop=True) for place in (0, 1))
    n_more = visits.loc[counts > 2, "participant_id"].nunique()
    if not len(first):
        return None
    if not may_describe(len(first)):
        return Rescans(kind, len(first), n_more)
    names = [name for name in ("predicted_age", "bag", "bag_corrected") if pairs[name].notna().all()]
    measures = [measure_reliability(name, first[name], second[name]) for name in names]
    return Rescans(kind, len(first), n_more, measures, _change(first, second, n_resamples, seed))


def _visits(scans: pd.DataFrame) -> pd.DataFrame:
    """Return a row a visit: the mean over its runs; or a row a run where no participant has two visits."""
    visit = scans["scan"].str.replace(r"_?run-[^_]*$", "", regex=True)
    if not visit.groupby(scans["participant_id"]).nunique().gt(1).any():
        return scans
    keys = ["participant_id", "scan", *(["fit"] if "fit" in scans else [])]
    return scans.assign(scan=visit).groupby(keys, sort=False)[["age", "predicted_age"]].mean().reset_index()


def _with_gaps(scans: pd.DataFrame, corrections: Sequence[Correction]) -> pd.DataFrame:
    age, predicted = scans["age"].to_numpy(float), scans["predicted_age"].to_numpy(float)
    corrected = np.full(len(scans), np.nan)
    if "fit" in scans:
        for place, fit in enumerate(corrections):
            own = scans["fit"].to_numpy() == place
            corrected[own] = fit.gap(age[own], predicted[own])
    elif len(corrections) == 1:
        corrected = corrections[0].gap(age, predicted)
    return scans.assign(bag=predicted - age, bag_corrected=corrected)


def _change(first: pd.DataFrame, second: pd.DataFrame, n_resamples: int, seed: int) -> Change | None:
    years = (second["age"] - first["age"]).to_numpy(float)
    apart = years > 0
    if not may_describe(int(apart.sum()), len(first)):
        return None
    names = ["bag", "bag_corrected"]
    years, changes = years[apart], (second[names] - first[names]).to_numpy(float)[apart]
    gaps = changes[:, 0]
    older = int((second["predicted_age"] > first["predicted_age"])[apart].sum())

    def slopes(counts: _Array) -> dict[str, _Array]:
        found = counts @ (years[:, None] * changes) / (counts @ years**2)[:, None]
        return dict(zip(names, found.T, strict=True))

    per_year = bootstrap(slopes, len(years), n_resamples=n_resamples, seed=seed)
    varies = np.ptp(years) > 0 and np.ptp(gaps) > 0
    with_time = correlation_estimate(float(np.corrcoef(years, gaps)[0, 1]), len(years)) if varies else Estimate(None)
    spread = float(years.mean()), float(years.std(ddof=1))
    return Change(
        len(years),
        spread,
        per_year["bag"],
        per_year["bag_corrected"],
        with_time,
        proportion_estimate(older, len(years)),
    )
