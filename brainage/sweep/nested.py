"""Nested search: each outer fold is searched by itself, and its best trial trained again and tested."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from brainage.config.overrides import as_overrides
from brainage.reporting import CHOSEN
from brainage.sweep import TUNED
from brainage.sweep.over import folder_name, listed
from brainage.sweep.processes import is_worker
from brainage.sweep.settings import SweepSettings, seconds_of
from brainage.sweep.sweeper import Sweep
from brainage.system.console import log
from brainage.system.files import write_csv

_OUTER = ("split.repeat", "split.fold", "split.site")

Words = tuple[str, ...]


def outer_folds(words: Iterable[str]) -> tuple[list[Words], Words]:
    """Return the overrides of each outer fold, and what all share; no folds where one split is searched.

    ``split.fold=0,1,2``, and the like, is never a parameter: folds differ in their participants.
    """
    folds, shared = [], []
    for word in words:
        if values := listed(word, _OUTER):
            folds.append(values)
        else:
            shared.append(word)
    return list(itertools.product(*folds)) if folds else [], tuple(shared)


class NestedSweep:
    """The sweeps of all outer folds, one after another."""

    def __init__(
        self,
        context: HydraContext,
        task: TaskFunction,
        composed: DictConfig,
        settings: SweepSettings,
        folds: Sequence[Words],
        shared: Words,
    ) -> None:
        self._folder, self._folds = Path(composed.hydra.sweep.dir), folds
        if (seconds := seconds_of(settings.timeout)) is not None:
            settings = replace(settings, timeout=seconds / len(folds))
        self._sweeps = [
            Sweep(context, task, *_own(composed, settings, fold, self._folder), (*shared, *fold)) for fold in folds
        ]
        self.url = self._sweeps[0].url

    def run(self, command: list[str]) -> int:
        """Search each fold and train its best network; return the exit code of the first that fails."""
        chosen = []
        for number, (sweep, fold) in enumerate(zip(self._sweeps, self._folds, strict=True)):
            log.info("Outer fold %s: searched by itself", " ".join(fold))
            if code := sweep.run(command):
                return code
            if sweep.best is not None:  # of workers, the first one of a cluster has it
                sweep.train_best(self._folder / TUNED, number)
                chosen.append({"job": number, **_values(fold), "trial": sweep.best.number, **sweep.best.params})
        if is_worker():
            return 0
        if not chosen:
            log.error("No trial of any outer fold was completed: there is nothing to test.")
            return 1
        write_csv(self._folder / TUNED / CHOSEN, pd.DataFrame(chosen))
        print(f"Chosen in each outer fold: {self._folder / TUNED / CHOSEN}")
        return 0


def _values(fold: Words) -> dict[str, str]:
    return {key: value for key, _, value in (word.partition("=") for word in fold)}


def _own(composed: DictConfig, settings: SweepSettings, fold: Words, folder: Path) -> tuple[DictConfig, SweepSettings]:
    """Return the config and the settings of a fold's sweep, which has a study and a folder of its own."""
    name = "-".join(map(folder_name, fold))
    own = {"hydra.sweeper.study_name": f"{settings.study_name}-{name}", "hydra.sweep.dir": str(folder / name)}
    config = composed.copy()
    with open_dict(config):
        for key, value in {**own, **_values(fold)}.items():
            OmegaConf.update(config, key, value)
        # Trials are composed from these words; the last one of a key wins.
        config.hydra.overrides.hydra = [*config.hydra.overrides.hydra, *as_overrides(own)]
    return config, replace(settings, study_name=own["hydra.sweeper.study_name"])
