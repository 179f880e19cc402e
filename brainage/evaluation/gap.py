"""The brain-age gap (BAG), and its correction for the dependence on age."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.errors import EvaluationError

METHODS = ("linear", "cole", "crossfit", "in_sample", "none")

# Participants needed for a fit; on validation participants, where fewer leave a trend with age; and for cross-fitting.
MIN_FITTED = 20
MIN_VALIDATION = 100
MIN_CROSSFITTED = 30

# Dividing by a smaller slope amplifies noise; by a negative one it turns the gap round.
_MIN_SLOPE = 0.05

# Corrected gaps smaller than this, in years, are rounding error.
_ROUNDING = 1e-9

# A participant who alone decides the slope has no residual.
_NO_LEVERAGE = 1e-10

# Parts of cross-fitting, where the rows have no folds of their own.
_N_FOLDS = 10
_WITHOUT = " without "
VALIDATION, HELD_OUT, ANALYSED = "validation", "held-out", "the analysed rows"

# What helps where there are too few participants for a fit, by method.
_CROSSFIT = (
    f"Use gap_correction=crossfit, which is fitted on all held-out participants, {MIN_CROSSFITTED} or more (with "
    "split=kfold those of all folds), or none."
)
_STEPS = {
    "linear": _CROSSFIT,
    "cole": _CROSSFIT,
    "crossfit": "The report of all folds of split=kfold is fitted on all participants; or use gap_correction=none.",
}

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Correction:
    """A fitted correction of the gap.

    Parameters
    ----------
    method : {"linear", "cole", "crossfit", "in_sample"}
        ``linear``, ``crossfit`` and ``in_sample``: gap = intercept + slope * age is subtracted. ``cole``: predicted
        age = intercept + slope * age is inverted.
    intercept : float
        In years.
    slope : float
        In years per year.
    n : int
        Number of fitted participants.
    fitted_on : str
        Name of the fitted rows.
    slope_se : float or None
        Standard error of the slope (HC3), in years per year; None in bundles of earlier versions.
    people : str
        Hash of the fitted ids: shows whether two fits used the same participants. It is not written: a guess could be
        compared with it. Files have its keyed hash.

    References
    ----------
    linear, crossfit: Beheshti et al. (2019), doi 10.1016/j.nicl.2019.102063; de Lange & Cole (2020), doi
    10.1016/j.nicl.2020.102229. cole: Cole et al. (2018), doi 10.1038/mp.2017.62.
    """

    method: str
    intercept: float
    slope: float
    n: int
    fitted_on: str
    people: str
    slope_se: float | None = None

    @property
    def is_part(self) -> bool:
        """Whether it was fitted in cross-fitting, without one part of the rows."""
        return _WITHOUT in self.fitted_on

    def gap(self, age: _Array, predicted: _Array) -> _Array:
        """Return corrected gaps, in years."""
        if self.method == "cole":
            return (predicted - self.intercept) / self.slope - age
        return predicted - age - (self.intercept + self.slope * age)


def fit_correction(method: str, participants: pd.DataFrame, fitted_on: str) -> Correction:
    """Fit a correction.

    Parameters
    ----------
    method : {"linear", "cole", "crossfit", "in_sample"}
        See `Correction`.
    participants : DataFrame
        ``participant_id``, ``age`` and ``predicted_age`` of the fitted rows.
    fitted_on : str
        Name of these rows.

    Raises
    ------
    EvaluationError
        Too few rows, all of the same age, or a slope too small or negative for ``cole``.
    """
    age, predicted = participants["age"].to_numpy(float), participants["predicted_age"].to_numpy(float)
    least = {HELD_OUT: MIN_CROSSFITTED, VALIDATION: MIN_VALIDATION}.get(fitted_on, MIN_FITTED)
    if len(participants) < least or np.ptp(age) == 0:
        step = _STEPS.get(method, "Use gap_correction=none, or more participants.")
        raise EvaluationError(
            f"`gap_correction={method}` needs {least} participants of different ages in the fitted rows "
            f"({fitted_on}), but there are {len(participants)}. {step}"
        )
    target = predicted if method == "cole" else predicted - age
    centred = age - age.mean()
    slope = float(centred @ (target - target.mean()) / (centred @ centred))
    if method == "cole" and slope < _MIN_SLOPE:
        fall = "fall with age" if slope <= -_MIN_SLOPE else "hardly depend on age"
        raise EvaluationError(
            f"`gap_correction=cole` divides by the slope of predicted on true age, which must be at least "
            f"{_MIN_SLOPE}, but is {slope:.3f}: predictions {fall}. Use gap_correction=linear."
        )
    intercept = float(target.mean() - slope * age.mean())
    digest = hashlib.sha256("\n".join(sorted(map(str, participants["participant_id"]))).encode()).hexdigest()
    free = 1 - 1 / len(age) - centred**2 / (centred @ centred)
    errors = np.divide(target - intercept - slope * age, free, out=np.zeros_like(age), where=free > _NO_LEVERAGE)
    slope_se = float(np.linalg.norm(centred * errors) / (centred @ centred))
    return Correction(method, intercept, slope, len(participants), fitted_on, digest[:16], slope_se)


def corrected_gaps(rows: pd.DataFrame, fitted: pd.DataFrame, method: str) -> tuple[pd.Series, list[Correction]]:
    """Correct gaps with a fit on other participants (except ``in_sample``).

    Parameters
    ----------
    rows : DataFrame
        The rows to correct: ``participant_id``, ``split``, ``age``, ``predicted_age``.
    fitted : DataFrame
        The rows that are fitted: for ``linear`` and ``cole`` the validation rows, for ``crossfit`` those of `held_out`.
        For ``in_sample`` those among `rows`, such as a reference group; without any, all `rows`.
    method : {"linear", "cole", "crossfit", "in_sample", "none"}
        See `Correction`.

    Returns
    -------
    Series, list of Correction
        Corrected gaps, in years, by the index of `rows` (NaN with ``none``), and the fits. Fitted rows among `rows`
        are corrected by 10-fold cross-fitting.

    Raises
    ------
    EvaluationError
        See `fit_correction`; or there are no rows to fit on.
    """
    age, predicted = rows["age"].to_numpy(float), rows["predicted_age"].to_numpy(float)
    if method == "none":
        return pd.Series(np.nan, rows.index), []
    if method == "in_sample":
        some = rows[rows["participant_id"].isin(fitted["participant_id"])]
        whole = some.empty or len(some) == len(rows)
        fit = fit_correction(method, *((rows, ANALYSED) if whole else (some, f"the reference group of {ANALYSED}")))
        return _without_rounding(pd.Series(fit.gap(age, predicted), rows.index)), [fit]
    if fitted.empty and method != "crossfit":
        raise EvaluationError(
            f"`gap_correction={method}` is fitted on validation rows (`split` is `val`), but there are none. Use "
            "gap_correction=in_sample, which removes the trend of the analysed rows themselves, or none."
        )
    fit = fit_correction(method, fitted, HELD_OUT if method == "crossfit" else VALIDATION)
    corrected = pd.Series(fit.gap(age, predicted), rows.index)
    # Any other overlap is an error, see `refuse_shared`.
    shared = rows["participant_id"].isin(fitted["participant_id"]) & rows["split"].isin(fitted["split"].unique())
    refuse_shared(fit, rows[~shared], fitted)
    crossed, fits = _cross_fitted(fit, fitted, _folds(rows[shared], fitted))
    corrected.update(crossed)
    return _without_rounding(corrected), [fit, *fits]


def corrected_across_folds(
    pooled: pd.DataFrame, folds: pd.Series, is_fitted: NDArray[np.bool_] | None = None
) -> tuple[pd.Series, list[Correction]]:
    """Correct the gaps of each fold's participants by a fit on the participants of the other folds (``crossfit``).

    Parameters
    ----------
    pooled : DataFrame
        ``participant_id``, ``age`` and ``predicted_age`` of all participants, each predicted by a network that was
        not trained on them.
    folds : Series
        The fold of each row. Networks of different folds are taken to depend on age in the same way.
    is_fitted : array of bool of shape (n_participants,), optional
        Whose gaps are fitted, by default all: those of a reference group.

    Returns
    -------
    Series, list of Correction
        Corrected gaps, in years, by the index of `pooled`, and the fits: of all participants, and without each fold.

    Raises
    ------
    EvaluationError
        See `fit_correction`.
    """
    fitted = pooled if is_fitted is None else pooled[is_fitted]
    fit = fit_correction("crossfit", fitted, HELD_OUT)
    corrected, fits = _cross_fitted(fit, fitted, {str(fold): part for fold, part in pooled.groupby(folds, sort=False)})
    return _without_rounding(corrected.reindex(pooled.index)), [fit, *fits]


def held_out(table: pd.DataFrame) -> pd.DataFrame:
    """Return validation and test rows, which ``crossfit`` is fitted on; all rows where `split` is empty."""
    return table[table["split"].isin(("val", "test"))] if has_labels(table) else table


def _cross_fitted(
    whole: Correction, fitted: pd.DataFrame, parts: Mapping[str, pd.DataFrame]
) -> tuple[pd.Series, list[Correction]]:
    """Correct each part by a fit like `whole`, but without that part."""
    gaps, fits = [pd.Series(dtype=float)], []
    for name, part in parts.items():
        others = fitted[~fitted["participant_id"].isin(part["participant_id"])]
        fit = fit_correction(whole.method, others, f"{whole.fitted_on}{_WITHOUT}{name}")
        gaps.append(pd.Series(fit.gap(part["age"].to_numpy(float), part["predicted_age"].to_numpy(float)), part.index))
        fits.append(fit)
    return pd.concat(gaps[1:] or gaps), fits


def _without_rounding(corrected: pd.Series) -> pd.Series:
    """Return exactly 0 where only rounding error remains, as for the mean predictor, whose gap is linear in age."""
    return corrected.mask(corrected.abs() <= _ROUNDING, 0.0)


def refuse_shared(fit: Correction, rows: pd.DataFrame, fitted: pd.DataFrame) -> None:
    """Raise if a fit corrects participants on whom it was fitted, unless it is ``in_sample``."""
    n_shared = int(rows["participant_id"].isin(fitted["participant_id"]).sum())
    if n_shared and fit.method != "in_sample":
        raise EvaluationError(
            f"`gap_correction={fit.method}` must be fitted on other participants than it corrects, but {n_shared} "
            f"of {len(rows)} are in both. Use gap_correction=in_sample, or correct the column `split`."
        )


def _folds(rows: pd.DataFrame, fitted: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Deal rows into parts by age rank, so that each covers the whole age range; return them by name."""
    ranked = fitted.sort_values(["age", "participant_id"])["participant_id"]
    fold_of = pd.Series(np.arange(len(ranked)) % _N_FOLDS, index=ranked)
    parts = [part for _, part in rows.groupby(rows["participant_id"].map(fold_of))]
    return {f"part {number}": part for number, part in enumerate(parts, start=1)}


def rows_of(table: pd.DataFrame, choice: str) -> pd.DataFrame:
    """Return the analysed rows for ``associations.rows`` ("test", "val+test" or "all"); all where `split` is empty."""
    if choice == "all" or not has_labels(table):
        return table
    return table[table["split"].isin(choice.split("+"))]


def has_labels(table: pd.DataFrame) -> bool:
    """Return whether any row has a part of the split."""
    return "split" in table and bool(table["split"].notna().any())
