"""Hydra's hook for jobs of SLURM. Hydra imports it at every start of every app, so it imports Hydra only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.utils import JobReturn


class SlurmLauncher(BasicLauncher):
    """Jobs of a grid as an array of SLURM; `brainage.runs.queue` has the implementation.

    Parameters
    ----------
    **settings : Any
        The keys of ``hydra.launcher``.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__()  # the config has the settings, too

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Submit the jobs, and wait for them; in a job, run it as the basic launcher does."""
        from brainage.runs.queue import array_number, queue

        assert self.config is not None
        jobs = dict(enumerate(job_overrides, start=initial_job_idx))
        if (number := array_number()) is None:
            queue(self.config, list(jobs))
            return []
        return super().launch([jobs[number]], number) if number in jobs else []
