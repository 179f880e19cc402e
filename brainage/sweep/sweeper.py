"""One command's part of a sweep: opens the study, runs trials, and writes the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from brainage.config.groups.launcher import SlurmConfig, slurm_of
from brainage.config.instantiate import instance
from brainage.config.overrides import as_overrides
from brainage.errors import SweepError
from brainage.models import geometry
from brainage.sweep.best_config import experiment_text
from brainage.sweep.budget import TimeBudget
from brainage.sweep.configs import TrialConfigs
from brainage.sweep.confirm import FOLDER, N_SEEDS, Confirmed, confirm
from brainage.sweep.feasible import FeasibleSpace
from brainage.sweep.known import KnownNetworks, adapted, names_of, starting_points
from brainage.sweep.over import over_words
from brainage.sweep.processes import is_worker, queue_workers, run_workers
from brainage.sweep.recovery import n_counted, retry_orphans
from brainage.sweep.results import locked, ranked, sweep_result, trial_title
from brainage.sweep.sampler import FeasibleSampler
from brainage.sweep.settings import SweepSettings, seconds_of
from brainage.sweep.space import parse_space, refuse_other_values
from brainage.sweep.storage import dashboard_command, open_storage, open_study, shown_url
from brainage.sweep.trainings import Trainings
from brainage.sweep.worker import Worker
from brainage.system.console import log
from brainage.system.files import ensure_writable, refuse_links, write_whole
from brainage.system.invocation import same_command
from brainage.system.locks import acquire
from brainage.system.slurm import SUBMITTED, wait_for_earlier
from brainage.system.tasks import array_number

# The beginning of the names of what a sweep and SQLite write otherwise than by renaming.
_WRITTEN = ("study.db", "trials", "experiment", "figures")


class Sweep:
    """One command's part of a sweep."""

    def __init__(
        self,
        context: HydraContext,
        task: TaskFunction,
        composed: DictConfig,
        settings: SweepSettings,
        words: Sequence[str],
    ) -> None:
        self._composed, self._settings = composed, settings
        self._folder = Path(composed.hydra.sweep.dir)
        self.url = settings.storage or f"sqlite:///{self._folder.resolve() / 'study.db'}"
        self._space = parse_space(settings.params, words)
        over = over_words(settings.over)
        self._space.refuse_searched(over)
        self._configs = TrialConfigs(context.config_loader, composed, self._space, over)
        self._trainings = Trainings(context, task, self._configs, self._folder, words, over, settings)
        recipe = str(composed.hydra.runtime.choices["recipe"])
        self._known = KnownNetworks(self._configs, recipe, self._folder, settings.storage)
        self._slurm = slurm_of(composed)
        self.best: FrozenTrial | None = None

    def run(self, command: list[str]) -> int:
        """Run trials until the study has its budget, and write the results; return the exit code.

        More processes get the words of `command`.
        """
        worker, study = self._open()
        if is_worker():
            worker.work()
            if array_number() == 0:  # the command that submitted it may run on a login node, and trains nothing
                worker.settle()
                result = sweep_result(study, self._settings, self._folder, self._confirm(study))
                self.best = next(iter(result.best), None)
            return 0
        searched = ", ".join(self._space.distributions)
        log.info("Study %s in %s: %s", self._settings.study_name, shown_url(self.url), searched)
        confirmed: list[Confirmed] = []
        try:
            code = self._work(worker, study, command)
            worker.settle()
            if code == 0:
                confirmed = self._confirm(study)
            return code
        finally:
            if self._check_trials(study):
                from brainage.sweep.finish import finish_sweep  # matplotlib

                dashboard = dashboard_command(self.url)
                self.best = finish_sweep(study, self._settings, self._folder, dashboard, self._experiment, confirmed)

    def train_best(self, folder: Path, number: int) -> None:
        """Train the best trial's config again as a job of a multirun in `folder`, and test it."""
        assert self.best is not None
        self._trainings.test(self.best, folder, number)

    def _open(self) -> tuple[Worker, Study]:
        """Check everything, open the study, and return this process's worker."""
        settings, base = self._settings, self._configs.base({})
        settings.refuse_wrong_direction(base["objective"])
        self._configs.check_space()
        feasible = FeasibleSpace(self._space, self._configs.check_feasible, geometry.depends_on)
        self._make_sampler(0)  # its mistakes are reported before any trial
        pruner: BasePruner = _made("pruner", BasePruner, settings.pruner) if settings.pruner else NopPruner()
        ensure_writable(self._folder)
        refuse_links(*(path for path in self._folder.iterdir() if path.name.startswith((*_WRITTEN,))))
        with locked(self._folder):  # several commands may start at the same moment
            storage = open_storage(self.url)
            study = open_study(storage, settings.study_name, self._configs.terms(settings))
            self._check_trials(study)
            known = starting_points(
                study, names_of(settings.start_from), self._known.values, lambda values: adapted(values, feasible)
            )
            retry_orphans(study)
            if not is_worker():
                write_whole(self._folder / "multirun.yaml", lambda path: OmegaConf.save(self._composed, path))
        budget = TimeBudget(seconds_of(settings.timeout), self._configs.cost, settings.confirm * N_SEEDS)
        study.pruner = pruner
        study.sampler = FeasibleSampler(
            feasible,
            self._make_sampler,
            int(base["seed"]),
            known=known,
            n_first=int(settings.sampler.get("n_startup_trials", 0)),
            cost=self._configs.cost,
            all_trials=lambda: optuna.load_study(study_name=settings.study_name, storage=storage, pruner=NopPruner()),
            fits=budget.fits,
        )
        return Worker(study, storage, self._space, settings, self._trainings.launch, budget.fits), study

    def _check_trials(self, study: Study) -> int:
        """Return the number of trials; raise a `SweepError` if one was not written by this sweep."""
        try:
            trials = study.get_trials(deepcopy=False)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SweepError(
                f"`hydra.sweeper.study_name={self._settings.study_name}` has trials that cannot be read "
                f"({type(error).__name__}): another program changed the study. Restore the storage, or choose another "
                "hydra.sweeper.study_name=NAME."
            ) from None
        for trial in trials:
            refuse_other_values(trial.number, trial.params, self._space.distributions)
        return len(trials)

    def _work(self, worker: Worker, study: Study, command: list[str]) -> int:
        n_done, n_asked = n_counted(study), self._settings.n_trials
        if n_done >= n_asked:
            log.info("The study has %d trials, and %d were asked for: nothing is left to do.", n_done, n_asked)
            return 0
        if self._slurm is not None:
            return self._work_in_slurm(self._slurm, study, command)
        if self._settings.n_workers > 1:
            return run_workers(self._settings.n_workers, same_command("train", command))
        worker.work()
        return 0

    def _work_in_slurm(self, slurm: SlurmConfig, study: Study, command: list[str]) -> int:
        settings, submitted = self._settings, self._folder / SUBMITTED
        wait_for_earlier(submitted)
        if n_counted(study) < settings.n_trials:
            queue_workers(settings.n_workers, slurm, ["train", *command], submitted)
        n_done = n_counted(study)
        if n_done >= settings.n_trials or settings.timeout is not None:
            return 0
        log.error("The workers ended with %d of %d trials; see %s.", n_done, settings.n_trials, submitted)
        return 1

    def _confirm(self, study: Study) -> list[Confirmed]:
        """Train the best trials again, unless none is asked for, or another command does so at this moment."""
        if not self._settings.confirm:
            return []
        try:
            lock = acquire(self._folder / f".{FOLDER}.lock", f"`hydra.sweeper.confirm` in {self._folder}", SweepError)
        except SweepError as busy:
            log.info("%s", busy)
            return []
        with lock:
            return confirm(ranked(study)[: self._settings.confirm], self._trainings.new_seeds, self._trainings.again)

    def _make_sampler(self, seed: int) -> BaseSampler:
        made: BaseSampler = _made("sampler", BaseSampler, {**self._settings.sampler, "seed": seed})
        if isinstance(made, TPESampler) and not self._settings.sampler.get("multivariate"):
            raise SweepError(
                "`hydra.sweeper.sampler.multivariate` must be true, because feasible networks are proposed with all "
                "their values at once, but is false. Use true, or hydra/sweeper/sampler=random."
            )
        return made

    def _experiment(self, trial: FrozenTrial) -> str:
        title = trial_title(trial, self._settings.study_name, self._folder)
        words = [*self._space.fixed, *as_overrides(trial.params)]
        return experiment_text(self._configs.compose_run, words, title)


def _made(name: str, kind: type[Any], config: Mapping[str, Any]) -> Any:
    made = instance(f"hydra.sweeper.{name}", dict(config))
    if not isinstance(made, kind):
        raise SweepError(f"`hydra.sweeper.{name}` must be one of Optuna's, but got {type(made).__name__}.")
    return made
