"""Tasks that a cluster started with the same command, and the cores of one."""

from __future__ import annotations

import os

from brainage.errors import ConfigError

# How many tasks run this command: Slurm (of this step, of the job), torchrun, Open MPI, LSF.
_COUNTS = ("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS", "WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "JSM_NAMESPACE_SIZE")

# In a job that this project submitted: its number in the array.
ARRAY_NUMBER = "BRAINAGE_ARRAY_NUMBER"


def count_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def array_number() -> int | None:
    """Return the number of this job in the array of a multirun; None in any other process."""
    number = os.environ.get(ARRAY_NUMBER)
    return None if number is None else int(number)


def refuse_several_tasks() -> None:
    """Raise a `ConfigError` if several tasks run this command: each would train the same run."""
    given = {name: os.environ[name] for name in _COUNTS if name in os.environ}
    if "SLURM_STEP_NUM_TASKS" in given:
        given.pop("SLURM_NTASKS", None)
    for name, count in given.items():
        if count.isdigit() and int(count) > 1:
            raise ConfigError(
                f"`{name}` must be 1 for a run, which one task trains on one device, but got {count}. Start one task "
                "(srun --ntasks=1; more cores with --cpus-per-task), or several workers of a sweep with --multirun "
                "sweep=NAME."
            )
