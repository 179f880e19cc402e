"""The sweep as Hydra calls it: settings are checked, errors and signals become messages and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from brainage.config.groups.cohort import refuse_ids_in
from brainage.config.groups.launcher import SLURM
from brainage.errors import BrainageError, SweepError
from brainage.sweep.nested import NestedSweep, outer_folds
from brainage.sweep.processes import LOST, end_with_parent, is_worker
from brainage.sweep.query import refuse_query_of
from brainage.sweep.settings import SweepSettings
from brainage.sweep.storage import shown_url
from brainage.sweep.storage_errors import STORAGE_ERRORS, StorageLost, unreachable
from brainage.sweep.sweeper import Sweep
from brainage.system.files import full_disk_as_output_error
from brainage.system.session import say
from brainage.system.signals import Interruption, interruptible


def run(
    context: HydraContext, task: TaskFunction, composed: DictConfig, given: Mapping[str, Any], words: Sequence[str]
) -> int | None:
    """Run a sweep and return its exit code; `given` has the keys of ``hydra.sweeper``, `words` are the overrides.

    None is returned after a nested search, which Hydra ends as a multirun: the tuned networks are jobs of one.
    """
    # Optuna's own log would repeat each trial, and quote errors.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    command = sys.argv[1:]
    if is_worker():
        end_with_parent()
    try:
        refuse_ids_in(words)
        if not is_worker():
            refuse_query_of(composed)
        settings = _settings(given)
        composed = without_password(composed, settings.storage)
        if not is_worker():
            check_launcher(composed, settings.storage, command)
        folds, shared = outer_folds(words)
        sweep = (
            NestedSweep(context, task, composed, settings, folds, shared)
            if folds
            else Sweep(context, task, composed, settings, words)
        )
        with interruptible(), full_disk_as_output_error(composed.hydra.sweep.dir):
            code = _carried_out(sweep, command)
        return None if folds and code == 0 and not is_worker() else code
    except Interruption as stop:
        if not is_worker():
            print(f"\n{stop}; the same command continues the study.", file=sys.stderr)
        return stop.exit_code
    except BrainageError as error:
        say(error)
        return error.exit_code


def check_launcher(composed: DictConfig, storage: str | None, command: Sequence[str]) -> None:
    """Raise a `SweepError` if workers cannot be started where ``hydra/launcher`` says."""
    chosen = composed.hydra.runtime.choices.get("hydra/launcher")
    if chosen not in ("basic", SLURM):
        raise SweepError(
            f"`hydra/launcher` must be basic or {SLURM} for a sweep, but got {chosen}. For more processes, set "
            "hydra.sweeper.n_workers."
        )
    if chosen != SLURM:
        return
    if storage is None or storage.startswith("sqlite"):
        raise SweepError(
            f"`hydra.sweeper.storage` must be a PostgreSQL database with hydra/launcher={SLURM}, because SQLite does "
            f"not work between nodes, but got {storage or 'a file in the folder of the sweep'}. Set "
            "'hydra.sweeper.storage=${oc.env:STUDY_STORAGE}', with postgresql://USER:PASSWORD@HOST/DATABASE in that "
            "variable."
        )
    if shown_url(storage) != storage and any(storage in word for word in command):
        raise SweepError(
            f"`hydra.sweeper.storage` must not have its password on the command line with hydra/launcher={SLURM}, "
            f"because jobs get the command in a file, but got {shown_url(storage)}. Put the address into a variable: "
            "'hydra.sweeper.storage=${oc.env:STUDY_STORAGE}'."
        )


def _carried_out(sweep: Sweep | NestedSweep, command: list[str]) -> int:
    """Run a sweep; a storage that stops answering is one message, of the command that started workers, and code 1."""
    try:
        return sweep.run(command)
    except (*STORAGE_ERRORS, StorageLost) as lost:  # the text of the former may contain values
        if is_worker():
            return LOST
        error = lost.error if isinstance(lost, StorageLost) else lost
        if error is None:
            raise
        server = "does not answer any more ({}). Finished trials are saved; the same command continues the study."
        print(f"error: {unreachable(shown_url(sweep.url), error, server)}", file=sys.stderr)
        return 1


def _settings(given: Mapping[str, Any]) -> SweepSettings:
    plain: dict[str, Any] = {
        key: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        for key, value in given.items()
    }
    plain["objectives"] = tuple(plain["objectives"])
    return SweepSettings(**plain)


def without_password(composed: DictConfig, storage: str | None) -> DictConfig:
    """Return the config for files: without the password in the storage's address. Change ``sys.argv`` likewise."""
    if storage is None or shown_url(storage) == storage:
        return composed
    hidden, shown = composed.copy(), f"hydra.sweeper.storage='{shown_url(storage)}'"
    with open_dict(hidden):
        hidden.hydra.sweeper.storage = shown_url(storage)
        # Jobs are composed from these words; the last one of a key wins.
        others = [word for word in hidden.hydra.overrides.hydra if "hydra.sweeper.storage=" not in word]
        hidden.hydra.overrides.hydra = [*others, shown]
    sys.argv[:] = [shown if "hydra.sweeper.storage=" in word else word for word in sys.argv]  # loggers save it
    return hidden
