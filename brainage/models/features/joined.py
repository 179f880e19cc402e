"""Several feature sets side by side, harmonised between sites if asked for, and standardised in training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainage.data.participants import Participants
from brainage.errors import ConfigError
from brainage.models.features.base import FeatureSet
from brainage.models.features.harmonize import Harmonizer, Sited, with_sites

# Sets that are not of series, which are not harmonised.
_NOT_OF_SERIES = ("motion",)

# Participants whose features are computed at a time, and values up to which they are kept: 256 MiB.
_TOGETHER, _MAX_KEPT = 1024, 2**25

Blocks = Callable[[], Iterable[NDArray[np.float64]]]
"""Returns the features of participants, block by block, each time that it is called."""


class Joined:
    """Features of several sets, each with mean 0 and SD 1 in the training participants.

    Parameters
    ----------
    sets : sequence of FeatureSet
        One or more.
    within : bool, default=False
        Whether they are then also standardised within each participant.
    """

    def __init__(self, sets: Sequence[FeatureSet], *, within: bool = False) -> None:
        self._sets, self._within = sets, within
        self._ends: NDArray[np.intp] | list[int] = []
        self._harmonizer: Harmonizer | None = None

    def harmonize(self, method: str) -> None:
        """Harmonise features between sites, by a method of `brainage.models.features.harmonize`, from now on."""
        if all(one.name in _NOT_OF_SERIES for one in self._sets):
            raise ConfigError(
                f"`harmonize={method}` is for features of series, such as connectivity, but the model has none. Use "
                "harmonize=none, or another model."
            )
        self._harmonizer = Harmonizer(method)

    @property
    def depends_on_age(self) -> bool:
        """Whether the fit takes the ages of the training participants, as harmonisation does."""
        return self._harmonizer is not None

    def raw(self, participants: Participants) -> Any:
        """Return what the sets compute without a fit, of shape (n_participants, n_raw); with sites to harmonise."""
        found = [one.raw(participants) for one in self._sets]
        self._ends = np.cumsum([values.shape[1] for values in found])[:-1]
        values = np.concatenate(found, axis=1)
        return values if self._harmonizer is None else with_sites(values, participants)

    def fit(self, raw: Any, age: NDArray[np.float64]) -> Blocks:
        """Fit the sets, sites, means and SDs to training participants, and return what returns their features.

        Of many participants, features are computed each time.
        """
        for one, values in zip(self._sets, self._split(_values(raw)), strict=True):
            one.fit(values)
        if self._harmonizer is not None:
            parts = self._parts(raw)
            ends = [0, *np.cumsum([part.shape[1] for part in parts])]
            columns = map(slice, ends[:-1], ends[1:])
            sets = [some for one, some in zip(self._sets, columns, strict=True) if one.name not in _NOT_OF_SERIES]
            self._harmonizer.fit(np.concatenate(parts, axis=1), raw, age, sets)
        kept = list(self._unscaled(raw)) if _values(raw).size <= _MAX_KEPT else None

        def unscaled() -> Iterable[NDArray[np.float64]]:
            return self._unscaled(raw) if kept is None else kept

        self._center = sum(block.sum(axis=0) for block in unscaled()) / len(raw)
        squares = sum(((block - self._center) ** 2).sum(axis=0) for block in unscaled())
        spread = np.sqrt(squares / len(raw))
        self._scale = np.where(spread > 0, spread, 1.0)
        return lambda: map(self._scaled, unscaled())

    def fit_transform(self, raw: Any, age: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fit, and return the features of training participants, of shape (n_participants, n_features)."""
        return np.concatenate(list(self.fit(raw, age)()))

    def blocks(self, raw: Any) -> Iterator[NDArray[np.float64]]:
        """Yield standardised features, each of shape (n, n_features)."""
        return map(self._scaled, self._unscaled(raw))

    def transform(self, raw: Any) -> NDArray[np.float64]:
        """Return standardised features, of shape (n_participants, n_features)."""
        return np.concatenate(list(self.blocks(raw)))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of the sets, each behind its name, then means and SDs."""
        of_sets = {f"{one.name}_{key}": value for one in self._sets for key, value in one.arrays().items()}
        of_sites = {} if self._harmonizer is None else self._harmonizer.arrays()
        return {**of_sets, **of_sites, "center": self._center, "scale": self._scale}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take what `arrays` returned."""
        for one in self._sets:
            prefix = f"{one.name}_"
            own = {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}
            one.restore(own)
        self._center, self._scale = arrays["center"], arrays["scale"]
        if "sites" in arrays:
            self._harmonizer = Harmonizer("")
            self._harmonizer.restore(arrays)

    def _split(self, raw: NDArray[Any]) -> list[NDArray[Any]]:
        return np.split(raw, self._ends, axis=1)

    def _parts(self, raw: Any) -> list[NDArray[np.float64]]:
        return [one.transform(values) for one, values in zip(self._sets, self._split(_values(raw)), strict=True)]

    def _unscaled(self, raw: Any) -> Iterator[NDArray[np.float64]]:
        for begin in range(0, len(raw), _TOGETHER):
            block = raw[begin : begin + _TOGETHER]
            features = np.concatenate(self._parts(block), axis=1)
            yield features if self._harmonizer is None else self._harmonizer.transform(features, block.site)

    def _scaled(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        scaled = (features - self._center) / self._scale
        if self._within:
            scaled -= scaled.mean(axis=1, keepdims=True)
            scaled /= np.maximum(scaled.std(axis=1, keepdims=True), 1e-12)
        return np.asarray(scaled)


def _values(raw: Any) -> NDArray[Any]:
    return raw.values if isinstance(raw, Sited) else raw
