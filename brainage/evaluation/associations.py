"""Associations of the brain-age gap with other variables: correlations and partial correlations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from brainage.evaluation.intervals import correlation_estimate, correlation_p

COLUMNS = (
    "variable", "kind", "n", "r", "r_low", "r_high", "p", "r_corrected", "r_corrected_low", "r_corrected_high",
    "p_corrected", "r_partial", "r_partial_low", "r_partial_high", "p_partial", "q_partial", "covariates",
)  # fmt: skip

# Participants that a variable needs; a category with fewer cases is flagged.
MIN_ROWS, MIN_CASES = 20, 10

# Integers with at most this many distinct values are ordinal.
_MOST_LEVELS = 10

# Columns that are not variables by default.
STANDARD = ("participant_id", "split", "age", "predicted_age", "bag", "bag_corrected", "site", "head_motion",
            "family_id", "true_gap", "table_row", "predicted_age_sd")  # fmt: skip

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
        Variables with a rare category, and its number of cases.
    coding : dict of str to str
        Meaning of 0 and 1 for variables that are text with two values.
    """

    table: pd.DataFrame
    left_out: dict[str, str] = field(default_factory=dict)
    flagged: dict[str, str] = field(default_factory=dict)
    coding: dict[str, str] = field(default_factory=dict)


def variables_of(table: pd.DataFrame) -> list[str]:
    """Return the default variables: all phenotypes, and sex."""
    return [str(name) for name in table.columns if name not in STANDARD]


def associate(rows: pd.DataFrame, variables: Sequence[str]) -> Associations:
    """Correlate gaps with variables.

    Parameters
    ----------
    rows : DataFrame
        One row per participant: ``age``, ``bag``, optionally ``bag_corrected``, the variables, and the covariates
        ``sex``, ``head_motion`` and ``site`` where available.
    variables : sequence of str
        Columns of `rows`.

    Returns
    -------
    Associations
        Pairwise complete: a missing value excludes a participant from that variable only. The partial correlation of
        the raw gap is adjusted for age, age squared and the covariates; q is over the variables (Benjamini-Hochberg).

    References
    ----------
    Benjamini & Hochberg (1995), doi 10.1111/j.2517-6161.1995.tb02031.x.
    """
    found, left_out, flagged, coding = [], {}, {}, {}
    for name in variables:
        values, reason, meaning = coded(rows[name])
        known = values.notna() & rows["age"].notna() & rows["bag"].notna()
        participants, values = rows[known], values[known]
        if reason or len(participants) < MIN_ROWS:
            left_out[name] = reason or f"{len(participants)} participants have a value, and {MIN_ROWS} are needed"
        elif values.nunique() < 2:
            left_out[name] = "it does not vary"
        else:
            kind = kind_of(values)
            if meaning:
                coding[name] = meaning
            fewest = int(values.value_counts().min())
            if kind != "continuous" and fewest < MIN_CASES:
                flagged[name] = f"{fewest} {'case' if fewest == 1 else 'cases'} in its rarest category"
            found.append({"variable": name, "kind": kind, "n": len(participants), **_row(participants, values, name)})
    table = pd.DataFrame(found, columns=list(COLUMNS))
    numbers = [name for name in COLUMNS if name.startswith(("r", "p"))]
    table[numbers] = table[numbers].astype(float)  # a column of missing values too
    table["q_partial"] = adjusted(table["p_partial"])
    return Associations(table, left_out, flagged, coding)


def coded(column: pd.Series) -> tuple[pd.Series, str, str]:
    """Return a column as numbers, why it cannot be used, and the meaning of 0 and 1 if it is text with two values."""
    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    if not (column.notna() & numbers.isna()).any():
        return numbers.where(np.isfinite(numbers)), "", ""
    kinds = sorted(column.dropna().astype(str).unique())
    if len(kinds) == 1:
        return numbers, "it does not vary", ""
    if len(kinds) != 2:
        return numbers, f"it is text with {len(kinds)} values, which have no order", ""
    values = column.astype("string").map({kinds[0]: 0.0, kinds[1]: 1.0}).astype(float)
    return values, "", f"0 = {kinds[0]}, 1 = {kinds[1]}"


