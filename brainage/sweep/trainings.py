"""The trainings of a sweep: jobs of Hydra in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, configure_log, run_job
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict
from optuna.trial import FrozenTrial

from brainage.config.overrides import as_overrides
from brainage.sweep.configs import TrialConfigs
from brainage.sweep.confirm import FOLDER, N_SEEDS
from brainage.sweep.over import Over, folder_name
from brainage.sweep.settings import SweepSettings
from brainage.sweep.space import Point
from brainage.system.console import log
from brainage.system.reading import read_json


class Trainings:
    """Trains the points of trials, and the best of them again.

    `words` are the command line's overrides, `over` those of the trainings of a trial.
    """

    def __init__(
        self,
        context: HydraContext,
        task: TaskFunction,
        configs: TrialConfigs,
        folder: Path,
        words: Sequence[str],
        over: Sequence[str],
        settings: SweepSettings,
    ) -> None:
        self._context, self._task, self._configs, self._folder, self._words = context, task, configs, folder, words
        self._over = Over(over, maximize=settings.directions[0] == "maximize")
        self._prunes = len(settings.objectives) == 1
        self._seeds_over = [int(word.partition("=")[2]) for word in over if word.startswith("seed=")]

    def launch(self, number: int, point: Point) -> Mapping[str, Any]:
        """Train at a point and return the run's summary."""
        shown = {key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in point.items()}
        log.info("Trial %d: %s", number, " ".join(as_overrides(shown)))
        return self._over.train(partial(self._once, number, point, "trials"), prunes=self._prunes)

    @property
    def new_seeds(self) -> list[int]:
        """Seeds that the search did not have."""
        first = max([int(self._configs.base({})["seed"]), *self._seeds_over]) + 1
        return list(range(first, first + N_SEEDS))

    def again(self, trial: FrozenTrial, seed: int) -> Mapping[str, Any]:
        """Train a trial with another seed and return the run's summary; one that is finished is kept."""
        log.info("Trial %d again: seed=%d", trial.number, seed)
        over = Over([] if self._seeds_over else self._over.words, maximize=False)
        return over.train(partial(self._once, trial.number, trial.params, FOLDER, f"seed={seed}"), prunes=False)

    def test(self, trial: FrozenTrial, folder: Path, number: int) -> None:
        """Train a trial again as a job of a multirun in `folder`, and test it."""
        config = self._configs.compose(trial.params, "evaluate=true")
        with open_dict(config):
            # What was tuned is in its config: jobs with the same other overrides are folds.
            config.hydra.overrides.task = list(self._words)
        log.info("Trial %d is trained again, and tested: %s", trial.number, folder / str(number))
        _ = self._run(config, folder / str(number), number).return_value  # raises what the job raised

    def _once(self, number: int, point: Point, place: str, *words: str) -> Mapping[str, Any]:
        """Train at a point with these overrides and return the run's summary."""
        folder = Path(self._folder, place, str(number), *map(folder_name, words))
        path = folder / "summary.json"
        if place == FOLDER and path.exists() and read_json(path)["status"] == "finished":
            return dict(read_json(path))
        _ = self._run(self._configs.compose(point, *words), folder, number).return_value  # raises what the job raised
        return dict(read_json(path)) if path.exists() else {"status": "failed"}

    def _run(self, config: DictConfig, folder: Path, number: int) -> JobReturn:
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = number
            config.hydra.sweep.dir, config.hydra.sweep.subdir = str(folder.parent), folder.name
        done = run_job(
            task_function=self._task,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
            hydra_context=self._context,
        )
        configure_log(config.hydra.hydra_logging, config.hydra.verbose)  # what follows is not of this job's log
        return done
