"""The sweep as a command: from Hydra's words to an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf
from sqlalchemy.exc import SQLAlchemyError

from brainage.config.schema import refuse_ids_in
from brainage.errors import BrainageError, SweepError
from brainage.sweep.processes import is_worker
from brainage.sweep.settings import Options
from brainage.sweep.storage import shown_url
from brainage.sweep.sweeper import Sweep, without_password
from brainage.system.invocation import same_command
from brainage.system.signals import Interruption, interruptible


def run(
    context: HydraContext, task: TaskFunction, composed: DictConfig, given: Mapping[str, Any], words: Sequence[str]
) -> int:
    """Search; return the exit code.

    Parameters
    ----------
    context, task, composed
        What Hydra hands to a sweeper.
    given : mapping
        The keys of ``hydra.sweeper``.
    words : sequence of str
        The command line's overrides.
    """
    # Its own lines would name trials a second time, and quote what failed.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    command = same_command("train", sys.argv[1:])
    try:
        refuse_ids_in(words)
        options = _options(given)
        composed = without_password(composed, options.storage)
        if composed.hydra.runtime.choices.get("hydra/launcher") != "basic":
            raise SweepError(
                "`hydra/launcher` must be basic for a sweep, but got another one. To use more processes or machines, "
                "start the same command several times, or set hydra.sweeper.n_workers."
            )
        with interruptible():
            return Sweep(context, task, composed, options, words).run(command)
    except Interruption as stop:
        if not is_worker():
            print(f"\n{stop}; the same command goes on with the study.", file=sys.stderr)
        return stop.exit_code
    except SQLAlchemyError as error:  # its text may hold what was written
        print(
            f"error: `hydra.sweeper.storage={shown_url(str(given.get('storage')))}` does not answer any more "
            f"({type(error).__name__}). What was finished is there; the same command goes on.",
            file=sys.stderr,
        )
        return 1
    except BrainageError as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            raise
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _options(given: Mapping[str, Any]) -> Options:
    plain: dict[str, Any] = {
        key: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        for key, value in given.items()
    }
    plain["objectives"] = tuple(plain["objectives"])
    return Options(**plain)
