"""Several processes of the same command, on one machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from brainage.system.console import log
from brainage.system.signals import Interruption

# Tells a process that it is one of several, which another one started and waits for.
_MARK = "BRAINAGE_SWEEP_WORKER"


def is_worker() -> bool:
    """Tell whether this process was started by `run_workers`."""
    return _MARK in os.environ


def run_workers(n_workers: int, command: list[str]) -> int:
    """Start the same command several times, and wait for all.

    Parameters
    ----------
    n_workers : int
        How many; torch's threads are divided among them.
    command : list of str
        What was called, behind ``python``.

    Returns
    -------
    int
        0 if all ended well; else the exit code of the first that did not.

    Raises
    ------
    Interruption
        The process was asked to stop; so were the others, and they have ended.
    """
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if n_workers > n_cores:
        log.warning(
            "`hydra.sweeper.n_workers=%d` is more than the %d cores here: they wait for each other.", n_workers, n_cores
        )
    threads = str(max(1, n_cores // n_workers))
    environment = {**os.environ, _MARK: "1", "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    processes = [subprocess.Popen([sys.executable, *command], env=environment) for _ in range(n_workers)]
    try:
        codes = [process.wait() for process in processes]
    except Interruption as stop:
        for process in processes:
            if stop.signum != signal.SIGINT:  # a terminal sends that one to everybody
                process.send_signal(stop.signum)
        for process in processes:
            process.wait()
        raise
    # A signal's number stands there as a negative one: such a worker was killed, and the study is short of its trials.
    return next((max(code, 1) for code in codes if code), 0)
