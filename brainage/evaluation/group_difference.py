"""Difference of brain-age gaps between groups and a reference group, adjusted for covariates."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from brainage.evaluation.coding import coded
from brainage.evaluation.covariates import Covariates
from brainage.evaluation.disclosure import MIN_SHOWN, may_describe
from brainage.evaluation.regression import Slope, covariate_basis, hc3_slope, permutation_p
from brainage.evaluation.variables import as_text, is_group

COLUMNS = (
    "group", "gap", "n", "n_reference", "difference", "low", "high", "se", "t", "freedom", "p", "p_permutation",
    "g", "g_low", "g_high", "covariates", "n_incomplete",
)  # fmt: skip

# Covariates that may be missing; a missing site is a site of its own.
_NUMBERS = ("sex", "head_motion")


@dataclass(frozen=True)
class GroupSettings:
    """Which groups are compared.

    Parameters
    ----------
    column, reference : str
        Column of the cohort's table, and its value for the reference group.
    n_permutations : int
        See `brainage.evaluation.regression.permutation_p`.
    """

    column: str
    reference: str
    n_permutations: int = 5000


@dataclass(frozen=True)
class GroupDifferences:
    """Groups compared with the reference group.

    Parameters
    ----------
    settings : GroupSettings
        Which groups.
    table : DataFrame
        The columns `COLUMNS`, with a row per group for ``bag`` and, where available, one for ``bag_corrected``:
        ``difference`` (group minus reference, in years) with its 95 % interval and standard error (HC3), t, degrees of
        freedom, p by the t distribution and by permutation, Hedges' g with its interval, the covariates, and the number
        of participants who are not compared because one of these is unknown.
    notes : tuple of str
        Groups that are not compared, and why.
    """

    settings: GroupSettings
    table: pd.DataFrame
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self.settings), "differences": self.table.to_dict("records"), "notes": [*self.notes]}


def measure_differences(rows: pd.DataFrame, settings: GroupSettings, *, seed: int) -> GroupDifferences:
    """Compare the gaps of groups with those of the reference group.

    Parameters
    ----------
    rows : DataFrame
        Participants on whom nothing was fitted: ``age``, ``bag``, the column of groups, and where available
        ``bag_corrected`` and the covariates ``sex``, ``head_motion`` and ``site``.
    settings : GroupSettings
        Which groups; those of fewer than ten participants are not compared.
    seed : int
        Of the permutations.
    """
    column, reference = rows[settings.column], settings.reference
    masks = {str(name): is_group(column, name).to_numpy() for name in sorted(as_text(column.dropna()).unique())}
    of_reference = masks.pop(reference, np.zeros(len(rows), dtype=bool))
    if not may_describe(int(of_reference.sum())):
        reason = (
            f"Groups are not compared: fewer than {MIN_SHOWN} held-out participants are in the reference group, "
            f"{reference}. With split=kfold, all of them are held out once."
        )
        return GroupDifferences(settings, pd.DataFrame(columns=list(COLUMNS)), (reason,))
    large = {name: mask for name, mask in masks.items() if may_describe(int(mask.sum()))}
    found: list[dict[str, object]] = []
    notes = []
    for name, mask in large.items():
        both = of_reference | mask
        compared, reason = _compared(rows[both], mask[both].astype(float), settings, seed)
        found += [{"group": name, **row} for row in compared]
        notes += [f"{name} is not compared: {reason}."] if reason else []
    if len(large) < len(masks):
        notes.append(f"Groups of fewer than {MIN_SHOWN} held-out participants are not compared.")
    return GroupDifferences(settings, pd.DataFrame(found, columns=list(COLUMNS)), tuple(notes))


def _compared(
    members: pd.DataFrame, is_case: NDArray[np.float64], settings: GroupSettings, seed: int
) -> tuple[list[dict[str, object]], str]:
    """Return the difference in the gap, and in the corrected gap where all have one; or why there is none."""
    complete = _complete(members, settings.column)
    n_incomplete, members, is_case = int((~complete).sum()), members[complete], is_case[complete]
    n, n_reference = int(is_case.sum()), int((1 - is_case).sum())
    if min(n, n_reference) < MIN_SHOWN:
        return [], f"sex or head motion is unknown for all but a few of its participants, or of {settings.reference}"
    adjustment = Covariates(members, flexible=False).of(np.ones(len(members), dtype=bool), without=settings.column)
    basis, names, found = covariate_basis(adjustment.columns), adjustment.names, []
    for gap in ("bag", "bag_corrected"):
        if gap not in members or members[gap].isna().any():
            continue
        outcome = members[gap].to_numpy(float)
        slope = hc3_slope(outcome, is_case, basis)
        if slope.p is None:
            return [], f"its difference cannot be distinguished from those in {', '.join(names)}"
        permuted = permutation_p(outcome, is_case, basis, n_permutations=settings.n_permutations, seed=seed)
        counts = {"n": n, "n_reference": n_reference, "n_incomplete": n_incomplete}
        found.append(
            {"gap": gap, **counts, **_columns(slope), "p_permutation": permuted, "covariates": " ".join(names)}
        )
    return found, ""


def _complete(members: pd.DataFrame, column: str) -> NDArray[np.bool_]:
    """Return who has a value of each covariate that is known for any."""
    complete = np.ones(len(members), dtype=bool)
    for name in _NUMBERS:
        if name in members and name != column:
            known = coded(members[name])[0].notna().to_numpy()
            complete &= known if known.any() else True
    return complete


def _columns(slope: Slope) -> dict[str, object]:
    low, high = slope.interval
    g, half = hedges_g(slope)
    return {
        "difference": slope.value,
        "low": low,
        "high": high,
        "se": slope.se,
        "t": slope.t,
        "freedom": slope.freedom,
        "p": slope.p,
        "g": g,
        "g_low": g - half,
        "g_high": g + half,
    }


def hedges_g(slope: Slope) -> tuple[float, float]:
    """Return a difference in residual SDs without its bias in small samples, and half its 95 % interval.

    Without covariates, the residual SD is the pooled SD of both groups. The interval adds the uncertainty of the SD to
    the standard error of the difference (delta method).

    References
    ----------
    Hedges (1981), doi 10.3102/10769986006002107.
    """
    half_freedom = slope.freedom / 2
    log_bias = special.gammaln(half_freedom) - special.gammaln(half_freedom - 0.5) - math.log(half_freedom) / 2
    shrunk = math.exp(log_bias) / slope.residual_sd
    g = shrunk * slope.value
    se = math.hypot(shrunk * slope.se, g / math.sqrt(2 * slope.freedom))
    return g, float(stats.t.ppf(0.975, slope.freedom)) * se
