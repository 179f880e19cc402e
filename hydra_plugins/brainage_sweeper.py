"""Hydra's hook for the sweeper. Hydra imports it at every start of every app, so it imports Hydra only."""

from __future__ import annotations

import sys
from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class BrainageSweeper(Sweeper):
    """Optuna over the jobs of ``train``; `brainage.sweep` has the implementation.

    Parameters
    ----------
    **settings : Any
        The keys of ``hydra.sweeper``.
    """

    def __init__(self, **settings: Any) -> None:
        self._settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra passes."""
        self._job = (hydra_context, task_function, config)

    def sweep(self, arguments: list[str]) -> None:
        """Run the sweep, and exit with its code, unless it ends as a multirun does."""
        from brainage.sweep.command import run

        if (code := run(*self._job, self._settings, arguments)) is not None:
            sys.exit(code)
