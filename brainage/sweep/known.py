"""Networks that a sweep starts from: defaults, the published ones, and the best of earlier sweeps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from omegaconf import OmegaConf
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.study import Study
from optuna.trial import TrialState

from brainage.config.overrides import as_overrides, leaves
from brainage.errors import SweepError, nearest
from brainage.sweep.configs import TrialConfigs
from brainage.sweep.feasible import FeasibleSpace
from brainage.sweep.results import ranked
from brainage.sweep.space import Point
from brainage.sweep.storage import open_storage
from brainage.system.console import log

DEFAULTS, PUBLISHED = "defaults", "published"

# The best trials of an earlier study that are taken, at most.
_N_OF_STUDY = 3

# The study's user attribute with the names and the points that it started from.
_KEY = "start_from"

_PUBLISHED = ("final_models/ica25", "final_models/ica100")

Values = Mapping[str, Any]


def names_of(start_from: str | Sequence[str] | None) -> list[str]:
    """Return the names of ``hydra.sweeper.start_from``, which is a list or a text with commas."""
    listed = start_from.split(",") if isinstance(start_from, str) else start_from or []
    names = [str(name).strip() for name in listed]
    if not all(names):
        raise SweepError(
            f"`hydra.sweeper.start_from` must be {DEFAULTS}, {PUBLISHED} or names of earlier studies, with commas, but "
            f"got {start_from!r}."
        )
    return names


def starting_points(
    study: Study,
    names: Sequence[str],
    values: Callable[[str], Iterator[Values]],
    adapt: Callable[[Values], Point | None],
) -> list[Point]:
    """Return the points that a study starts from, the same for all its commands; `values` returns those of a name."""
    former: dict[str, Any] = study.user_attrs.get(_KEY) or {"names": [], "points": []}
    if former["names"] == list(names):
        return list(former["points"])
    if study.get_trials(deepcopy=False):
        began, now = (", ".join(given) or "none" for given in (former["names"], names))
        raise SweepError(
            f"`hydra.sweeper.start_from` must be what the study began with ({began}), but got {now}. Restore it, or "
            "choose another hydra.sweeper.study_name=NAME."
        )
    points: list[Point] = []
    for name in names:
        found = [adapt(one) for one in values(name)]
        for point in found:
            if point is not None and point not in points:
                points.append(point)
        if not any(found):
            log.warning("`hydra.sweeper.start_from=%s` has no network that can be built here.", name)
    study.set_user_attr(_KEY, {"names": list(names), "points": points})
    return points


def n_starting_points(study: Study) -> int:
    """Return the number of points that a study started from."""
    return len((study.user_attrs.get(_KEY) or {"points": []})["points"])


class KnownNetworks:
    """Values of known networks by dotted key; studies are in the storage of this one, or in a folder beside its own."""

    def __init__(self, configs: TrialConfigs, recipe: str, folder: Path, storage: str | None) -> None:
        self._configs, self._recipe, self._folder, self._storage = configs, recipe, folder, storage

    def values(self, name: str) -> Iterator[Values]:
        """Yield the values of each network of a name of ``hydra.sweeper.start_from``."""
        own = leaves(self._configs.base({}))
        if name not in (DEFAULTS, PUBLISHED):
            yield from ({**own, **params} for params in self._best_of(name))
            return
        if name == DEFAULTS:
            yield own
        experiments = [[]] if name == DEFAULTS else [[f"experiment={one}"] for one in _PUBLISHED]
        for words in experiments:
            config = self._configs.compose_run([*words, f"recipe={self._recipe}"])
            values = leaves({key: OmegaConf.to_container(config[key], resolve=True) for key in ("model", "optimizer")})
            if values["model.name"] == own["model.name"]:
                yield {**own, **values}

    def _best_of(self, name: str) -> list[Point]:
        path = self._folder.parent / name / "study.db"
        if self._storage is None and not path.is_file():
            others = sorted(one.parent.name for one in self._folder.parent.glob("*/study.db"))
            raise SweepError(
                f"`hydra.sweeper.start_from` must be {DEFAULTS}, {PUBLISHED} or an earlier study in "
                f"{self._folder.parent}, but got {name!r}. {nearest(name, [DEFAULTS, PUBLISHED, *others])}"
            )
        storage = open_storage(self._storage or f"sqlite:///{path.resolve()}")
        try:
            study = optuna.load_study(study_name=name, storage=storage)
        except KeyError:
            raise SweepError(
                f"`hydra.sweeper.start_from` must be {DEFAULTS}, {PUBLISHED} or a study of hydra.sweeper.storage, but "
                f"there is no study {name!r}. Write the name that the earlier sweep had."
            ) from None
        finally:
            storage.engine.dispose()
        if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            return []
        return [trial.params for trial in ranked(study)[:_N_OF_STUDY]]


def adapted(values: Values, feasible: FeasibleSpace) -> Point | None:
    """Return the feasible point of a space that is closest to these values; None if a value has no counterpart."""
    point = {key: _closest(value, values.get(key)) for key, value in feasible.space.distributions.items()}
    if unlike := [key for key, value in point.items() if value is _NOTHING]:
        log.info("Not started from a network without a value for %s", ", ".join(unlike))
        return None
    found = feasible.nearest(point)
    changed = {key: found[key] for key in point if found is not None and found[key] != values[key]}
    if changed:
        log.info("A network to start from has other values here: %s", " ".join(as_overrides(changed)))
    return found


_NOTHING = object()


def _closest(distribution: BaseDistribution, value: Any) -> Any:
    """Return the closest value of a distribution."""
    if isinstance(distribution, CategoricalDistribution):
        same = [one for one in distribution.choices if type(one) is type(value) and one == value]
        numbers: list[Any] = [one for one in distribution.choices if _is_number(one)]
        if same or not _is_number(value) or not numbers:
            return same[0] if same else _NOTHING
        return min(numbers, key=lambda one: abs(float(one) - float(value)))
    if not _is_number(value):
        return _NOTHING
    low, high, step = distribution.low, distribution.high, distribution.step  # type: ignore[attr-defined]
    inside = min(max(value, low), high)
    return inside if step is None else min(low + step * round((inside - low) / step), high)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
