"""Scans and damage for tests of stores."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brainage.data.store.layout import Store
from brainage.data.store.open import open_store
from brainage.data.store.reading import Reading
from brainage.errors import SeriesError

N_COMPONENTS, N_TIMES = 3, 7


@dataclass(frozen=True)
class FakeScan:
    """Series made from a number; a negative one cannot be used."""

    number: int
    n_times: int = N_TIMES + 2

    def read(self) -> np.ndarray:
        if self.number < 0:
            raise SeriesError("NaN or infinity", "made so")
        return np.random.default_rng(self.number).normal(self.number, 5, (self.n_times, N_COMPONENTS))

    def stamp(self) -> tuple[str | int | float, ...]:
        return (self.number, self.n_times)


@dataclass(frozen=True)
class CountedScan(FakeScan):
    """Leaves a line in a file each time it is read; reads slowly."""

    log: str = ""

    def read(self) -> np.ndarray:
        with Path(self.log).open("a") as file:
            file.write("read\n")
        time.sleep(0.02)
        return super().read()


def make(root: Path, scans: dict[str, FakeScan], n_times: int = N_TIMES) -> Store:
    return open_store(root, scans, Reading(N_COMPONENTS, n_times))


def flip_a_byte(store: Store) -> None:
    path = store.folder / "series.npy"
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)


def truncate_the_index(store: Store) -> None:
    path = store.folder / "index.txt"
    path.write_bytes(path.read_bytes()[:-5])


class ChangingScan(FakeScan):
    """Its file changes each time it is read, `times` times."""

    changes = 0
    times = 1

    def read(self) -> np.ndarray:
        if ChangingScan.changes < ChangingScan.times:
            ChangingScan.changes += 1
        return super().read()

    def stamp(self) -> tuple[str | int | float, ...]:
        return (*super().stamp(), ChangingScan.changes)


# Recognisable, so that their absence from messages can be seen; p3 and p7 cannot be used.
PEOPLE = {f"secret-p{i}": FakeScan(-i if i in (3, 7) else i) for i in range(10)}


def without(*numbers: int) -> dict[str, FakeScan]:
    return {person: scan for person, scan in PEOPLE.items() if person not in {f"secret-p{i}" for i in numbers}}


def flip_behind_its_time(store: Store, row: int) -> None:
    """Flip a bit of a row, as a failing disk would: size and time of the file stay."""
    path = store.folder / "series.npy"
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[status.st_size - store.series.nbytes + row * store.series[0].nbytes] ^= 4
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