def kind_of(values: pd.Series) -> str:
    """Return ``binary``, ``ordinal`` (integers, at most ten distinct) or ``continuous``."""
    distinct = np.unique(values.to_numpy(float))
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


def _row(participants: pd.DataFrame, values: pd.Series, name: str) -> dict[str, object]:
    variable, n = values.to_numpy(float), len(values)
    columns, names = covariates(participants, without=name)
    gap = participants["bag"].to_numpy(float)
    row = {"covariates": " ".join(names), **_columns("", pearson(gap, variable), n)}
    corrected = participants.get("bag_corrected")
    if corrected is not None and corrected.notna().all():
        row |= _columns("_corrected", pearson(corrected.to_numpy(float), variable), n)
    r, n_covariates = partial_correlation(gap, variable, columns)
    return row | _columns("_partial", r, n, n_covariates)


def _columns(suffix: str, r: float, n: int, n_covariates: int = 0) -> dict[str, object]:
    estimate = correlation_estimate(r, n, n_covariates)
    return {
        f"r{suffix}": estimate.value,
        f"r{suffix}_low": estimate.low,
        f"r{suffix}_high": estimate.high,
        f"p{suffix}": correlation_p(r, n, n_covariates),
    }


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
    age = participants["age"].to_numpy(float)
    centred = age - age.mean()
    columns, names = [centred, centred**2], ["age", "age^2"]
    for name in ("sex", "head_motion"):
        if name in participants and name != without and participants[name].nunique() > 1:
            values = participants[name].to_numpy(float)
            missing = np.isnan(values)
            columns.append(np.where(missing, np.nanmean(values), values))
            if missing.any():
                columns.append(missing.astype(float))
            names.append(name)
    if "site" in participants and without != "site":
        sites = participants["site"].astype("string").fillna("")
        if sites.nunique() > 1:
            columns += [(sites == site).to_numpy(float) for site in sorted(sites.unique())[1:]]
            names.append("site")
    return np.stack(columns, axis=1), names


def partial_correlation(a: _Array, b: _Array, covariates: _Array) -> tuple[float, int]:
    """Correlate the residuals of two variables after regression on covariates.

    Parameters
    ----------
    a, b : array of shape (n_participants,)
        The variables.
    covariates : array of shape (n_participants, n_columns)
        The covariates, without an intercept.

    Returns
    -------
    float, int
        The partial correlation, NaN where a residual is zero, and the number of linearly independent covariates.
    """
    design = np.column_stack([np.ones(len(a)), covariates])
    scale = np.abs(design).max(axis=0)
    basis, strengths, _ = np.linalg.svd(design / np.where(scale > 0, scale, 1), full_matrices=False)
    basis = basis[:, strengths > 1e-10 * strengths[0]]
    residuals = [values - basis @ (basis.T @ values) for values in (a - a.mean(), b - b.mean())]
    totals = [np.linalg.norm(values - values.mean()) for values in (a, b)]
    if any(np.linalg.norm(rest) <= 1e-8 * total for rest, total in zip(residuals, totals, strict=True)):
        return float("nan"), basis.shape[1] - 1
    return pearson(*residuals), basis.shape[1] - 1


def pearson(a: _Array, b: _Array) -> float:
    """Return Pearson's correlation; NaN where a variable does not vary."""
    x, y = a - a.mean(), b - b.mean()
    # A centred constant is rounding error, not exactly 0.
    if any(np.linalg.norm(rest) <= 1e-12 * np.linalg.norm(whole) for rest, whole in ((x, a), (y, b))):
        return float("nan")
    return float(np.clip(x @ y / (np.linalg.norm(x) * np.linalg.norm(y)), -1, 1))
