"""Associations of the brain-age gap with other variables: correlations and partial correlations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from brainage.evaluation.coding import categories_of, coded, kind_of
from brainage.evaluation.conformal import BOUNDS
from brainage.evaluation.corrected import corrected_correlation
from brainage.evaluation.covariates import Adjustment, Covariates
from brainage.evaluation.disclosure import MIN_SHOWN, may_describe
from brainage.evaluation.gap import Correction
from brainage.evaluation.intervals import Estimate, correlation_estimate, correlation_p
from brainage.evaluation.regression import covariate_basis, multiple_correlation, partial_correlation, residuals
from brainage.evaluation.shown_values import has_rare_level, withholds

COLUMNS = (
    "variable", "kind", "n", "r", "r_low", "r_high", "p", "r_corrected", "r_corrected_low", "r_corrected_high",
    "p_corrected", "r_partial", "r_partial_low", "r_partial_high", "p_partial", "q_partial", "covariates",
    "n_imputed", "n_complete", "r_complete", "r_complete_low", "r_complete_high", "p_complete", "family",
)  # fmt: skip

# Participants that a variable needs.
MIN_ROWS = 20

# Participants minus covariates that a partial correlation needs for p and interval.
MIN_FREEDOM = 4

# What disturbs predictions, and is related to the gap in rows of its own.
NUISANCE = ("head_motion", "site")

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
    nuisance : DataFrame
        The same columns for head motion and site, where they are known; without q.
    """

    table: pd.DataFrame
    left_out: dict[str, str] = field(default_factory=dict)
    flagged: dict[str, str] = field(default_factory=dict)
    coding: dict[str, str] = field(default_factory=dict)
    n_saturated: int = 0
    nuisance: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(COLUMNS)))


def variables_of(table: pd.DataFrame) -> list[str]:
    """Return the default variables: all phenotypes, and sex."""
    return [str(name) for name in table.columns if name not in STANDARD]


def associate(
    rows: pd.DataFrame,
    variables: Sequence[str],
    progress: Callable[[Sequence[str]], Iterable[str]] = iter,
    fit: Correction | None = None,
    covariates: Covariates | None = None,
    planned: Sequence[str] = (),
) -> Associations:
    """Correlate gaps with variables.

    Parameters
    ----------
    rows : DataFrame
        One row per participant: ``age``, ``bag``, optionally ``bag_corrected``, the variables and the covariates.
    variables : sequence of str
        Columns of `rows`.
    progress : callable
        Takes the variables and yields them, while it shows how many are done.
    fit : Correction or None
        See `brainage.evaluation.corrected.corrected_correlation`.
    covariates : Covariates or None
        Of these rows; None is the usual ones.
    planned : sequence of str
        Variables that were planned: these are a family, and all others are another.

    Returns
    -------
    Associations
        Pairwise complete: a missing value excludes a participant from that variable only. The partial correlation of
        the raw gap is adjusted for age, age squared and the covariates, and its interval and p hold where the gap's
        spread differs between participants (HC3); q is over the variables of a family (Benjamini-Hochberg). A variable
        with more than two categories has multiple correlations, which have no sign and no interval.

    References
    ----------
    Benjamini & Hochberg (1995), doi 10.1111/j.2517-6161.1995.tb02031.x.
    """
    found = _Participants(rows, covariates or Covariates(rows), fit)
    for name in progress(variables):
        found.add(name, rows[name])
    table = found.table(variables)
    table["family"] = np.where(table["variable"].isin(planned), "planned", "exploratory") if planned else ""
    table["q_partial"] = table.groupby("family", sort=False)["p_partial"].transform(adjusted)
    others = [name for name in NUISANCE if name in rows and name not in variables]
    result = Associations(table, {**found.left_out}, {**found.flagged}, {**found.coding}, found.n_saturated)
    for name in others:
        found.add(name, rows[name])
    return replace(result, nuisance=found.table(others))


