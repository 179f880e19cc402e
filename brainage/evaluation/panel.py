"""Models compared on the test sets of the same random splits; which is best is said by validation error alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from brainage.evaluation.disclosure import may_describe
from brainage.evaluation.resampled import ResampledTest, corrected_resampled_t_test

PARTS = ("val", "test")


@dataclass(frozen=True)
class PanelErrors:
    """Errors of models by split.

    Parameters
    ----------
    errors : DataFrame
        ``model, split_seed, n_val, n_test, val_mae, test_mae``: MAE in years, on the participants that all models have;
        ``own_val, own_test``: the number of participants that a model has itself.
    n_train : float
        Training participants; the mean over splits and models.
    """

    errors: pd.DataFrame
    n_train: float

    @property
    def order(self) -> list[str]:
        """The models, from the lowest validation error to the highest."""
        means = self.errors.groupby("model", sort=False)["val_mae"].mean()
        return [str(name) for name in means.sort_values(kind="stable").index]

    def shows(self, part: str) -> bool:
        """Return whether errors in a part may be shown beside those that each run shows of all its participants."""
        return all(map(may_describe, self.errors[f"n_{part}"], self.errors[f"own_{part}"]))

    def of(self, model: str, part: str) -> list[float]:
        """Return a model's MAE in a part of each split, in years."""
        return [float(value) for value in self.errors.loc[self.errors["model"] == model, f"{part}_mae"]]

    def mean(self, model: str, part: str) -> float | None:
        """Return the mean over splits of a model's MAE, in years; None where it is not shown."""
        return float(np.mean(self.of(model, part))) if self.shows(part) else None

    def n(self, part: str) -> float:
        """Return the mean number of participants of a part."""
        return float(self.errors[f"n_{part}"].mean())

    def test(self, model: str, minus: str | None = None) -> ResampledTest | None:
        """Return the mean test error of a model, or its difference to another's; None where it is hidden or unknown."""
        if not self.shows("test") or not {model, minus or model} <= set(self.errors["model"]):
            return None
        values = np.array(self.of(model, "test"))
        others = 0.0 if minus is None else np.array(self.of(minus, "test"))
        return corrected_resampled_t_test((values - others).tolist(), n_train=self.n_train, n_test=self.n("test"))

    def shown(self) -> pd.DataFrame:
        """Return the errors for files and pages."""
        hidden = {f"{part}_mae": math.nan for part in PARTS if not self.shows(part)}
        return self.errors.assign(**hidden)


def panel_errors(predicted: Mapping[str, Mapping[int, pd.DataFrame]], n_train: float) -> PanelErrors:
    """Compute the errors of models in each split.

    Parameters
    ----------
    predicted : dict of str to dict of int to DataFrame
        By model and split: ``split`` (``val`` or ``test``), ``age`` and ``predicted_age`` in years, by participant. Of
        each split, only participants that all models have in the same part are used.
    n_train : float
        Training participants of one model.
    """
    splits = sorted(set.intersection(*(set(tables) for tables in predicted.values())))
    tables = ((split, {name: each[split] for name, each in predicted.items()}) for split in splits)
    rows = [row for split, each in tables for row in _errors_in(split, each)]
    return PanelErrors(pd.DataFrame(rows), n_train)


def _errors_in(split: int, tables: Mapping[str, pd.DataFrame]) -> list[dict[str, object]]:
    parts = pd.concat([table["split"] for table in tables.values()], axis=1, join="inner")
    common = parts.index[parts.eq(parts.iloc[:, 0], axis=0).all(axis=1)]
    rows = []
    for name, table in tables.items():
        errors = (table["predicted_age"] - table["age"]).abs().loc[common]
        of_part = {part: errors[parts.loc[common].iloc[:, 0] == part] for part in PARTS}
        counts = {f"n_{part}": len(values) for part, values in of_part.items()}
        counts |= {f"own_{part}": int((table["split"] == part).sum()) for part in PARTS}
        means = {f"{part}_mae": float(values.mean()) for part, values in of_part.items()}
        rows.append({"model": name, "split_seed": split, **counts, **means})
    return rows


def on_front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Return by size the names of the points (size, error) than which every smaller or equal one is worse."""
    best, front = math.inf, []
    for name in sorted(points, key=lambda name: points[name]):
        if points[name][1] < best:
            best = points[name][1]
            front.append(name)
    return front
