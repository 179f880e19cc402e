"""Summary of the maps over participants, from which all results are printed, written and reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.evaluation.associations import MIN_ROWS, pearson
from brainage.evaluation.intervals import MIN_RESAMPLED, Estimate, bootstrap, correlation_estimate
from brainage.explanation.effects import Maps, Randomisation, rank_correlation, spread
from brainage.system.console import printable

_Array = NDArray[np.float64]

# A larger completeness error, relative to the mean effect, is reported.
_INCOMPLETE = 0.01


@dataclass(frozen=True)
class Summary:
    """An effect over participants, in years: SD, mean, and mean absolute effect.

    Only the SD (`spread`) shows how much an effect separates participants: one that is the same for all does not.
    """

    spread: Estimate
    mean: Estimate
    absolute: Estimate


def summarise(effects: _Array, *, n_resamples: int, seed: int) -> list[Summary]:
    """Summarise each column of effects over participants; all columns share their bootstrap resamples."""
    middle = effects.mean(axis=0)
    centred, n_effects = effects - middle, effects.shape[1]  # centred, because squares lose digits
    columns = np.concatenate([centred, centred**2, abs(effects)], axis=1)

    def statistics(counts: _Array) -> dict[str, _Array]:
        n = counts.sum(axis=1, keepdims=True)
        mean, square, absolute = np.split(counts @ columns / n, 3, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            sd = np.sqrt(np.maximum(square - mean**2, 0) * (n / (n - 1)))
        found = {"spread": sd, "mean": mean + middle, "absolute": absolute}
        return {f"{name} {k}": values[:, k] for name, values in found.items() for k in range(n_effects)}

    known = bootstrap(statistics, len(effects), n_resamples=n_resamples, seed=seed)
    return [Summary(known[f"spread {k}"], known[f"mean {k}"], known[f"absolute {k}"]) for k in range(n_effects)]


@dataclass(frozen=True)
class Explanation:
    """An explanation of a network's predictions for some participants.

    Parameters
    ----------
    maps : Maps
        Effects by participant.
    randomisation : Randomisation
        The check with random weights.
    shuffled : Randomisation or None
        The same with a network trained on shuffled ages for `shuffled_epochs` epochs; None if there is none.
    others : Randomisation or None
        Agreement with other trainings, such as those with other seeds; None if there are none.
    components : sequence of int
        Original component numbers, from 1, in the order of the network's channels.
    names : sequence of str or None
        Names of the channels, in the same order, which tables and figures show in place of numbers.
    times : array of shape (n_windows + 1,)
        Edges of the time windows, in `unit`.
    n_steps, seed, n_resamples : int
        Steps of the integration; seed of bootstrap and random weights; bootstrap resamples.
    notes : list of str
        Caveats.
    shown_rows : array of shape (n_participants,), optional
        The participants in the order in which files and pages show them. Results are of the given order, so that they
        can be repeated.
    unit : {"s", "time points"}
        Of `times`.
    ages : array of shape (n_participants,), optional
        True ages, in years; NaN where unknown.
    scale : {"zscore", "percent", "none"}
        That of the series. The reference of effects is their mean over time, which is 0 unless the scale is "none".
    """

    maps: Maps
    randomisation: Randomisation
    components: Sequence[int]
    times: _Array
    n_steps: int
    seed: int
    n_resamples: int = 2000
    notes: list[str] = field(default_factory=list)
    names: Sequence[str] | None = None
    shown_rows: NDArray[np.intp] | slice = field(default_factory=lambda: slice(None))
    unit: str = "s"
    scale: str = "zscore"
    ages: _Array | None = None
    shuffled: Randomisation | None = None
    shuffled_epochs: int = 0
    others: Randomisation | None = None

    @property
    def labels(self) -> list[str]:
        """What each channel is called: its name or, without names, its number."""
        return list(map(str, self.components)) if self.names is None else [printable(name) for name in self.names]

    @property
    def kind(self) -> str:
        """What the network's channels are called: components have numbers only."""
        return "component" if self.names is None else "channel"

    @cached_property
    def by_component(self) -> dict[str, list[Summary]]:
        """By method, one summary a component."""
        return {name: self._summarise(effects.components) for name, effects in self.maps.methods.items()}

    @cached_property
    def by_time(self) -> dict[str, list[Summary]]:
        """By method, one summary a window of all components."""
        return {name: self._summarise(effects.time) for name, effects in self.maps.methods.items()}

    @property
    def volumes(self) -> dict[str, list[float]]:
        """By method, size (SD, or the absolute effect on one participant) and mean of the components' effects."""
        found: dict[str, list[float]] = {}
        for method, known in self.by_component.items():
            sizes = [one.absolute if one.spread.value is None else one.spread for one in known]
            found[f"{method} size"] = [size.value or 0.0 for size in sizes]
            found[f"{method} mean"] = [one.mean.value or 0.0 for one in known]
        return found

    @property
    def agreement(self) -> float | None:
        """Rank correlation between both methods of the components' SDs; None where undefined."""
        agreement = rank_correlation(*(spread(effects.components) for effects in self.maps.methods.values()))
        return None if np.isnan(agreement) else agreement

    @cached_property
    def with_age(self) -> dict[str, list[Estimate]]:
        """By method, the correlation of each component's effect with true age; empty where too few ages are known."""
        known = np.zeros(0, dtype=bool) if self.ages is None else np.isfinite(self.ages)
        if self.ages is None or known.sum() < MIN_ROWS or np.ptp(self.ages[known]) == 0:
            return {}
        age = self.ages[known]
        return {
            name: [correlation_estimate(pearson(effect, age), len(age)) for effect in effects.components[known].T]
            for name, effects in self.maps.methods.items()
        }

    @property
    def order(self) -> list[int]:
        """Positions of the components by decreasing absolute correlation of their occlusion effects with age.

        Where ages are unknown it is by decreasing SD.
        """
        if self.with_age:
            sizes = [abs(r.value or 0.0) for r in self.with_age["occlusion"]]
        else:
            found = self.by_component["occlusion"]
            sizes = [(one.absolute if one.spread.value is None else one.spread).value or 0.0 for one in found]
        return [int(k) for k in np.argsort(-np.array(sizes), kind="stable")]

    def component_table(self) -> pd.DataFrame:
        """Return ``components.csv``: one row a component, in the order of their numbers."""
        correlations = {
            f"{method}_r_age{suffix}": [getattr(r, end) for r in found]
            for method, found in self.with_age.items()
            for end, suffix in (("value", ""), ("low", "_low"), ("high", "_high"))
        }
        return pd.DataFrame({**self._channels(1), **_columns(self.by_component), **correlations})

    def time_table(self) -> pd.DataFrame:
        """Return ``time.csv``: one row a window, of all components together."""
        return pd.DataFrame({**self._windows(1), **_columns(self.by_time)})

    def map_table(self) -> pd.DataFrame:
        """Return ``map.csv``: one row a component and window."""
        table: dict[str, Any] = {**self._channels(len(self.times) - 1), **self._windows(len(self.components))}
        for name, effects in self.maps.methods.items():
            table[f"{name}_spread"] = spread(effects.map).ravel()
            table[f"{name}_mean"] = effects.map.mean(axis=0).ravel()
        return pd.DataFrame(table)

    def participants_table(self) -> pd.DataFrame:
        """Return ``participants.csv``: one row a participant, without ids."""
        maps, shown = self.maps, self.shown_rows
        table: dict[str, Any] = {
            "row": np.arange(1, len(maps.predicted) + 1),
            "predicted_age": maps.predicted[shown],
            "completeness_error": maps.completeness_error[shown],
        }
        for name, effects in maps.methods.items():
            for label, values in zip(self.labels, effects.components[shown].T, strict=True):
                table[f"{name}_{label}"] = values
        return pd.DataFrame(table)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return ``maps.npz``: every participant's component x time maps, in the rows of ``participants.csv``."""
        return {
            "occlusion": self.maps.occlusion.map[self.shown_rows].astype(np.float32),
            "gradients": self.maps.gradients.map[self.shown_rows].astype(np.float32),
            "components": np.asarray(self.components),
            **({} if self.names is None else {"names": np.array(self.labels)}),
            self._times_name: self.times,
        }

    def facts(self) -> dict[str, Any]:
        """Return ``explanation.json``: everything that is in no table."""
        return {
            "n_participants": len(self.maps.predicted),
            "components": [int(component) for component in self.components],
            **({} if self.names is None else {"names": self.labels}),
            self._times_name: self.times.tolist(),
            "silent_prediction": float(self.maps.silent.mean()),
            "n_steps": self.n_steps,
            "completeness": {**asdict(self.maps.completeness), "relative": self.maps.completeness.relative},
            "randomisation": _as_json(self.randomisation),
            **(
                {}
                if self.shuffled is None
                else {"shuffled_ages": {"epochs": self.shuffled_epochs, **_as_json(self.shuffled)}}
            ),
            **({} if self.others is None else {"other_trainings": _as_json(self.others)}),
            "agreement": self.agreement,
            "seed": self.seed,
            "notes": self.notes,
        }

    @property
    def _times_name(self) -> str:
        return "seconds" if self.unit == "s" else "time_points"

    def _summarise(self, effects: _Array) -> list[Summary]:
        return summarise(effects, n_resamples=self.n_resamples, seed=self.seed)

    def _channels(self, times: int) -> dict[str, Any]:
        """Return the first columns of a table: numbers and, where there are any, names."""
        names = {} if self.names is None else {"name": np.repeat(self.labels, times)}
        return {"component": np.repeat(self.components, times), **names}

    def _windows(self, times: int) -> dict[str, _Array]:
        return {"begin": np.tile(self.times[:-1], times), "end": np.tile(self.times[1:], times)}


