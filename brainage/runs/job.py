"""One job of Hydra, from the composed config to an exit code: a run, a job of a multirun, or a trial of a sweep."""

from __future__ import annotations

import shutil
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from brainage import models
from brainage.config.groups.cohort import FilesCohortConfig
from brainage.config.hydra import parse
from brainage.config.schema import Config
from brainage.data.cohorts.folders import check_root
from brainage.errors import BrainageError, ConfigError, ImpossibleArchitectureError, NamedParticipantError, ResumeError
from brainage.models import geometry
from brainage.reporting.run_summary import show_summary
from brainage.runs.folder import RunFolder
from brainage.runs.multirun import PreviousJob, previous_job, repeat_command
from brainage.runs.multirun_table import finish_multirun
from brainage.runs.precision import with_precision
from brainage.runs.record import Job, Results, summary_of
from brainage.runs.resume import asked_changes, finished_summary, given_words, resume_command, resumed_config
from brainage.system.console import log
from brainage.system.failures import noted
from brainage.system.files import full_disk_as_output_error
from brainage.system.invocation import command_text
from brainage.system.redaction import redacted
from brainage.system.session import say
from brainage.system.signals import Interruption, interruptible
from brainage.system.tasks import array_number
from brainage.training.pruning import PrunedError, is_trial


def run_job(composed: DictConfig) -> float | None:
    """Run a job in its folder; return its objective. A single run that did not finish exits after its message."""
    hydra = HydraConfig.get()
    path, multirun = Path(hydra.runtime.output_dir), hydra.mode == RunMode.MULTIRUN
    try:
        with RunFolder(path) as folder:  # locked before its earlier state is read
            if composed.resume is not None:
                composed, earlier = _resumed(composed, hydra, folder)
            else:
                sweep = Path(hydra.sweep.dir) if multirun else None
                composed = with_precision(composed, path, sweep)
                composed, earlier = _continued(composed, folder, again=multirun or array_number() is not None)
            objective = _run(composed, folder, multirun=multirun) if earlier is None else earlier.objective
        resumed = earlier is None and not multirun and composed.resume is not None
        if resumed and (path.parent / "multirun.yaml").is_file():
            finish_multirun(path.parent)
    except BrainageError as error:  # raised before training, or by the multirun's table after it
        say(error)
        other_config = isinstance(error, ResumeError)  # the other jobs of this grid would only repeat it
        return None if multirun and not other_config else sys.exit(error.exit_code)
    return objective


def _resumed(composed: DictConfig, hydra: Any, folder: RunFolder) -> tuple[DictConfig, PreviousJob | None]:
    """Return the config of a resumed run, and the run if it is finished already."""
    words = given_words(hydra.overrides)
    asked = asked_changes(composed, words)
    if (summary := finished_summary(folder.path, asked)) is None:
        folder.resume()
        return resumed_config(composed, words, asked), None
    log.info("This run is finished; nothing is left to do.")
    if summary.get("stopped_by") == "max_time":
        log.info("trainer.max_time ended it: give another, or more trainer.max_epochs, to continue.")
    show_summary(summary, folder.path)
    return composed, PreviousJob(summary)


def _continued(composed: DictConfig, folder: RunFolder, *, again: bool) -> tuple[DictConfig, PreviousJob | None]:
    """Return the config of a job that may have been started before, and the job if that start has ended it."""
    if not again or is_trial():
        return composed, None
    previous = previous_job(folder.path, composed)
    if previous.summary is not None:
        print(f"Job {folder.path.name} has ended before; it is kept.")
        return composed, previous
    if previous.resumable:
        folder.resume()
        composed = composed.copy()
        composed.resume = str(folder.path)
    return composed, None


