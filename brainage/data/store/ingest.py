"""Reading many scans at once. Worker processes import this module, and wait for all that it imports: it is little."""

from __future__ import annotations

import os
import signal
import threading
import zlib
from collections.abc import Generator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context, parent_process
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brainage.data.store.series import Scan, checked_series
from brainage.errors import SeriesError, StoreError

# Below this many scans, starting worker processes takes longer than the work.
_FEWEST_FOR_WORKERS = 128

# A participant's series, or the checksum of the row that holds them already, or the reason against them.
Result = tuple[str, NDArray[np.float32] | int | SeriesError]


@dataclass(frozen=True)
class Rows:
    """An array on the disk into which several processes write, each its own rows.

    Parameters
    ----------
    path : Path
        The file; it exists when the first row is written.
    offset : int
        Where its first row begins, in bytes.
    shape : tuple of int
        Of one row: (n_components, n_times).
    """

    path: Path
    offset: int
    shape: tuple[int, int]

    def write(self, row: int, series: NDArray[np.float32]) -> int:
        """Write a row, from 0; return its checksum."""
        data = np.ascontiguousarray(series, dtype=np.float32).data
        with self.path.open("r+b", buffering=0) as file:
            file.seek(self.offset + row * data.nbytes)
            written = 0
            while written < data.nbytes:  # a disk that is full takes a part, and then refuses the rest
                written += file.write(data.cast("B")[written:])
        return zlib.crc32(data)


def read_all(scans: Mapping[str, Scan], rows: Rows) -> Generator[Result, None, None]:
    """Read every scan, in parallel over the cores, and write the series into rows: the first id's into the first, ...

    Parameters
    ----------
    scans : mapping of str to Scan
        A scan a `participant_id`.
    rows : Rows
        Where the series go; longer ones are cut. The row of a scan that cannot be used stays empty.

    Yields
    ------
    tuple of (str, int or SeriesError)
        A participant's id and their row's checksum, or the reason against them; sorted by id.

    Raises
    ------
    StoreError
        A process that read was killed.
    """
    ids = sorted(scans)
    read, sorted_scans = partial(_read_one, rows), [scans[person] for person in ids]
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if n_cores == 1 or len(ids) < _FEWEST_FOR_WORKERS:
        yield from zip(ids, map(read, range(len(ids)), sorted_scans), strict=True)
        return
    # Spawned, not forked: a job of a multirun may have started torch's threads already.
    with ProcessPoolExecutor(n_cores, mp_context=get_context("spawn"), initializer=_begin_worker) as workers:
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


def _begin_worker() -> None:
    """Leave Ctrl-C, which a terminal sends to every process, to the one that waits for this one; end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Wait for the parent's end: nothing else tells a worker that it was killed."""
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)


def _read_one(rows: Rows, row: int, scan: Scan) -> int | SeriesError:
    try:
        return rows.write(row, checked_series(scan.read(), *rows.shape))
    except SeriesError as error:
        return error
