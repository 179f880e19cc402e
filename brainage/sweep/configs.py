"""The configs of a sweep's trials: composed from the command line's config and a point of the search space."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from brainage.config.hydra import parse
from brainage.config.overrides import as_overrides, leaves
from brainage.errors import ImpossibleArchitectureError, SweepError, nearest
from brainage.models import geometry
from brainage.sweep.settings import SweepSettings
from brainage.sweep.space import Space, corners
from brainage.sweep.storage import FREE, OBJECTIVES, OVER, StudyTerms


class TrialConfigs:
    """Composes and checks the configs of trials, from the command line's config with ``hydra``.

    `over` are the overrides of the trainings that a trial has, of which the first is composed unless another is given.
    """

    def __init__(self, loader: ConfigLoader, composed: DictConfig, space: Space, over: Sequence[str] = ()) -> None:
        self._loader, self._composed, self._space, self._over = loader, composed, space, tuple(over)
        self._bases: dict[tuple[str, ...], dict[str, Any]] = {}

    def compose(self, point: Mapping[str, Any], *more: str) -> DictConfig:
        """Return the config of a trial, with ``hydra``."""
        words = [*self._space.fixed, *self._over[:1], *as_overrides(point), *more]
        return self._loader.load_sweep_config(self._composed, words)

    def compose_run(self, words: list[str]) -> DictConfig:
        """Return the config of a single run, without the command line's choices of Hydra's own groups."""
        return self._loader.load_configuration(self._composed.hydra.job.config_name, words, run_mode=RunMode.RUN)

    def base(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """Return a trial's plain config, except for the point's own values of the model and the training.

        Choices of groups and of the modality change other values, so each combination of them has its own config.
        """
        wide = {key: value for key, value in point.items() if "." not in key or key.startswith("modality.")}
        words = tuple(as_overrides(wide))
        if words not in self._bases:
            config = self.compose(wide)
            with open_dict(config):
                del config["hydra"], config["logger"]  # which refers to a run's folder
            self._bases[words] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
        return self._bases[words]

    def model(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of a point's network."""
        given = {key.removeprefix("model."): value for key, value in point.items() if key.startswith("model.")}
        return {**self.base(point)["model"], **given}

    def check_feasible(self, point: Mapping[str, Any]) -> None:
        """Raise ImpossibleArchitectureError unless a point's network can be built."""
        geometry.check_arguments(self.model(point))

    def cost(self, point: Mapping[str, Any]) -> float:
        """Return the multiplications of a point's network."""
        model = self.model(point)
        return geometry.multiplications(str(model["name"]), model)

    def check_space(self) -> None:
        """Refuse parameters that are no keys of the config, and values that break a rule."""
        known = {*leaves(self.base({})), *self._composed.hydra.runtime.choices}
        for key in self._space.distributions:
            if key not in known:
                group = f"{key.partition('.')[0]}."
                similar = {name for name in known if name.startswith(group)} or {n for n in known if "." not in n}
                raise SweepError(
                    f"`{key}` must be a key of the config to be searched, but there is none. {nearest(key, similar)}"
                )
        for point in corners(self._space):
            self._check_values(point)

    def _check_values(self, point: Mapping[str, Any]) -> None:
        try:
            config = self.compose(point)
            with open_dict(config):
                del config["hydra"]
                config.logger = {}  # it refers to a run's folder
            parse(config)
        except ImpossibleArchitectureError:
            return  # other points may be feasible
        except (HydraException, OmegaConfBaseException) as error:
            reasons = f"{error} {str(error.__cause__ or '').partition('full_key')[0]}"
            raise SweepError(
                f"`hydra.sweeper.params` must have values that the config accepts, but at "
                f"{' '.join(as_overrides(point))}: {' '.join(reasons.split())} Change the range or choices."
            ) from None

    def terms(self, settings: SweepSettings) -> StudyTerms:
        """Return what all trials of the study share."""
        searched = self._space.distributions
        groups = tuple(f"{key}." for key in searched if "." not in key)
        fixed = {
            key: json.dumps(value)
            for key, value in leaves(self.base({})).items()
            if key not in searched and not FREE.match(key) and not (groups and key.startswith(groups))
        }
        fixed[OBJECTIVES] = json.dumps(settings.objectives)
        if self._over:
            fixed[OVER] = json.dumps(self._over)
        return StudyTerms(self._space.described(), settings.directions, fixed)
