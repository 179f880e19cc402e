"""Prediction intervals of trained networks: fitted on their runs' predictions, stored in bundles, applied to others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.config.rules import is_number
from brainage.errors import EvaluationError
from brainage.evaluation.conformal import Conformal, Intervals, fit_conformal

if TYPE_CHECKING:
    from brainage.config.groups.output import IntervalsConfig
    from brainage.trained.network import Trained, TrainedStack

# Fitted intervals, or why there are none.
Fitted = Conformal | str

UNKNOWN = "Its files have none: an earlier version wrote them, or they were made from a published checkpoint."

# Predicted ages at which a bundle may have widths.
_MOST = 1000


def fitted_intervals(predictions: pd.DataFrame, settings: IntervalsConfig) -> Fitted:
    """Fit intervals to a run's validation rows; or, if it has none, to the out-of-fold rows of a stack of folds."""
    validation = predictions[predictions["split"] == "val"]
    rows = validation if len(validation) else predictions[predictions["split"] == "test"]
    try:
        return fit_conformal(rows["age"], rows["predicted_age"], level=settings.level, kind=settings.kind)
    except EvaluationError as error:
        return str(error)


def manifest_of(fitted: Fitted) -> dict[str, Any]:
    """Return plain values for a bundle."""
    return {"intervals": fitted if isinstance(fitted, str) else asdict(fitted)}


def read_intervals(manifest: Mapping[str, Any]) -> Fitted:
    """Return what `manifest_of` wrote; raise a ValueError, KeyError or TypeError for anything else."""
    plain = manifest.get("intervals", UNKNOWN)
    if isinstance(plain, str):
        return plain
    fit = Conformal(**{one.name: plain[one.name] for one in fields(Conformal)})
    for knots in (fit.predicted, fit.half_widths):
        if not isinstance(knots, list) or not 0 < len(knots) <= _MOST or not all(map(is_number, knots)):
            raise ValueError("intervals")
    if len(fit.predicted) != len(fit.half_widths) or np.any(np.diff(fit.predicted) < 0) or min(fit.half_widths) < 0:
        raise ValueError("intervals")
    if fit.kind not in ("adaptive", "symmetric") or type(fit.n) is not int or not is_number(fit.level):
        raise ValueError("intervals")
    return Conformal(fit.kind, float(fit.level), fit.n, tuple(fit.predicted), tuple(fit.half_widths))


def intervals_of(networks: Sequence[Trained], stack: TrainedStack | None, table: pd.DataFrame) -> Intervals:
    """Return the intervals of predicted ages, of participants who were neither trained nor validated on.

    Those of the mean of several runs are fitted on the validation participants that they share.

    Parameters
    ----------
    networks, stack
        Networks, and their stack, if any.
    table : DataFrame
        ``predicted_age`` and ``split``.
    """
    fitted = _shared_fit(networks) if stack is None and len(networks) > 1 else (stack or networks[0]).intervals
    if isinstance(fitted, str):
        return Intervals(reason=fitted)
    new = table[~table["split"].isin(["train", "val"])]
    return Intervals(fitted.bounds(new["predicted_age"]).set_index(new.index), [fitted])


def _shared_fit(networks: Sequence[Trained]) -> Fitted:
    """Fit intervals to the mean of what runs predict of the validation participants that all of them have."""
    own = [one.own_predictions for one in networks]
    fits = [one.intervals for one in networks]
    if reasons := [fit for fit in fits if isinstance(fit, str)]:
        return reasons[0]
    known = [fit for fit in fits if isinstance(fit, Conformal)]
    tables = [table[table["split"] == "val"].set_index("participant_id") for table in own if table is not None]
    if len(tables) < len(networks) or len({fit.level for fit in known}) > 1:
        return (
            "The mean of several networks has intervals where all are runs with one intervals.level, whose validation "
            "participants are known. Predict with runs, one bundle, or a stack."
        )
    shared = sorted(set.intersection(*(set(table.index) for table in tables)))
    mean: NDArray[np.float64] = np.mean([table.loc[shared, "predicted_age"] for table in tables], axis=0)
    kind = "auto" if known[0].kind == "adaptive" else known[0].kind
    try:
        return fit_conformal(tables[0].loc[shared, "age"], mean, level=known[0].level, kind=kind)
    except EvaluationError as error:
        return f"Of the mean of several runs, on the validation participants that they share: {error}"
