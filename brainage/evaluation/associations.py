"""Associations of the brain-age gap with other variables: correlations and partial correlations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from brainage.evaluation.conformal import BOUNDS
from brainage.evaluation.corrected import corrected_correlation
from brainage.evaluation.disclosure import MIN_SHOWN
from brainage.evaluation.gap import Correction
from brainage.evaluation.intervals import Estimate, correlation_estimate, correlation_p
from brainage.evaluation.regression import covariate_basis, partial_correlation, residuals
from brainage.evaluation.shown_values import has_rare_level, withholds

COLUMNS = (
    "variable", "kind", "n", "r", "r_low", "r_high", "p", "r_corrected", "r_corrected_low", "r_corrected_high",
    "p_corrected", "r_partial", "r_partial_low", "r_partial_high", "p_partial", "q_partial", "covariates",
)  # fmt: skip

# Participants that a variable needs.
MIN_ROWS = 20

# Integers with at most this many distinct values are ordinal.
_MOST_LEVELS = 10

# Participants minus covariates that a partial correlation needs for p and interval.
MIN_FREEDOM = 4

# Columns that are not variables by default.
STANDARD = ("participant_id", "split", "age", "predicted_age", "bag", "bag_corrected", "site", "head_motion",
            "family_id", "true_gap", "table_row", "predicted_age_sd", *BOUNDS)  # fmt: skip

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Associations:
    """Associations of the gap with variables.

    Parameters
    ----------
    table : DataFrame
        The columns `COLUMNS`, one row per variable, in the order of the cohort's table.
    left_out : dict of str to str
        Excluded variables, and why.
    flagged : dict of str to str
        Ordinal variables with a rare category.
    coding : dict of str to str
        Meaning of 0 and 1 for variables that are text with two values.
    n_saturated : int
        Variables without a partial correlation, because there are as many covariates as participants.
    """

    table: pd.DataFrame
    left_out: dict[str, str] = field(default_factory=dict)
    flagged: dict[str, str] = field(default_factory=dict)
    coding: dict[str, str] = field(default_factory=dict)
    n_saturated: int = 0


def variables_of(table: pd.DataFrame) -> list[str]:
    """Return the default variables: all phenotypes, and sex."""
    return [str(name) for name in table.columns if name not in STANDARD]


def associate(
    rows: pd.DataFrame,
    variables: Sequence[str],
    progress: Callable[[Sequence[str]], Iterable[str]] = iter,
    fit: Correction | None = None,
) -> Associations:
    """Correlate gaps with variables.

    Parameters
    ----------
    rows : DataFrame
        One row per participant: ``age``, ``bag``, optionally ``bag_corrected``, the variables, and the covariates
        ``sex``, ``head_motion`` and ``site`` where available.
    variables : sequence of str
        Columns of `rows`.
    progress : callable
        Takes the variables and yields them, while it shows how many are done.
    fit : Correction or None
        See `brainage.evaluation.corrected.corrected_correlation`.

    Returns
    -------
    Associations
        Pairwise complete: a missing value excludes a participant from that variable only. The partial correlation of
        the raw gap is adjusted for age, age squared and the covariates, and its interval and p hold where the gap's
        spread differs between participants (HC3); q is over the variables (Benjamini-Hochberg).

    References
    ----------
    Benjamini & Hochberg (1995), doi 10.1111/j.2517-6161.1995.tb02031.x.
    """
    found, left_out, flagged, coding, n_saturated = [], {}, {}, {}, 0
    participants = _Participants(rows, fit)
    for name in progress(variables):
        values, reason, meaning = coded(rows[name])
        numbers = values.to_numpy(float)
        known = participants.measured & ~np.isnan(numbers)
        numbers = numbers[known]
        if reason := reason or _unusable(numbers):
            left_out[name] = reason
            continue
        kind = kind_of(numbers)
        if meaning:
            coding[name] = meaning
        if kind != "continuous" and has_rare_level(numbers):
            flagged[name] = f"fewer than {MIN_SHOWN} cases in a category"
        row, n_covariates = participants.row(numbers, known, name)
        n_saturated += len(numbers) - n_covariates < MIN_FREEDOM
        found.append({"variable": name, "kind": kind, "n": len(numbers), **row})
    table = pd.DataFrame(found, columns=list(COLUMNS))
    columns = [name for name in COLUMNS if name.startswith(("r", "p"))]
    table[columns] = table[columns].astype(float)  # a column of missing values too
    table["q_partial"] = adjusted(table["p_partial"])
    return Associations(table, left_out, flagged, coding, n_saturated)


def _unusable(values: _Array) -> str:
    """Return why the known values of a variable cannot be correlated, without a count, or an empty string."""
    if len(values) < MIN_ROWS:
        return f"fewer than {MIN_ROWS} participants have a value"
    if np.ptp(values) == 0:
        return "it does not vary"
    if withholds(values):
        return f"fewer than {MIN_SHOWN} participants have another value than the most common one"
    return ""


def coded(column: pd.Series) -> tuple[pd.Series, str, str]:
    """Return a column as numbers, why it cannot be used, and the meaning of 0 and 1 if it is text with two values."""
    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    if not (column.notna() & numbers.isna()).any():
        return numbers.where(np.isfinite(numbers)), "", ""
    kinds = sorted(column.dropna().astype(str).unique())
    if len(kinds) == 1:
        return numbers, "it does not vary", ""
    if len(kinds) != 2:
        return numbers, "it is text with more than two values, which have no order", ""
    values = column.astype("string").map({kinds[0]: 0.0, kinds[1]: 1.0}).astype(float)
    return values, "", f"0 = {kinds[0]}, 1 = {kinds[1]}"


def kind_of(values: ArrayLike) -> str:
    """Return ``binary``, ``ordinal`` (integers, at most ten distinct) or ``continuous``."""
    distinct = np.unique(np.asarray(values, dtype=np.float64))
    if len(distinct) == 2:
        return "binary"
    return "ordinal" if len(distinct) <= _MOST_LEVELS and bool((distinct % 1 == 0).all()) else "continuous"


def adjusted(p: pd.Series) -> pd.Series:
    """Return Benjamini-Hochberg q values of the p values that are defined."""
    q = pd.Series(np.nan, p.index, dtype=float)
    known = p.notna()
    if known.any():
        q[known] = stats.false_discovery_control(p[known].to_numpy(float), method="bh")
    return q


def _columns(suffix: str, estimate: Estimate, p: float | None) -> dict[str, object]:
    return {
        f"r{suffix}": estimate.value,
        f"r{suffix}_low": estimate.low,
        f"r{suffix}_high": estimate.high,
        f"p{suffix}": p,
    }


class _Participants:
    """Gaps and covariates as arrays: a table of thousands of columns takes long to filter once per variable."""

    def __init__(self, rows: pd.DataFrame, fit: Correction | None = None) -> None:
        self._fit = fit
        self._age, self.gap = rows["age"].to_numpy(float), rows["bag"].to_numpy(float)
        self._corrected = rows["bag_corrected"].to_numpy(float) if "bag_corrected" in rows else None
        self._numbers = {name: coded(rows[name])[0].to_numpy(float) for name in ("sex", "head_motion") if name in rows}
        self._site: NDArray[np.intp] | None = None
        if "site" in rows:
            sites = rows["site"].astype("string").fillna("")
            self._site = np.unique(sites.to_numpy(str), return_inverse=True)[1]
        self.measured = ~(np.isnan(self._age) | np.isnan(self.gap))

    def row(self, variable: _Array, known: NDArray[np.bool_], name: str) -> tuple[dict[str, object], int]:
        """Return the correlations of a variable's known values with the gaps, and the number of covariates."""
        columns, names = self.covariates(known, without=name)
        gap = self.gap[known]
        r, n = pearson(gap, variable), len(variable)
        row = {"covariates": " ".join(names), **_columns("", correlation_estimate(r, n), correlation_p(r, n))}
        corrected = None if self._corrected is None else self._corrected[known]
        if corrected is not None and not np.isnan(corrected).any():
            row |= _columns("_corrected", *corrected_correlation(corrected, variable, self._age[known], self._fit))
        basis = covariate_basis(columns)
        return row | _columns("_partial", *partial_correlation(gap, variable, basis)), basis.shape[1] - 1

    def covariates(self, known: NDArray[np.bool_], *, without: str) -> tuple[_Array, list[str]]:
        """See `covariates`."""
        age = self._age[known]
        centred = age - age.mean()
        columns, names = [centred, centred**2], ["age", "age^2"]
        for name, every in self._numbers.items():
            values = every[known]
            missing = np.isnan(values)
            present = values[~missing]
            if name != without and present.size and np.ptp(present) > 0:
                columns.append(np.where(missing, present.mean(), values))
                if missing.any():
                    columns.append(missing.astype(float))
                names.append(name)
        if self._site is not None and without != "site":
            site = self._site[known]
            if len(present_sites := np.unique(site)) > 1:
                columns += [(site == one).astype(float) for one in present_sites[1:]]
                names.append("site")
        return np.stack(columns, axis=1), names


