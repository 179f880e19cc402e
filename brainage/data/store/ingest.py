"""Reading many scans in parallel. Worker processes import this module at their start, so it imports little."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Generator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context, parent_process
from typing import Any

from brainage.data.store.checked import Checked
from brainage.data.store.reading import Reading
from brainage.data.store.rows import Rows
from brainage.data.store.series import Scan
from brainage.data.store.several import read_scan
from brainage.errors import SeriesError, StoreError
from brainage.system.console import log

# With fewer scans, starting worker processes takes longer than reading.
_MIN_SCANS_FOR_WORKERS = 128

# A participant id with their series, or the reason for exclusion.
Result = tuple[str, Checked[Any] | SeriesError]


def read_all(scans: Mapping[str, Scan], rows: Rows | None, reading: Reading) -> Generator[Result, None, None]:
    """Read every scan, write its series to the row of its position among the sorted ids, and yield each result.

    The row of an excluded scan stays empty. Without `rows`, results have the series. Raises StoreError if a worker
    process is killed.
    """
    ids = sorted(scans)
    read, sorted_scans = partial(_read_one, rows, reading), [scans[participant] for participant in ids]
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    pool = None if n_cores == 1 or len(ids) < _MIN_SCANS_FOR_WORKERS else _pool(n_cores)
    if pool is None:
        yield from zip(ids, map(read, range(len(ids)), sorted_scans), strict=True)
        return
    with pool as workers:
        try:
            yield from zip(ids, workers.map(read, range(len(ids)), sorted_scans, chunksize=8), strict=True)
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
    """Ignore SIGINT, which the parent handles, and exit when the parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)


def _read_one(rows: Rows | None, reading: Reading, row: int, scan: Scan) -> Checked[Any] | SeriesError:
    try:
        found = read_scan(scan, reading)
    except SeriesError as error:
        return error
    if rows is None:
        return found
    written: Checked[int] = Checked(**{**vars(found), "series": rows.write(row, found.series)})
    return written
