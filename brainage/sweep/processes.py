"""Several processes of the same sweep on one machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from brainage.config.groups.launcher import SlurmConfig
from brainage.sweep.storage_errors import StorageLost
from brainage.system.console import log
from brainage.system.signals import Interruption
from brainage.system.slurm import submit, wait_for
from brainage.system.tasks import array_number, count_cores

# The exit code of a worker whose storage did not answer: the command that started it says so.
LOST = 75

# The environment variable of processes that `run_workers` started: the process that started them.
_MARK = "BRAINAGE_SWEEP_WORKER"

# Seconds between two looks of a worker at the process that started it.
_PAUSE = 0.5


def is_worker() -> bool:
    """Return whether this process was started by `run_workers` or `queue_workers`."""
    return _MARK in os.environ or array_number() is not None


def end_with_parent() -> None:
    """Send a worker of `run_workers` SIGTERM once the process that started it has died, even by SIGKILL."""
    if _MARK not in os.environ:  # of a cluster
        return
    parent = int(os.environ[_MARK])

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PAUSE)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def run_workers(n_workers: int, command: list[str]) -> int:
    """Start the same command in several processes, wait for all, and return 0 or the first other exit code.

    Torch's threads are divided among them.
    """
    n_cores = count_cores()
    if n_workers > n_cores:
        warning = "`hydra.sweeper.n_workers=%d` is more than the %d cores here: workers wait for each other."
        log.warning(warning, n_workers, n_cores)
    threads = str(max(1, n_cores // n_workers))
    environment = {**os.environ, _MARK: str(os.getpid()), "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    processes = [subprocess.Popen([sys.executable, *command], env=environment) for _ in range(n_workers)]
    try:
        codes = [process.wait() for process in processes]
    except Interruption as stop:
        for process in processes:
            if stop.signum != signal.SIGINT:  # a terminal sends SIGINT to all of them
                process.send_signal(stop.signum)
        for process in processes:
            process.wait()
        raise
    if LOST in codes:
        raise StorageLost
    # The code of a killed worker is negative.
    return next((max(code, 1) for code in codes if code), 0)


def queue_workers(n_workers: int, slurm: SlurmConfig, words: Sequence[str], folder: Path) -> None:
    """Submit the same command, given by its words, to SLURM as an array of workers, and wait for all.

    `folder` gets their files.
    """
    array = submit(folder, slurm.of_submitit, slurm.max_num_timeout, words, range(n_workers))
    text = "Submitted to SLURM as array %s (scancel %s ends it), workers: %d; what they print is in %s"
    log.info(text, array, array, n_workers, folder)
    wait_for([array])
