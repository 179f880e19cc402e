"""Work on many scans in parallel. Worker processes import this module at their start, so it imports little."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import TypeVar

from brainage.errors import StoreError
from brainage.system.console import log
from brainage.system.tasks import count_cores

T = TypeVar("T")
R = TypeVar("R")

# With fewer scans, starting worker processes takes longer than reading.
_MIN_SCANS_FOR_WORKERS = 128


def for_each(work: Callable[[T], R], items: Sequence[T]) -> Generator[R, None, None]:
    """Yield the result of `work` for each item, in order; both must be picklable.

    Raises StoreError if a worker process is killed.
    """
    n_cores = count_cores()
    pool = None if n_cores == 1 or len(items) < _MIN_SCANS_FOR_WORKERS else _pool(n_cores)
    if pool is None:
        yield from map(work, items)
        return
    with pool as workers:
        try:
            yield from workers.map(work, items, chunksize=8)
        except BrokenProcessPool:
            raise StoreError(
                f"`cohort`: one of the {n_cores} processes that read participants' files was killed, most often "
                "because memory ran out. Ask for more memory or for fewer cores (`taskset -c 0` before the command "
                "gives it one), and run again."
            ) from None
        finally:
            workers.shutdown(wait=True, cancel_futures=True)


def _pool(n_cores: int) -> ProcessPoolExecutor | None:
    """Return worker processes; None, with a warning, if the system has no shared memory for their locks."""
    try:
        # Spawned, not forked: a job of a multirun may have started torch's threads already.
        return ProcessPoolExecutor(n_cores, mp_context=get_context("spawn"), initializer=_begin_worker)
    except (OSError, ImportError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        log.warning(
            "Shared memory, /dev/shm, cannot be used (%s), so one process reads the participants' files instead of %d. "
            "Containers need it: docker run --shm-size=64m, or a mounted /dev/shm.",
            reason,
            n_cores,
        )
        return None


def _begin_worker() -> None:
    """Ignore what the parent handles, Ctrl-C and SLURM's signal before a time limit, and exit when the parent does."""
    for signum in (signal.SIGINT, signal.SIGUSR2):
        signal.signal(signum, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)
