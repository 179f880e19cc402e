"""What the brain-age gap goes along with: correlations and partial correlations, a row a variable."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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

# Participants that a variable needs, and cases in each of its categories below which it is flagged.
MIN_ROWS, MIN_CASES = 20, 10

# Whole numbers of at most this many values are ordinal.
_MOST_LEVELS = 10

# Columns that are not variables on their own.
STANDARD = ("participant_id", "split", "age", "predicted_age", "bag", "bag_corrected", "site", "head_motion",
            "family_id", "true_gap", "table_row", "predicted_age_sd")  # fmt: skip

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Associations:
    """What was found.

    Parameters
    ----------
    table : DataFrame
        The columns of `COLUMNS`, a row a variable, in the order of the table that they came from.
    left_out : dict of str to str
        Variables that could not be used, and why.
    flagged : dict of str to str
        Variables of which few people have a value, and how many.
    coding : dict of str to str
        What 0 and 1 stand for, of variables that are texts of two kinds.
    """

    table: pd.DataFrame
    left_out: dict[str, str] = field(default_factory=dict)
    flagged: dict[str, str] = field(default_factory=dict)
    coding: dict[str, str] = field(default_factory=dict)


def variables_of(table: pd.DataFrame) -> list[str]:
    """Return the columns that are variables when none are named: phenotypes and sex."""
    return [str(name) for name in table.columns if name not in STANDARD]


def associate(rows: pd.DataFrame, variables: Sequence[str]) -> Associations:
    """Correlate gaps with variables.

    Parameters
    ----------
    rows : DataFrame
        A row a participant: ``age``, ``bag``, perhaps ``bag_corrected``, the variables, and of the covariates ``sex``,
        ``head_motion`` and ``site`` those that exist.
    variables : sequence of str
        Columns of `rows`.

    Returns
    -------
    Associations
        Pairwise complete: a missing value takes a person out of that variable's row only. The partial correlation of
        the raw gap holds age, age squared and the covariates constant; q is over the variables (Benjamini & Hochberg).

    References
    ----------
    Benjamini & Hochberg (1995), doi 10.1111/j.2517-6161.1995.tb02031.x.
    """
    found, left_out, flagged, coding = [], {}, {}, {}
    for name in variables:
        values, reason = coded(rows[name])
        known = values.notna() & rows["age"].notna() & rows["bag"].notna()
        people, values = rows[known], values[known]
        if reason or len(people) < MIN_ROWS:
            left_out[name] = reason or f"{len(people)} participants have a value, and {MIN_ROWS} are needed"
        elif values.nunique() < 2:
            left_out[name] = "it does not vary"
        else:
            kind = kind_of(values)
            if text := coding_of(rows[name]):
                coding[name] = text
            fewest = int(values.value_counts().min())
            if kind != "continuous" and fewest < MIN_CASES:
                flagged[name] = f"{fewest} {'case' if fewest == 1 else 'cases'} in the rarest of its categories"
            found.append({"variable": name, "kind": kind, "n": len(people), **_row(people, values, name)})
    table = pd.DataFrame(found, columns=list(COLUMNS))
    numbers = [name for name in COLUMNS if name.startswith(("r", "p"))]
    table[numbers] = table[numbers].astype(float)  # also where all are missing
    table["q_partial"] = adjusted(table["p_partial"])
    return Associations(table, left_out, flagged, coding)


def coded(column: pd.Series) -> tuple[pd.Series, str]:
    """Return a column as numbers, and why it cannot be taken as such.

    Parameters
    ----------
    column : Series
        Numbers; truth values; or texts of two kinds, which become 0 and 1 in the order of the alphabet.
    """
    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    texts = column[column.notna() & numbers.isna()]
    if texts.empty:
        return numbers.where(np.isfinite(numbers)), ""
    kinds = sorted(column.dropna().astype(str).unique())
    if len(kinds) == 1:
        return numbers, "it does not vary"
    if len(kinds) != 2:
        return numbers, f"it has {len(kinds)} kinds of text, which have no order"
    return column.astype("string").map({kinds[0]: 0.0, kinds[1]: 1.0}).astype(float), ""


def coding_of(column: pd.Series) -> str:
    """Return what 0 and 1 stand for where a column is texts of two kinds; else nothing."""
    if (pd.to_numeric(column, errors="coerce").notna() | column.isna()).all():
        return ""
    kinds = sorted(column.dropna().astype(str).unique())
    return f"0 = {kinds[0]}, 1 = {kinds[1]}" if len(kinds) == 2 else ""


def kind_of(values: pd.Series) -> str:
    """Return ``binary``, ``ordinal`` (whole numbers, at most ten of them) or ``continuous``."""
    distinct = np.unique(values.to_numpy(float))
    if len(distinct) == 2:
        return "binary"
    return "ordinal" if len(distinct) <= _MOST_LEVELS and bool((distinct % 1 == 0).all()) else "continuous"


def adjusted(p: pd.Series) -> pd.Series:
    """Return Benjamini-Hochberg q values of those p that exist."""
    q = pd.Series(np.nan, p.index, dtype=float)
    known = p.notna()
    if known.any():
        q[known] = stats.false_discovery_control(p[known].to_numpy(float), method="bh")
    return q


def _row(people: pd.DataFrame, values: pd.Series, name: str) -> dict[str, object]:
    variable, n = values.to_numpy(float), len(values)
    held, names = covariates(people, without=name)
    gap = people["bag"].to_numpy(float)
    row: dict[str, object] = {"covariates": " ".join(names)}
    row.update(_columns("", pearson(gap, variable), n))
    corrected = people.get("bag_corrected")
    if corrected is not None and corrected.notna().all():
        row.update(_columns("_corrected", pearson(corrected.to_numpy(float), variable), n))
    r, n_held = partial_correlation(gap, variable, held)
    row.update(_columns("_partial", r, n, n_held))
    return row


def _columns(suffix: str, r: float, n: int, n_held: int = 0) -> dict[str, object]:
    estimate = correlation_estimate(r, n, n_held)
    return {
        f"r{suffix}": estimate.value,
        f"r{suffix}_low": estimate.low,
        f"r{suffix}_high": estimate.high,
        f"p{suffix}": correlation_p(r, n, n_held),
    }


def covariates(people: pd.DataFrame, *, without: str) -> tuple[_Array, list[str]]:
    """Return what is held constant: age, age squared, and of sex, head motion and site those that exist and vary.

    Parameters
    ----------
    people : DataFrame
        A row a participant. A missing value becomes the mean, beside a column that says that it was missing; a missing
        site is a site of its own. So no one is lost for a covariate's sake.
    without : str
        The variable itself, which is not held constant.

    Returns
    -------
    array of shape (n_participants, n_columns), list of str
        Columns without an intercept, and the names of what they stand for.
    """
    age = people["age"].to_numpy(float)
    centred = age - age.mean()
    columns, names = [centred, centred**2], ["age", "age^2"]
    for name in ("sex", "head_motion"):
        if name in people and name != without and people[name].nunique() > 1:
            values = people[name].to_numpy(float)
            missing = np.isnan(values)
            columns.append(np.where(missing, np.nanmean(values), values))
            if missing.any():
                columns.append(missing.astype(float))
            names.append(name)
    if "site" in people and without != "site":
        sites = people["site"].astype("string").fillna("")
        if sites.nunique() > 1:
            columns += [(sites == site).to_numpy(float) for site in sorted(sites.unique())[1:]]
            names.append("site")
    return np.stack(columns, axis=1), names


def partial_correlation(a: _Array, b: _Array, held: _Array) -> tuple[float, int]:
    """Correlate what is left of two variables once others are held constant.

    Parameters
    ----------
    a, b : array of shape (n_participants,)
        The variables.
    held : array of shape (n_participants, n_columns)
        What is held constant, beside an intercept.

    Returns
    -------
    float, int
        The partial correlation, NaN where nothing is left, and the number of independent columns that were held.
    """
    design = np.column_stack([np.ones(len(a)), held])
    scale = np.abs(design).max(axis=0)
    basis, strengths, _ = np.linalg.svd(design / np.where(scale > 0, scale, 1), full_matrices=False)
    basis = basis[:, strengths > 1e-10 * strengths[0]]
    rest = [values - basis @ (basis.T @ values) for values in (a - a.mean(), b - b.mean())]
    whole = [np.linalg.norm(values - values.mean()) for values in (a, b)]
    if any(np.linalg.norm(left) <= 1e-8 * all_ for left, all_ in zip(rest, whole, strict=True)):
        return float("nan"), basis.shape[1] - 1
    return pearson(*rest), basis.shape[1] - 1


def pearson(a: _Array, b: _Array) -> float:
    """Return Pearson's correlation; NaN where one does not vary."""
    x, y = a - a.mean(), b - b.mean()
    # What is left of a constant is rounding.
    if any(np.linalg.norm(rest) <= 1e-12 * np.linalg.norm(whole) for rest, whole in ((x, a), (y, b))):
        return float("nan")
    return float(np.clip(x @ y / (np.linalg.norm(x) * np.linalg.norm(y)), -1, 1))


def names_of(variables: Iterable[str]) -> str:
    """Return variables as a list in a sentence."""
    return ", ".join(f"`{name}`" for name in variables)