def caveats(maps: Maps, randomisation: Randomisation, n_steps: int) -> list[str]:
    """Return caveats about maps whose gradients were integrated in `n_steps`."""
    notes = []
    if randomisation.alike is None:
        notes.append(
            "No rank correlation with random weights is defined, so whether the maps depend on training is unknown."
        )
    elif randomisation.alike:
        notes.append(
            "Networks with random weights give similar maps, so these maps do not show what was learned. Do not "
            "interpret them."
        )
    missing = maps.completeness.relative
    if missing is not None and missing > _INCOMPLETE:
        notes.append(
            f"The gradients miss {missing:.1%} of the effect that they must add up to. Increase n_steps, "
            f"which is {n_steps}."
        )
    if (n := len(maps.predicted)) < MIN_RESAMPLED:
        notes.append(f"{n} participants are too few for intervals, which need {MIN_RESAMPLED}.")
    return notes


def shuffled_caveats(shuffled: Randomisation) -> list[str]:
    """Return a caveat if maps are those of a network trained on shuffled ages, too."""
    if not shuffled.alike:
        return []
    return [
        "A network that was trained on shuffled ages gives similar maps, so these maps do not show what was learned of "
        "age. Do not interpret them."
    ]


def _as_json(found: Randomisation) -> dict[str, Any]:
    return {**asdict(found), "alike": found.alike}


def _columns(found: dict[str, list[Summary]]) -> dict[str, list[float | None]]:
    columns: dict[str, list[float | None]] = {}
    for method, summaries in found.items():
        for name in ("spread", "mean", "absolute"):
            for end, suffix in (("value", ""), ("low", "_low"), ("high", "_high")):
                columns[f"{method}_{name}{suffix}"] = [getattr(getattr(summary, name), end) for summary in summaries]
    return columns
