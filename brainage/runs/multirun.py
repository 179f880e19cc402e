"""What Hydra calls around runs and multiruns, and how a grid is continued."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, QuotedString
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, flag_override
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from brainage.config.again import key_of
from brainage.config.groups.cohort import refuse_ids, refuse_ids_in
from brainage.config.groups.launcher import slurm_of
from brainage.config.hydra import resolved
from brainage.config.overrides import as_overrides, leaves
from brainage.config.saved import read_config
from brainage.errors import BrainageError, OutputError, ResumeError, SweepError
from brainage.runs.all_sites import all_sites
from brainage.runs.folder import ensure_unused, lock_folder, read_summary, reserve
from brainage.runs.multirun_table import finish_multirun
from brainage.runs.queue_run import queue_run
from brainage.runs.record import has_diverged
from brainage.runs.resume import check_resume, given_words
from brainage.runs.tuned_on import warn_of_other_split
from brainage.sweep import TUNED
from brainage.sweep.query import refuse_query_of
from brainage.system.console import log, terminal_text
from brainage.system.files import (
    as_output_error,
    ensure_writable,
    full_disk_as_output_error,
    open_file,
    refuse_links,
    use_mode,
)
from brainage.system.invocation import command_text
from brainage.system.reading import read_yaml
from brainage.system.redaction import redacted
from brainage.system.signals import advise
from brainage.system.tasks import array_number, refuse_several_tasks

# Config groups that may change when a grid is started again.
_CHANGEABLE = ("resume", "logger", "outputs")


class JobFolders(Callback):
    """Checks output folders before Hydra creates them; ends a multirun with its table and page."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Lock the run's folder, and check it; a run in a queue ends here, with its job."""
        with _exit_on_mistake():
            _check_command(config, multirun=False)
            refuse_several_tasks()
            folder = _folder(config, "run")
            ensure_writable(folder)
            if (slurm := slurm_of(config)) is None:
                reserve(folder)
            if config.resume is None and array_number() is None:  # a job that was requeued continues
                ensure_unused(folder)
            _refuse_strange_files(folder, config)
            if slurm is not None:
                sys.exit(queue_run(folder, slurm))

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Lock the grid's folder until this process ends, and check it; a sweep checks its own."""
        with _exit_on_mistake():
            folder = _folder(config, "sweep")
            if _is_sweep(config):
                return
            _check_command(config, multirun=True)
            if not (folder / "multirun.yaml").exists():  # a job that runs alone removes its copies of a config
                refuse_query_of(config, _swept(config, "cohort.include"))
            _name_sites(config)
            refuse_several_tasks()
            self._words = frozenset(_grid(config)[0])
            if array_number() is not None:  # the process that submitted this job has checked and locked the folder
                return
            slurm_of(config)  # raises what is wrong with it
            ensure_writable(folder)
            self._lock = lock_folder(folder, f"hydra.sweep.dir={folder}")
            _refuse_other_grid(folder, config)
            refuse_links(folder / "multirun.yaml", *(path for path in folder.iterdir() if path.name.isdigit()))
            log.info("If this is killed, continue with: %s", repeat_command(folder))
            advise(f"continue with: {repeat_command(folder)}")

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Name a job of a grid by what the grid varies."""
        if config.hydra.mode == RunMode.MULTIRUN and not _is_sweep(config):
            words = [word for word in config.hydra.overrides.task if word not in self._words]
            print(terminal_text(f"Job {config.hydra.job.num}: {' '.join(words) or 'as given'}"))

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """End a grid on a full disk, where Hydra could not write the next job's configs."""
        if config.hydra.mode == RunMode.MULTIRUN and not _is_sweep(config):
            with _exit_on_mistake():
                ensure_writable(Path(config.hydra.sweep.dir))

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Write and print the table; exit with 1 if a job failed for another reason than its architecture."""
        if array_number() is not None:
            return
        folder = Path(config.hydra.sweep.dir)
        if _is_sweep(config):  # a nested search: others exit
            folder /= TUNED
        try:
            with _exit_on_mistake(), full_disk_as_output_error(folder):
                rows = finish_multirun(folder)
        except Exception:  # Hydra would turn it into a warning and exit with 0
            log.error(redacted(traceback.format_exc()))
            sys.exit(1)
        if any(row["status"] not in ("finished", "impossible", "pruned") for row in rows):
            sys.exit(1)


@contextmanager
def _exit_on_mistake() -> Iterator[None]:
    """Print a mistake and exit: Hydra turns what a callback raises into a warning."""
    try:
        yield
    except BrainageError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def _is_sweep(config: DictConfig) -> bool:
    return str(config.hydra.sweeper.get("_target_", "")).startswith("hydra_plugins.brainage_sweeper.")


def _refuse_strange_files(folder: Path, config: DictConfig) -> None:
    """Refuse a folder in which Hydra would write its configs or the log through a link."""
    refuse_links(folder / ".hydra", folder / "checkpoints")
    if "file" in (config.hydra.job_logging.get("root") or {}).get("handlers", ()):
        with as_output_error(folder):
            open_file(folder / f"{config.hydra.job.name}.log", "a").close()


def _folder(config: DictConfig, mode: str) -> Path:
    """Return the folder of the outputs, which get their permissions from now on."""
    with resolved():
        use_mode(str(config.outputs.mode))
        return Path(config.hydra[mode].dir)


def _check_command(config: DictConfig, *, multirun: bool) -> None:
    """Refuse ids in overrides before Hydra or a message copies them, a sweep without --multirun, and a bad resume."""
    words = given_words(config.hydra.overrides)
    refuse_ids_in([*words, *(f"{key}={value}" for key, value in _grid(config)[1].items())])
    sweep = config.hydra.runtime.choices.get("sweep")
    if sweep is not None and not multirun:
        raise SweepError(
            f"`sweep={sweep}` searches with many trainings, and needs --multirun. The command is: "
            + command_text("train", "--multirun", *(word for word in words if not word.startswith("hydra.mode=")))
        )
    warn_of_other_split(config)
    with resolved():
        resume, query = config.resume, OmegaConf.select(config, "cohort.include")
    if resume is not None:
        check_resume(Path(resume), words, multirun=multirun)
    else:
        refuse_ids(str(query))


def _grid(config: Any) -> tuple[list[str], dict[str, Any]]:
    """Return what defines a grid: the command line's overrides of the job, and the parameters of the experiment."""
    words: Any = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)
    sweeper: Any = OmegaConf.to_container(config.hydra.sweeper, resolve=False)
    return list(words), dict(sweeper.get("params") or {})