def covariates(participants: pd.DataFrame, *, without: str) -> tuple[_Array, list[str]]:
    """Return the covariates: age, age squared, and sex, head motion and site where they exist and vary.

    Parameters
    ----------
    participants : DataFrame
        One row per participant. No participant is lost to a missing covariate: the mean is imputed and an indicator
        column added; a missing site is a site of its own.
    without : str
        The variable itself, which is not adjusted for.

    Returns
    -------
    array of shape (n_participants, n_columns), list of str
        Columns without an intercept, and the names of the covariates.
    """
    return _Participants(participants).covariates(np.ones(len(participants), dtype=bool), without=without)


def adjusted_for_covariates(rows: pd.DataFrame, name: str, values: pd.Series) -> tuple[_Array, _Array] | None:
    """Return the known values of a variable and the gap, both adjusted for the covariates of its partial correlation.

    Parameters
    ----------
    rows : DataFrame
        See `associate`.
    name, values : str, Series
        The variable, and its values as numbers.

    Returns
    -------
    (array, array) of shape (n_known,), or None
        Their correlation is the partial correlation, where that is defined. The variable keeps its mean.
    """
    participants, numbers = _Participants(rows), values.to_numpy(float)
    known = participants.measured & ~np.isnan(numbers)
    basis = covariate_basis(participants.covariates(known, without=name)[0])
    left, gap = residuals(np.stack([numbers[known], participants.gap[known]]), basis)
    return (left + numbers[known].mean(), gap) if left.any() and gap.any() else None


def pearson(a: _Array, b: _Array) -> float:
    """Return Pearson's correlation; NaN where a variable does not vary."""
    x, y = a - a.mean(), b - b.mean()
    # A centred constant is rounding error, not exactly 0.
    if any(np.linalg.norm(rest) <= 1e-12 * np.linalg.norm(whole) for rest, whole in ((x, a), (y, b))):
        return float("nan")
    return float(np.clip(x @ y / (np.linalg.norm(x) * np.linalg.norm(y)), -1, 1))
