"""A sweep from its first to its last step, as Hydra calls it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock
from hydra.core.utils import run_job
from hydra.errors import HydraException
from hydra.types import HydraContext, RunMode, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from brainage.config.hydra import parse
from brainage.config.instantiate import instance
from brainage.config.overrides import as_overrides, leaves
from brainage.errors import ImpossibleArchitectureError, SweepError, nearest
from brainage.models import geometry
from brainage.sweep.best_config import experiment_text
from brainage.sweep.feasible import PossibleSpace
from brainage.sweep.processes import is_worker, run_workers
from brainage.sweep.results import LOCK, end
from brainage.sweep.sampler import PossibleSampler
from brainage.sweep.settings import Options
from brainage.sweep.space import Point, corners, parse_space
from brainage.sweep.storage import (
    OBJECTIVES,
    Plan,
    counted,
    dashboard_command,
    open_storage,
    open_study,
    retry_orphans,
    shown_url,
)
from brainage.sweep.worker import Task, Worker
from brainage.system.console import log
from brainage.system.files import ensure_writable, write_whole

# What may differ between commands that work on one study: where things lie, what is shown, what it runs on.
_FREE = re.compile(r"(logger|store|resume|trainer\.(accelerator|devices|enable_\w+|profiler|log_every_n_steps))(\.|$)")


class Sweep:
    """One command's part in a study.

    Parameters
    ----------
    context : HydraContext
        What Hydra composes jobs with.
    task : callable
        The entrypoint's function.
    composed : DictConfig
        As Hydra composed it, with ``hydra``, and without a password in it.
    options : Options
        What ``hydra.sweeper`` says.
    words : sequence of str
        The command line's overrides.
    """

    def __init__(
        self, context: HydraContext, task: TaskFunction, composed: DictConfig, options: Options, words: Sequence[str]
    ) -> None:
        self._loader, self._context, self._task = context.config_loader, context, task
        self._composed, self._options = composed, options
        self._folder = Path(composed.hydra.sweep.dir)
        self._url = options.storage or f"sqlite:///{self._folder.resolve() / 'study.db'}"
        self._space = parse_space(options.params, words)
        self._bases: dict[tuple[str, ...], Any] = {}

    def run(self, command: list[str]) -> int:
        """Take trials until the study has its budget, and write what came out.

        Parameters
        ----------
        command : list of str
            What was called, behind ``python``; several processes are started by it.

        Returns
        -------
        int
            The exit code: 0, or that of a process that did not end well.

        Raises
        ------
        SweepError
            The sweep cannot be begun or gone on with.
        Interruption
            The process was asked to stop.
        """
        self._options.refuse_wrong_direction(self._base({})["objective"])
        self._check_space()
        possible = PossibleSpace(self._space, self._check_possible, geometry.depends_on)
        sampler = PossibleSampler(
            possible,
            self._make_sampler,
            int(self._base({})["seed"]),
            n_first=int(self._options.sampler.get("n_startup_trials", 0)),
            cost=self._cost,
        )
        sampler.check()
        pruner = self._make_pruner()
        ensure_writable(self._folder)
        with FileLock(self._folder / LOCK):  # several commands may begin at the same moment
            storage = open_storage(self._url, self._space.distributions)
            study = open_study(storage, self._options.study_name, self._plan())
            retry_orphans(study, self._space.distributions)
            if not is_worker():
                write_whole(self._folder / "multirun.yaml", lambda path: OmegaConf.save(self._composed, path))
        study.sampler, study.pruner = sampler, pruner
        options = self._options
        task = Task(self._launch, options.objectives, options.n_trials, options.max_consecutive_failures)
        worker = Worker(study, possible, task)
        if is_worker():
            worker.work()
            return 0
        log.info("Study %s in %s: %s", options.study_name, shown_url(self._url), ", ".join(self._space.distributions))
        try:
            code = self._work(worker, study, command)
            worker.settle()
            return code
        finally:
            if study.get_trials(deepcopy=False):
                end(
                    study,
                    options,
                    list(self._space.distributions),
                    self._folder,
                    dashboard_command(self._url),
                    self._best,
                )

    def _work(self, worker: Worker, study: Study, command: list[str]) -> int:
        n_before, n_asked = counted(study), self._options.n_trials
        if n_before >= n_asked:
            log.info("The study has %d trials, and %d were asked for: nothing is left to do.", n_before, n_asked)
        elif self._options.n_workers > 1:
            return run_workers(self._options.n_workers, command)
        else:
            worker.work()
        return 0

    def _launch(self, number: int, point: Point) -> Mapping[str, Any]:
        """Train at a point; return the run's summary."""
        words = as_overrides(point)
        log.info("Trial %d: %s", number, " ".join(words))
        config = self._compose([*self._space.fixed, *words, *self._grouping()])
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = number
        done = run_job(
            task_function=self._task,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
            hydra_context=self._context,
        )
        _ = done.return_value  # raises what the job raised
        path = self._folder / "trials" / str(number) / "summary.json"
        summary: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"status": "failed"}
        return summary

    def _compose(self, words: list[str]) -> DictConfig:
        return self._loader.load_sweep_config(self._composed, words)

    def _compose_alone(self, words: list[str]) -> DictConfig:
        """Compose without what the command line says of Hydra: of the sweeper, most of all."""
        return self._loader.load_configuration(self._composed.hydra.job.config_name, words, run_mode=RunMode.RUN)

    def _grouping(self) -> list[str]:
        """Let W&B show the trials together."""
        wandb = (self._composed.logger or {}).get("wandb")
        return [f"logger.wandb.group={self._options.study_name}"] if wandb is not None and wandb.group is None else []

    def _check_possible(self, point: Mapping[str, Any]) -> None:
        """Refuse a point whose network cannot exist."""
        geometry.check_arguments(self._model(point))

    def _cost(self, point: Mapping[str, Any]) -> float:
        model = self._model(point)
        return geometry.multiplications(str(model["name"]), model)

    def _model(self, point: Mapping[str, Any]) -> dict[str, Any]:
        given = {key.removeprefix("model."): value for key, value in point.items() if key.startswith("model.")}
        return {**self._base(point)["model"], **given}

    def _base(self, point: Mapping[str, Any]) -> Any:
        """Return the config of a trial but for what is its own in the model and the training.

        Choices of groups and of the modality change other values, so there is one config for each combination.
        """
        wide = {key: value for key, value in point.items() if "." not in key or key.startswith("modality.")}
        words = tuple(as_overrides(wide))
        if words not in self._bases:
            config = self._compose([*self._space.fixed, *words])
            with open_dict(config):
                del config["hydra"], config["logger"]  # which refers to a run's folder
            self._bases[words] = OmegaConf.to_container(config, resolve=True)
        return self._bases[words]

    def _check_space(self) -> None:
        """Refuse parameters that no config has, and values that break a rule."""
        known = {*leaves(self._base({})), *self._composed.hydra.runtime.choices}
        for key in self._space.distributions:
            if key not in known:
                raise SweepError(f"`{key}` is to be searched, but no config has this key. {_near(key, known)}")
        for point in corners(self._space):
            try:
                config = self._compose([*self._space.fixed, *as_overrides(point)])
                with open_dict(config):
                    del config["hydra"]
                    config.logger = {}  # it refers to a run's folder
                parse(config)
            except ImpossibleArchitectureError:
                continue  # others may be possible
            except (HydraException, OmegaConfBaseException) as error:
                reasons = [str(error), str(error.__cause__ or "").partition("full_key")[0]]
                raise SweepError(
                    f"`hydra.sweeper.params` must hold what the config takes, but at {' '.join(as_overrides(point))}: "
                    f"{' '.join(' '.join(reasons).split())} Change its range or choices."
                ) from None

    def _plan(self) -> Plan:
        searched = self._space.distributions
        groups = tuple(f"{key}." for key in searched if "." not in key)
        fixed = {
            key: json.dumps(value)
            for key, value in leaves(self._base({})).items()
            if key not in searched and not _FREE.match(key) and not (groups and key.startswith(groups))
        }
        fixed[OBJECTIVES] = json.dumps(self._options.objectives)
        return Plan(self._space.described(), self._options.directions, fixed)

    def _make_sampler(self, seed: int) -> BaseSampler:
        made = instance("hydra.sweeper.sampler", {**self._options.sampler, "seed": seed})
        if not isinstance(made, BaseSampler):
            raise SweepError(f"`hydra.sweeper.sampler` must be one of Optuna's, but got {type(made).__name__}.")
        return made

    def _make_pruner(self) -> BasePruner:
        made = instance("hydra.sweeper.pruner", dict(self._options.pruner)) if self._options.pruner else NopPruner()
        if not isinstance(made, BasePruner):
            raise SweepError(f"`hydra.sweeper.pruner` must be one of Optuna's, but got {type(made).__name__}.")
        return made

    def _best(self, trial: FrozenTrial) -> str:
        values = ", ".join(f"{value:g}" for value in trial.values)
        title = f"Trial {trial.number} of the study {self._options.study_name}: {values}."
        return experiment_text(self._compose_alone, [*self._space.fixed, *as_overrides(trial.params)], title)


def _near(key: str, known: set[str]) -> str:
    group = key.partition(".")[0]
    similar = {name for name in known if name.startswith(f"{group}.")} or {name for name in known if "." not in name}
    return nearest(key, similar)


def without_password(composed: DictConfig, storage: str | None) -> DictConfig:
    """Return the config as it may be written into files: the storage's address without its password.

    Parameters
    ----------
    composed : DictConfig
        As Hydra composed it.
    storage : str or None
        The address.
    """
    if storage is None or shown_url(storage) == storage:
        return composed
    hidden, shown = composed.copy(), f"hydra.sweeper.storage='{shown_url(storage)}'"
    with open_dict(hidden):
        hidden.hydra.sweeper.storage = shown_url(storage)
        # Jobs are composed anew from these words: the last one holds.
        others = [word for word in hidden.hydra.overrides.hydra if "hydra.sweeper.storage=" not in word]
        hidden.hydra.overrides.hydra = [*others, shown]
    # Loggers note the command line.
    sys.argv[:] = [shown if "hydra.sweeper.storage=" in word else word for word in sys.argv]
    return hidden