def _unusable(values: _Array) -> str:
    """Return why the known values of a variable cannot be correlated, without a count, or an empty string."""
    if len(values) < MIN_ROWS:
        return f"fewer than {MIN_ROWS} participants have a value"
    if np.ptp(values) == 0:
        return "it does not vary"
    if withholds(values):
        return f"fewer than {MIN_SHOWN} participants have another value than the most common one"
    return ""


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

    def __init__(self, rows: pd.DataFrame, covariates: Covariates, fit: Correction | None) -> None:
        self._age, self._gap = rows["age"].to_numpy(float), rows["bag"].to_numpy(float)
        self._corrected = rows["bag_corrected"].to_numpy(float) if "bag_corrected" in rows else None
        self._covariates, self._fit = covariates, fit
        self._measured = ~(np.isnan(self._age) | np.isnan(self._gap))
        self._found: dict[str, dict[str, object]] = {}
        self.left_out: dict[str, str] = {}
        self.flagged: dict[str, str] = {}
        self.coding: dict[str, str] = {}
        self.n_saturated = 0

    def add(self, name: str, column: pd.Series) -> None:
        """Correlate a variable, or find why it cannot be."""
        text = categories_of(name, column)
        numbers, reason, meaning = coded(column) if text is None else (_codes(text, self._measured), "", "")
        known = self._measured & numbers.notna().to_numpy()
        values = numbers.to_numpy(float)[known]
        if reason := reason or _unusable(values):
            self.left_out[name] = reason
            return
        kind = kind_of(values) if text is None else "category"
        if meaning:
            self.coding[name] = meaning
        if kind not in ("continuous", "category") and has_rare_level(values):
            self.flagged[name] = f"fewer than {MIN_SHOWN} cases in a category"
        row = self._row(values if text is None else _indicators(values), known, name)
        self._found[name] = {"variable": name, "kind": kind, "n": len(values), **row}

    def table(self, names: Sequence[str]) -> pd.DataFrame:
        """Return the rows of these variables."""
        table = pd.DataFrame([self._found[name] for name in names if name in self._found], columns=list(COLUMNS))
        columns = [name for name in COLUMNS if name.startswith(("r", "p", "q"))]
        table[columns] = table[columns].astype(float)  # a column of missing values too
        return table

    def _row(self, variable: _Array, known: NDArray[np.bool_], name: str) -> dict[str, object]:
        """Return the correlations of a variable's known values with the gaps."""
        adjustment, gap = self._covariates.of(known, without=name), self._gap[known]
        basis = covariate_basis(adjustment.columns)
        self.n_saturated += len(gap) - (basis.shape[1] - 1) < MIN_FREEDOM
        row = {"covariates": " ".join(adjustment.names), **_columns("_partial", *_partial(gap, variable, basis))}
        if variable.ndim > 1:
            row |= _columns("", *multiple_correlation(gap, variable, covariate_basis(np.empty((len(gap), 0)))))
        else:
            r = pearson(gap, variable)
            row |= _columns("", correlation_estimate(r, len(gap)), correlation_p(r, len(gap)))
            corrected = None if self._corrected is None else self._corrected[known]
            if corrected is not None and not np.isnan(corrected).any():
                row |= _columns("_corrected", *corrected_correlation(corrected, variable, self._age[known], self._fit))
        return row | self._complete(variable, known, name, adjustment)

    def _complete(
        self, variable: _Array, known: NDArray[np.bool_], name: str, adjustment: Adjustment
    ) -> dict[str, object]:
        """Return the partial correlation in participants whose covariates are all known, if they may be described."""
        has_all = ~adjustment.missing
        n, n_complete = len(has_all), int(has_all.sum())
        row: dict[str, object] = {"n_imputed": n - n_complete, "n_complete": n_complete}
        if n_complete < MIN_ROWS or not may_describe(n_complete, n):
            return row
        complete = known.copy()
        complete[known] = has_all
        basis = covariate_basis(self._covariates.of(complete, without=name).columns)
        return row | _columns("_complete", *_partial(self._gap[complete], variable[has_all], basis))


def _partial(gap: _Array, variable: _Array, basis: _Array) -> tuple[Estimate, float | None]:
    return (partial_correlation if variable.ndim == 1 else multiple_correlation)(gap, variable, basis)


def _codes(text: pd.Series, measured: NDArray[np.bool_]) -> pd.Series:
    """Return categories as numbers in the order of their names, rare ones together."""
    counts = text[measured].value_counts()
    shown = counts.index[counts >= MIN_SHOWN]
    names = text.where(text.isna() | text.isin(shown), "other")
    return pd.Series(pd.factorize(names, sort=True)[0], text.index, dtype=float).where(names.notna())


def _indicators(codes: _Array) -> _Array:
    """Return one column per category but the first, of shape (n_participants, n_categories - 1)."""
    return np.asarray(codes[:, None] == np.unique(codes)[1:], dtype=np.float64)


def adjusted_for_covariates(
    rows: pd.DataFrame, name: str, values: pd.Series, covariates: Covariates
) -> tuple[_Array, _Array] | None:
    """Return the known values of a variable and the gap, both adjusted for the covariates of its partial correlation.

    Parameters
    ----------
    rows : DataFrame
        See `associate`.
    name, values : str, Series
        The variable, and its values as numbers.
    covariates : Covariates
        Of these rows.

    Returns
    -------
    (array, array) of shape (n_known,), or None
        Their correlation is the partial correlation, where that is defined. The variable keeps its mean.
    """
    numbers, gap = values.to_numpy(float), rows["bag"].to_numpy(float)
    known = ~(np.isnan(numbers) | np.isnan(gap) | rows["age"].isna().to_numpy())
    basis = covariate_basis(covariates.of(known, without=name).columns)
    left, of_gap = residuals(np.stack([numbers[known], gap[known]]), basis)
    return (left + numbers[known].mean(), of_gap) if left.any() and of_gap.any() else None


def pearson(a: _Array, b: _Array) -> float:
    """Return Pearson's correlation; NaN where a variable does not vary."""
    x, y = a - a.mean(), b - b.mean()
    # A centred constant is rounding error, not exactly 0.
    if any(np.linalg.norm(rest) <= 1e-12 * np.linalg.norm(whole) for rest, whole in ((x, a), (y, b))):
        return float("nan")
    return float(np.clip(x @ y / (np.linalg.norm(x) * np.linalg.norm(y)), -1, 1))
