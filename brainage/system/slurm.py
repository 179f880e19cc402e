"""Jobs of SLURM that run the command of the process that submitted them.

What submitit pickles, and unpickles in the job, is a `Job`: the words of a command. Nothing else is unpickled.
"""

from __future__ import annotations

import getpass
import io
import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from pathlib import Path
from types import ModuleType
from typing import Any

from brainage.errors import ConfigError
from brainage.system.console import log
from brainage.system.files import ROOT, refuse_links
from brainage.system.signals import also_stopped_by
from brainage.system.tasks import ARRAY_NUMBER

# In the folder of a multirun: what submitit writes.
SUBMITTED = ".submitit"

# Seconds between two looks at the queue.
_PAUSE = 5.0


class Job:
    """A command that runs in a job of an array, in the place of the process that submitted it.

    Parameters
    ----------
    words : sequence of str
        The command line, with the name of the command.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._called, self._words = sys.argv[0], [*words]

    def __call__(self, number: int) -> None:
        """Run the command; if it is stopped before the time limit, submitit requeues the job."""
        os.environ[ARRAY_NUMBER] = str(number)
        sys.argv = [self._called, *self._words]
        also_stopped_by(signal.SIGUSR2)
        try:
            runpy.run_module("brainage", run_name="__main__")
        except SystemExit as end:
            if end.code == 128 + signal.SIGUSR2:
                signal.raise_signal(signal.SIGUSR2)  # submitit's handler, now that the work has stopped in order
            if end.code:
                raise

    def checkpoint(self, number: int) -> Any:
        """Return what the requeued job runs: the same, as a command continues what its folder contains."""
        return _submitit().helpers.DelayedSubmission(self, number)


def check_slurm() -> None:
    """Raise a `ConfigError` if jobs of SLURM cannot be submitted here."""
    _submitit()
    missing = [name for name in ("sbatch", "srun", "squeue") if shutil.which(name) is None]
    if missing:
        raise ConfigError(
            f"`hydra/launcher=submitit_slurm` needs SLURM's commands, but {', '.join(missing)} cannot be found. Start "
            "the command on a node of the cluster, or leave hydra/launcher out."
        )


def _submitit() -> ModuleType:
    try:
        import submitit  # a fifth of a second
    except ImportError:
        raise ConfigError(
            '`hydra/launcher=submitit_slurm` needs submitit, which is not installed: pip install "brainage[slurm]".'
        ) from None
    return submitit


def submit(
    folder: Path, settings: Mapping[str, Any], max_num_timeout: int, words: Sequence[str], numbers: Sequence[int]
) -> str:
    """Submit a job of a command for each number, and return the id of their array; `folder` gets their files.

    Raises a `ConfigError` if SLURM refuses the jobs.
    """
    submitit = _submitit()
    refuse_links(folder)  # a job unpickles what is in it
    # Where Python finds this package in the job, too, if it is not installed.
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    executor = submitit.SlurmExecutor(folder, max_num_timeout=max_num_timeout)
    executor.update_parameters(**settings)
    try:
        with (
            submitit.helpers.environment_variables(PYTHONPATH=os.pathsep.join(filter(None, paths))),
            redirect_stderr(io.StringIO()),  # submitit prints what sbatch says
        ):
            jobs = executor.map_array(Job(words), numbers)
    except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError) as error:
        if not earlier_arrays(folder):
            shutil.rmtree(folder)
        said = dict.fromkeys(line.rpartition("error: ")[2] for line in str(error).splitlines() if line.strip())
        raise ConfigError(
            f"`hydra.launcher` must be jobs that SLURM accepts, but sbatch says: {'; '.join(said)}. Correct it with "
            "hydra.launcher.KEY=VALUE; `sinfo` lists the partitions."
        ) from None
    return str(jobs[0].job_id).partition("_")[0]


def earlier_arrays(folder: Path) -> list[str]:
    """Return the ids of the arrays that were submitted with this folder."""
    return sorted(path.name.partition("_")[0] for path in folder.glob("*_submission.sh"))


def wait_for_earlier(folder: Path) -> None:
    """Wait until jobs that an earlier start submitted with this folder have ended."""
    if states := queued(earlier := earlier_arrays(folder)):
        log.info("%d jobs of an earlier start are still in the queue; waiting for them.", states.total())
        wait_for(earlier)


def queued(arrays: Sequence[str]) -> Counter[str] | None:
    """Return the number of jobs of these arrays that have not ended, by state; None if SLURM does not answer.

    A pending job has a reason, such as Resources, or PartitionTimeLimit for one that never starts.
    """
    words = ["squeue", "--noheader", "--array", "--format=%F %T %r", f"--user={getpass.getuser()}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    jobs = (line.split(maxsplit=2) for line in done.stdout.splitlines())
    own = ((state, reason) for array, state, reason in jobs if array in arrays)
    return Counter(state.lower() if reason == "None" else f"{state.lower()} ({reason})" for state, reason in own)


def wait_for(arrays: Sequence[str]) -> None:
    """Wait until all jobs of these arrays have ended, and log their states when these change."""
    shown: Counter[str] | None = Counter()
    while (now := queued(arrays)) is None or now:
        if now != shown:
            states = "SLURM does not answer; waiting" if now is None else None
            log.info("%s", states or ", ".join(f"{count} {state}" for state, count in sorted((now or {}).items())))
        shown = now
        time.sleep(_PAUSE)
