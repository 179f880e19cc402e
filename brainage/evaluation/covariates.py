"""Covariates of partial correlations: age, sex, head motion, site, and what a study chooses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.evaluation.coding import categories_of, coded

# Covariates besides age and age squared, where they are known, unless a study chooses others.
USUAL = ("sex", "head_motion", "site")

# Knots of a restricted cubic spline, in percent, and participants that it needs.
_KNOTS = (5, 35, 65, 95)
_MIN_SPLINE = 50

_Array = NDArray[np.float64]
_Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Adjustment:
    """Covariates of some participants.

    Parameters
    ----------
    columns : array of shape (n_participants, n_columns)
        Without an intercept; where a covariate is missing its mean is imputed, and an indicator column added.
    names : list of str
        What was adjusted for.
    missing : array of shape (n_participants,)
        Whether any of a participant's covariates is missing.
    """

    columns: _Array
    names: list[str]
    missing: _Mask


class Covariates:
    """Covariates of all participants as arrays: filtering a table of thousands of columns per variable takes long.

    Parameters
    ----------
    rows : DataFrame
        One row per participant, with ``age``.
    chosen : sequence of str or None
        Columns besides age; None is `USUAL`, where the columns exist.
    more : sequence of str
        Further columns.
    flexible : bool
        Whether sex has a term that depends on age, and head motion is a spline of its logarithm.
    """

    def __init__(
        self,
        rows: pd.DataFrame,
        chosen: Sequence[str] | None = None,
        more: Sequence[str] = (),
        *,
        flexible: bool = True,
    ) -> None:
        self._age, self._flexible = rows["age"].to_numpy(float), flexible
        names = dict.fromkeys([*(USUAL if chosen is None else chosen), *more])
        self._numbers: dict[str, _Array] = {}
        self._levels: dict[str, NDArray[np.intp]] = {}
        self.unusable: dict[str, str] = {}
        for name in (name for name in names if name in rows and name != "age"):
            text = rows["site"].astype("string") if name == "site" else categories_of(name, rows[name])
            if text is None:
                values, reason, _ = coded(rows[name])
                self._numbers[name] = values.to_numpy(float)
                self.unusable |= {name: reason} if reason else {}
            else:
                self._levels[name] = pd.factorize(text, sort=True)[0] + 1  # missing is a category of its own, the first

    def of(self, known: _Mask, *, without: str = "") -> Adjustment:
        """Return the covariates of some participants that vary, but for the variable itself."""
        age = self._age[known] - self._age[known].mean()
        columns, names, missing = [age, age**2], ["age", "age^2"], np.zeros(len(age), dtype=bool)
        for name in (name for name in self._numbers if name != without):
            values = self._numbers[name][known]
            present = ~np.isnan(values)
            if not present.any() or np.ptp(values[present]) == 0:
                continue
            terms, words = [values[present]], [name]
            if self._flexible:
                terms, words = _terms(name, values[present], age[present])
            for term in terms:
                filled = np.full(len(values), term.mean())
                filled[present] = term
                columns.append(filled)
            names += words
            if not present.all():
                columns.append((~present).astype(float))
                missing |= ~present
        for name in (name for name in self._levels if name != without):
            codes = self._levels[name][known]
            if len(levels := np.unique(codes)) > 1:
                columns += [(codes == level).astype(float) for level in levels[1:]]
                names.append(name)
                missing |= codes == 0
        return Adjustment(np.stack(columns, axis=1), names, missing)


def _terms(name: str, values: _Array, age: _Array) -> tuple[list[_Array], list[str]]:
    """Return the columns of a covariate that is a number, and their names."""
    if name == "sex":
        return [values, (values - values.mean()) * (age - age.mean())], ["sex", "sex:age"]
    if name != "head_motion":
        return [values], [name]
    is_log = bool(values.min() > 0)
    terms = spline(np.log(values) if is_log else values)
    word = f"log({name})" if is_log else name
    return terms, [f"spline({word})" if len(terms) > 1 else word]


def spline(values: _Array) -> list[_Array]:
    """Return the columns of a restricted cubic spline, or the values alone for fewer than 50 participants.

    References
    ----------
    Harrell (2015), Regression modeling strategies, doi 10.1007/978-3-319-19425-7.
    """
    knots = np.percentile(values, _KNOTS)
    if len(values) < _MIN_SPLINE or (np.diff(knots) <= 0).any():
        return [values]
    *first, before, last = knots
    cubes = (values[:, None] - knots).clip(0) ** 3 / (last - knots[0]) ** 2
    bent = [
        cubes[:, place] - (cubes[:, -2] * (last - knot) - cubes[:, -1] * (before - knot)) / (last - before)
        for place, knot in enumerate(first)
    ]
    return [values, *bent]