def _name_sites(config: DictConfig) -> None:
    """Put the names of all sites in place of ``split.site=all``, before Hydra reads the overrides of the jobs."""
    words, parameters = _grid(config)
    if "all" not in (OmegaConf.select(config, "split.site"), parameters.get("split.site")):
        return
    named = all_sites(config, [*words, *(f"{key}={value}" for key, value in parameters.items())])
    with flag_override(config, ["readonly", "struct"], False):
        config.hydra.overrides.task = [*(word for word in words if key_of(word) != "split.site"), named]
        if parameters.pop("split.site", None) is not None:
            config.hydra.sweeper.params = parameters


def _swept(config: Any, key: str) -> list[str]:
    """Return the texts that a grid gives a key."""
    words, parameters = _grid(config)
    words += [f"{name}={value}" for name, value in parameters.items()]
    given = OverridesParser.create().parse_overrides([word for word in words if key_of(word) == key])
    values = [override.value() for override in given]
    choices = [choice for value in values if isinstance(value, ChoiceSweep) for choice in value.list]
    return [choice.text if isinstance(choice, QuotedString) else str(choice) for choice in choices]


def _refuse_other_grid(folder: Path, config: DictConfig) -> None:
    """Accept an unused folder, or one with the same grid, which is continued."""
    try:
        ensure_unused(folder)
    except OutputError:
        former = None
        with suppress(OSError, ValueError, AttributeError, YAMLError, OmegaConfBaseException):
            former = _grid(OmegaConf.create(read_yaml(folder / "multirun.yaml")))
        if former is None:
            raise
        if former != _grid(config):
            words = " ".join([*former[0], *(f"{key}={value}" for key, value in former[1].items())])
            raise OutputError(
                f"`hydra.sweep.dir={folder}` contains another grid: {words}. Repeat its command to continue it, or "
                "choose another folder with hydra.sweep.dir=DIR."
            ) from None


@dataclass(frozen=True)
class PreviousJob:
    """A job in an earlier start of the same grid: its summary if it ended, otherwise whether it has a checkpoint."""

    summary: dict[str, Any] | None = None
    resumable: bool = False

    @property
    def objective(self) -> float | None:
        """The objective of a finished job; None for one that diverged."""
        value = (self.summary or {}).get("objective", {}).get("value")
        return None if value is None else float(value)


def previous_job(folder: Path, composed: DictConfig) -> PreviousJob:
    """Return the state of a job from its folder, so that the job is skipped, resumed or started from the beginning."""
    if not (folder / "config.yaml").is_file():
        return PreviousJob()
    saved, now = _values(read_config(folder / "config.yaml")), _values(composed)
    for key in sorted({*saved, *now}):
        if saved.get(key) != now.get(key):
            raise ResumeError(
                f"`{folder}` contains a run with `{key}={saved.get(key)}`, but got {now.get(key)}. A grid is continued "
                "with the same config only: restore it, or choose another folder with hydra.sweep.dir=DIR."
            )
    summary = read_summary(folder)
    if summary is not None and has_ended(summary) and not _lacks_report(folder, summary, composed):
        return PreviousJob(summary)
    return PreviousJob(resumable=(folder / "checkpoints" / "last.ckpt").is_file())


def _lacks_report(folder: Path, summary: dict[str, Any], composed: DictConfig) -> bool:
    """Return whether a finished job was killed before its report: its last checkpoint is predicted again."""
    return bool(composed.evaluate) and summary["status"] == "finished" and not (folder / "report.html").is_file()


def has_ended(summary: dict[str, Any]) -> bool:
    """Return whether training again would end the same: the job finished, diverged, or is infeasible."""
    return has_diverged(summary) or summary["status"] in ("finished", "impossible")


def _values(config: DictConfig) -> dict[str, Any]:
    with resolved():
        plain: Any = OmegaConf.to_container(config, resolve=True)
    found = leaves({key: value for key, value in plain.items() if key not in _CHANGEABLE})
    return {key: value for key, value in found.items() if key != "modality.atlas"}


def repeat_command(folder: Path) -> str:
    """Return the command that continues the multirun of this process in its folder."""
    given = any(word.startswith(("hydra.sweep.dir=", "sweep=")) for word in sys.argv)
    place = [] if given else as_overrides({"hydra.sweep.dir": str(folder)})
    return command_text("train", *sys.argv[1:], *place)
