"""Summary of the maps over participants: the source of the printed, written and reported results."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.evaluation.intervals import MIN_RESAMPLED, Estimate, bootstrap
from brainage.explanation.effects import Maps, Randomisation, rank_correlation, spread

_Array = NDArray[np.float64]

# A larger completeness error, relative to the mean effect, is reported.
_INCOMPLETE = 0.01


@dataclass(frozen=True)
class Completeness:
    """Mean and highest absolute completeness error, and the mean absolute effect, in years."""

    mean: float
    highest: float
    effect: float

    @property
    def relative(self) -> float | None:
        """The mean error as a share of the mean effect; None where there is no effect."""
        return self.mean / self.effect if self.effect > 0 else None


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
    components : sequence of int
        Original component numbers, from 1, in the order of the network's channels.
    seconds : array of shape (n_windows + 1,)
        Edges of the time windows.
    by_component, by_time : dict of str to list of Summary
        By method: one summary a component, and one a window of all components.
    completeness : Completeness
        Of the gradients.
    randomisation : Randomisation
        The check with random weights.
    agreement : float or None
        Rank correlation between both methods of the components' SDs.
    n_steps, seed : int
        Steps of the integration; seed of bootstrap and random weights.
    notes : list of str
        Caveats.
    """

    maps: Maps
    components: Sequence[int]
    seconds: _Array
    by_component: dict[str, list[Summary]]
    by_time: dict[str, list[Summary]]
    completeness: Completeness
    randomisation: Randomisation
    agreement: float | None
    n_steps: int
    seed: int
    notes: list[str] = field(default_factory=list)

    @property
    def order(self) -> list[int]:
        """Positions of the components by decreasing SD of their occlusion effects."""
        found = self.by_component["occlusion"]
        sizes = [known.absolute.value if known.spread.value is None else known.spread.value for known in found]
        return [int(k) for k in np.argsort([-(size or 0.0) for size in sizes], kind="stable")]

    def component_table(self) -> pd.DataFrame:
        """Return ``components.csv``: one row a component, in the order of their numbers."""
        return pd.DataFrame({"component": list(self.components), **_columns(self.by_component)})

    def time_table(self) -> pd.DataFrame:
        """Return ``time.csv``: one row a window, of all components together."""
        return pd.DataFrame({**self._windows(1), **_columns(self.by_time)})

    def map_table(self) -> pd.DataFrame:
        """Return ``map.csv``: one row a component and window."""
        table: dict[str, Any] = {
            "component": np.repeat(self.components, len(self.seconds) - 1),
            **self._windows(len(self.components)),
        }
        for name, effects in self.maps.methods.items():
            table[f"{name}_spread"] = spread(effects.map).ravel()
            table[f"{name}_mean"] = effects.map.mean(axis=0).ravel()
        return pd.DataFrame(table)

    def participants_table(self) -> pd.DataFrame:
        """Return ``participants.csv``: one row a participant, without ids."""
        maps = self.maps
        table: dict[str, Any] = {
            "row": np.arange(1, len(maps.predicted) + 1),
            "predicted_age": maps.predicted,
            "completeness_error": maps.completeness_error,
        }
        for name, effects in maps.methods.items():
            for component, values in zip(self.components, effects.components.T, strict=True):
                table[f"{name}_{component}"] = values
        return pd.DataFrame(table)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return ``maps.npz``: every participant's component x time maps, in the rows of ``participants.csv``."""
        return {
            "occlusion": self.maps.occlusion.map.astype(np.float32),
            "gradients": self.maps.gradients.map.astype(np.float32),
            "components": np.asarray(self.components),
            "seconds": self.seconds,
        }

    def facts(self) -> dict[str, Any]:
        """Return ``explanation.json``: everything that is in no table."""
        return {
            "n_participants": len(self.maps.predicted),
            "components": [int(component) for component in self.components],
            "seconds": self.seconds.tolist(),
            "silent_prediction": self.maps.silent,
            "n_steps": self.n_steps,
            "completeness": {**dataclasses.asdict(self.completeness), "relative": self.completeness.relative},
            "randomisation": {**dataclasses.asdict(self.randomisation), "alike": self.randomisation.alike},
            "agreement": self.agreement,
            "seed": self.seed,
            "notes": self.notes,
        }

    def _windows(self, times: int) -> dict[str, _Array]:
        return {"begin": np.tile(self.seconds[:-1], times), "end": np.tile(self.seconds[1:], times)}


def explanation_of(
    maps: Maps,
    randomisation: Randomisation,
    *,
    components: Sequence[int],
    seconds: _Array,
    n_steps: int,
    n_resamples: int,
    seed: int,
) -> Explanation:
    """Summarise maps; see `Explanation` for the arguments."""
    sizes = {"n_resamples": n_resamples, "seed": seed}
    by_component = {name: summarise(effects.components, **sizes) for name, effects in maps.methods.items()}
    by_time = {name: summarise(effects.time, **sizes) for name, effects in maps.methods.items()}
    error = abs(maps.completeness_error)
    completeness = Completeness(
        float(error.mean()), float(error.max()), float(abs(maps.predicted - maps.silent).mean())
    )
    agreement = rank_correlation(spread(maps.occlusion.components), spread(maps.gradients.components))
    return Explanation(
        maps=maps,
        components=components,
        seconds=seconds,
        by_component=by_component,
        by_time=by_time,
        completeness=completeness,
        randomisation=randomisation,
        agreement=agreement if agreement == agreement else None,
        n_steps=n_steps,
        seed=seed,
        notes=_notes(len(maps.predicted), completeness, randomisation, n_steps),
    )


def _notes(n: int, completeness: Completeness, randomisation: Randomisation, n_steps: int) -> list[str]:
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
    if completeness.relative is not None and completeness.relative > _INCOMPLETE:
        notes.append(
            f"The gradients miss {completeness.relative:.1%} of the effect that they must add up to. Increase n_steps, "
            f"which is {n_steps}."
        )
    if n < MIN_RESAMPLED:
        notes.append(f"{n} participants are too few for intervals, which need {MIN_RESAMPLED}.")
    return notes


def _columns(found: dict[str, list[Summary]]) -> dict[str, list[float | None]]:
    columns: dict[str, list[float | None]] = {}
    for method, summaries in found.items():
        for name in ("spread", "mean", "absolute"):
            estimates = [getattr(summary, name) for summary in summaries]
            columns[f"{method}_{name}"] = [estimate.value for estimate in estimates]
            columns[f"{method}_{name}_low"] = [estimate.low for estimate in estimates]
            columns[f"{method}_{name}_high"] = [estimate.high for estimate in estimates]
    return columns
