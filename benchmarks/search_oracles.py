"""What stands for training in replays: recorded networks, or surrogates fitted to them."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution
from scipy.stats import spearmanr
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import cross_val_predict

from benchmarks.measure import ROOT
from benchmarks.search_record import N_A_PIECE, PARTS
from brainage.models import geometry
from brainage.sweep.feasible import FeasibleSpace
from brainage.sweep.space import Point, Space, parse_space

_N_FOLDS = 5


@dataclass(frozen=True)
class Curve:
    """A training: validation MSE and seconds of each epoch."""

    mse: Sequence[float]
    seconds: Sequence[float]


@dataclass(frozen=True)
class Network:
    """A recorded network: its training with all participants, and with a third of them."""

    point: Point
    full: Curve
    third: Curve


class ExhaustedError(Exception):
    """Each recorded network was trained."""


class Oracle(Protocol):
    """Stands for training."""

    def snapped(self, point: Point, taken: Sequence[Point]) -> Point:
        """Return the point that is trained in place of a proposed one; raise `ExhaustedError` if there is none."""
        ...

    def curve(self, point: Point, part: str) -> Curve:
        """Return the training at a snapped point with a part of the participants: ``full`` or ``third``."""
        ...


def space() -> Space:
    """Return the published space, as the sweep has it."""
    preset = yaml.safe_load((ROOT / "configs" / "sweep" / "variable1dcnn.yaml").read_text())
    return parse_space(preset["hydra"]["sweeper"]["params"], [])


def model(point: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a point's network, for 25 components."""
    given = {key.removeprefix("model."): value for key, value in point.items() if key.startswith("model.")}
    return {"name": "variable1dcnn", "in_channels": 21, "n_times": 490, **given}


def _check(point: Mapping[str, Any]) -> None:
    geometry.check_arguments(model(point))


FEASIBLE = FeasibleSpace(space(), _check, geometry.depends_on)


def cost(point: Mapping[str, Any]) -> float:
    """Return the multiplications of a feasible network."""
    return float(geometry.multiplications("variable1dcnn", model(point)))


def networks(table: pd.DataFrame) -> list[Network]:
    """Return the networks of whole pieces: in others the expensive ones are missing."""
    keys, found = list(space().distributions), []
    for _, piece in table.groupby("piece"):
        if dict(piece["part"].value_counts()) == dict.fromkeys(PARTS, N_A_PIECE):
            for _, rows in piece.groupby(keys, sort=False):
                point = {key: _native(rows.iloc[0][key]) for key in keys}
                found.append(Network(point, *(_curve(rows[rows["part"] == part].iloc[0]) for part in PARTS)))
    return found


def _curve(row: pd.Series[Any]) -> Curve:
    return Curve(row["val_mse"], row["seconds"])


def _native(value: Any) -> bool | int | float | str:
    plain: bool | int | float | str = value.item() if isinstance(value, np.generic) else value
    return plain


class Scaled:
    """Points as rows of numbers between 0 and 1: the parameters, and the logarithm of the cost."""

    def __init__(self, distributions: Mapping[str, BaseDistribution]) -> None:
        self._distributions = distributions

    def __call__(self, points: Sequence[Point]) -> NDArray[np.float64]:
        """Return a row for each point."""
        rows = [[_place(value, point[key]) for key, value in self._distributions.items()] for point in points]
        return np.array([[*row, math.log10(cost(point)) / 10] for row, point in zip(rows, points, strict=True)])


def _place(distribution: BaseDistribution, value: Any) -> float:
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices).index(value) / max(len(distribution.choices) - 1, 1)
    bend: Callable[[float], float] = math.log if distribution.log else float  # type: ignore[attr-defined]
    low, high = bend(distribution.low), bend(distribution.high)  # type: ignore[attr-defined]
    return (bend(value) - low) / (high - low)


class Pool:
    """Recorded networks alone: in place of a proposed point, the nearest of them is trained that was not yet."""

    def __init__(self, recorded: Sequence[Network]) -> None:
        self._networks, self._scaled = {repr(one.point): one for one in recorded}, Scaled(space().distributions)
        self._points = [one.point for one in recorded]
        self._rows = self._scaled(self._points)

    def snapped(self, point: Point, taken: Sequence[Point]) -> Point:
        """Return the nearest recorded point that is not taken."""
        gone = {repr(one) for one in taken}
        distances = np.linalg.norm(self._rows - self._scaled([point]), axis=1)
        for index in np.argsort(distances):
            found = self._points[int(index)]
            if repr(found) not in gone:
                return found
        raise ExhaustedError

    def curve(self, point: Point, part: str) -> Curve:
        """Return a recorded curve."""
        network = self._networks[repr(point)]
        return network.full if part == "full" else network.third


class Surrogate:
    """Any point: the curve of the nearest recorded network, scaled to the predicted lowest MSE and time.

    Each point has a fixed draw of the residuals of cross-validation, so that the surface is as rough as the table.
    """

    def __init__(self, recorded: Sequence[Network]) -> None:
        self._pool, self._scaled = Pool(recorded), Scaled(space().distributions)
        points = [one.point for one in recorded]
        rows, lowest = self._scaled(points), np.log([min(one.full.mse) for one in recorded])
        trees = ExtraTreesRegressor(100, min_samples_leaf=2, random_state=0)
        predicted = cross_val_predict(trees, rows, lowest, cv=_N_FOLDS)
        self._residuals, self._trees = lowest - predicted, trees.fit(rows, lowest)
        self.rank_correlation = float(spearmanr(predicted, lowest).statistic)
        self.error = float(np.sqrt((self._residuals**2).mean()))
        epoch = [np.mean(one.full.seconds) for one in recorded]
        self._slope = np.polyfit(np.log([cost(point) for point in points]), np.log(epoch), 1)[0]

    def snapped(self, point: Point, taken: Sequence[Point]) -> Point:
        """Return the point itself."""
        return point

    def curve(self, point: Point, part: str) -> Curve:
        """Return the nearest curve, scaled."""
        near = self._pool.snapped(point, [])
        curve = self._pool.curve(near, part)
        rng = np.random.default_rng(zlib.crc32(repr(sorted(point.items())).encode()))
        row = self._scaled([point]).astype(np.float32)
        # `ExtraTreesRegressor.predict` takes a hundred times as long for a single row.
        predicted = np.mean([tree.tree_.predict(row) for tree in self._trees.estimators_])
        wanted = float(np.exp(predicted + rng.choice(self._residuals)))
        scale = wanted / min(self._pool.curve(near, "full").mse)
        slower = (cost(point) / cost(near)) ** self._slope
        return Curve([scale * mse for mse in curve.mse], [slower * seconds for seconds in curve.seconds])