def _run(composed: DictConfig, folder: RunFolder, *, multirun: bool) -> float | None:
    """Train, and write a summary in all cases."""
    results, summary = Results(), None
    try:
        with interruptible(), full_disk_as_output_error(folder.path):
            config = results.config = parse(composed)
            _check_model(config)
            if isinstance(config.cohort, FilesCohortConfig):
                check_root(Path(config.cohort.root))
            # Imports pandas and scipy, after configuration errors have been reported.
            from brainage.runs.train import train

            job = Job(config, config_text(composed), folder, quiet=multirun)
            train(job, results)
            summary = _end(folder, results, "finished")
            _report(job, results, summary)
            return float(summary["objective"]["value"])
    except Interruption as stop:
        if summary is None:
            _end(folder, results, "interrupted", stop)
        if is_trial():
            raise
        _exit_interrupted(stop, folder.path, multirun=multirun, finished=summary is not None)
    except PrunedError as error:
        _end(folder, results, "pruned", error)
        return None
    except BrainageError as error:
        if isinstance(error, NamedParticipantError):  # Hydra has copied the config
            _remove_copies(folder, multirun=multirun)
        impossible = isinstance(error, ImpossibleArchitectureError)
        _end(folder, results, "impossible" if impossible else "failed", error)
        say(error)
        return None if multirun else sys.exit(error.exit_code)
    except Exception as error:  # a bug here or in a library
        _end(folder, results, "failed", error)
        log.error(redacted(traceback.format_exc()))
        return None if multirun else sys.exit(1)
    finally:
        if results.loggers is not None:
            results.loggers.close(finished=False)


def _remove_copies(folder: RunFolder, *, multirun: bool) -> None:
    """Remove the copies of a config that names a participant."""
    shutil.rmtree(folder.path / ".hydra", ignore_errors=True)
    if not folder.resumed:
        (folder.path / "config.yaml").unlink(missing_ok=True)
    if multirun:
        (folder.path.parent / "multirun.yaml").unlink(missing_ok=True)


def _end(folder: RunFolder, results: Results, status: str, error: BaseException | None = None) -> dict[str, Any]:
    summary = summary_of(results, status, error)
    if not folder.keeps_summary:
        folder.write_summary(summary)
    return summary


def _report(job: Job, results: Results, summary: dict[str, Any]) -> None:
    """Report a finished run; what fails is noted in its summary."""
    # Imports matplotlib.
    from brainage.runs.report import report

    try:
        report(job, summary, results, summary["notes"])
        if results.loggers is not None:
            results.loggers.close(finished=True)
    except Interruption as stop:
        summary["notes"].append(f"The report was not finished: {stop}.")
        raise
    finally:
        if summary["notes"]:
            with noted([], "The notes were not written"):
                job.folder.write_summary(summary)


def _exit_interrupted(stop: Interruption, folder: Path, *, multirun: bool, finished: bool) -> NoReturn:
    """Print the command that continues the run, its report or the multirun, and exit."""
    command = command_text("report", f"run={folder}") if finished else resume_command(folder)
    if multirun and array_number() is None:
        with noted([], "The multirun's table was not written"):
            finish_multirun(Path(HydraConfig.get().sweep.dir))
    if multirun:
        command = repeat_command(Path(HydraConfig.get().sweep.dir))
    print(f"\n{stop}; continue with: {command}", file=sys.stderr)
    sys.exit(stop.exit_code)


def _check_model(config: Config) -> None:
    """Reject an infeasible network, or arguments that a baseline does not take; does not import torch."""
    name = config.model_value("name")
    geometry.check(name, config.model)
    if models.is_baseline(name):
        models.build_baseline(name, config.network_arguments, config.harmonize)
    elif config.harmonize != "none":
        raise ConfigError(
            f"`harmonize={config.harmonize}` is for baselines on features of series, but `model={name}` is a network. "
            "Use harmonize=none, or a ridge such as model=ridge_features."
        )


def config_text(composed: DictConfig) -> str:
    """Return ``config.yaml``: resolved, and without ``resume``."""
    kept = composed.copy()
    kept.resume = None
    return OmegaConf.to_yaml(kept, resolve=True)
