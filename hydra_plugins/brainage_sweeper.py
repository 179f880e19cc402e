"""Where Hydra finds the sweeper: it looks into this package only, and at every start."""

from __future__ import annotations

import sys
from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class BrainageSweeper(Sweeper):
    """Optuna over the same entrypoint; `brainage.sweep` does the work.

    Parameters
    ----------
    **options : Any
        The keys of ``hydra.sweeper``; see `brainage.sweep.settings.Options`.
    """

    def __init__(self, **options: Any) -> None:
        self._options = options

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra hands over."""
        self._given = (hydra_context, task_function, config)

    def sweep(self, arguments: list[str]) -> None:
        """Search."""
        from brainage.sweep.command import run

        sys.exit(run(*self._given, self._options, arguments))
