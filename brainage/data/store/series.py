"""One participant's scan: where its series are, and reading them."""

from __future__ import annotations

import errno
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import BinaryIO, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from brainage.data.store.checked import Checked, check_series
from brainage.data.store.formats import delimiter_of, read_file, read_stream
from brainage.data.store.parse import FloatArray, Recording, recording_of
from brainage.data.store.reading import Reading
from brainage.data.store.resample import same
from brainage.errors import SeriesError


class UnreadableNowError(SeriesError):
    """The system could not read a file: the participant is excluded from this run only."""

    def __init__(self, kind: str = "cannot be read now", detail: str = "") -> None:
        super().__init__(kind, detail)


class Scan(Protocol):
    """One participant's scan. It must be picklable, so that worker processes can read it."""

    def read(self) -> Recording | FloatArray:
        """Return the raw series: what its file has, or an array of shape (n_times, n_components).

        An OSError excludes the participant from this run only, any other error for as long as the file is the same.
        SeriesError gives the reason.
        """
        ...

    def stamp(self) -> tuple[str | int | float, ...]:
        """Return values that change whenever the series may have changed; the store's fingerprint depends on them."""
        ...


@contextmanager
def errors_of_files() -> Iterator[None]:
    """Raise any error as SeriesError: one participant's file must not end the reading of all."""
    try:
        yield
    except SeriesError:
        raise
    except zipfile.BadZipFile:
        raise SeriesError("not a whole zip archive") from None
    except MemoryError:
        raise UnreadableNowError(detail="out of memory") from None
    except OSError as error:
        # A damaged archive may lead to a place that its file does not have, EINVAL; one that is no gzip has no number.
        if error.errno in (None, errno.EINVAL):
            raise SeriesError("unreadable file", type(error).__name__) from None
        raise UnreadableNowError(detail=error.strerror or type(error).__name__) from None
    except Exception as error:
        raise SeriesError("unreadable file", type(error).__name__) from None


@dataclass(frozen=True)
class FileScan:
    """A file in one of `brainage.data.store.formats`.

    The stamp contains the path relative to the cohort's folder `root`, so a cohort that is moved keeps its store. `key`
    is the variable of a MATLAB file, and `t_r` the repetition time, in seconds, that metadata beside the file have.
    """

    path: Path
    root: Path
    key: str | None = None
    t_r: float | None = None

    @errors_of_files()
    def read(self) -> Recording:
        """Return the raw series; see Scan."""
        return read_file(self.path, self.key)

    def stamp(self) -> tuple[str | int | float, ...]:
        """Return path, size and modification time; see Scan."""
        # Stores without this word may have a header of column numbers as the first time point.
        rules = () if delimiter_of(self.path) is None else ("numeric header",)
        return (*_file_stamp(self.path, self.root), *rules, *([self.key] if self.key else []))


@dataclass(frozen=True)
class TimedScan:
    """A scan whose series are resampled, from the repetition time `t_r`, in seconds; its stamp contains it."""

    scan: Scan
    t_r: float

    def read(self) -> Recording:
        """Return the raw series; see Scan."""
        recording = recording_of(self.scan.read())
        if recording.t_r is not None and not same(recording.t_r, self.t_r):
            raise SeriesError("two repetition times", f"{recording.t_r:g} s in the file, {self.t_r:g} s elsewhere")
        return replace(recording, t_r=self.t_r)

    def stamp(self) -> tuple[str | int | float, ...]:
        """Return the scan's stamp and the repetition time; see Scan."""
        return (*self.scan.stamp(), self.t_r)


@dataclass(frozen=True)
class ZipScan:
    """A file inside a zip archive, which is opened only when it is read; see FileScan.

    The file's name is `member` or, if there is none, one of `alternatives`.
    """

    path: Path
    root: Path
    member: str
    alternatives: tuple[str, ...] = ()

    @errors_of_files()
    def read(self) -> Recording:
        """Return the raw series; see Scan."""
        with zipfile.ZipFile(self.path) as archive:
            members = set(archive.namelist())
            for name in (self.member, *self.alternatives):
                if name in members:
                    with archive.open(name) as file:
                        return read_stream(cast(BinaryIO, file), PurePath(name))
        raise SeriesError("not in the archive", f"the zip has no `{self.member}`")

    def stamp(self) -> tuple[str | int | float, ...]:
        """Return path, size, modification time and members; see Scan."""
        return (*_file_stamp(self.path, self.root), self.member, *self.alternatives)


def read_checked(scan: Scan, reading: Reading) -> Checked[NDArray[np.float32]]:
    """Read a scan; see `check_series`. Whatever is wrong with its file is raised as SeriesError."""
    with errors_of_files():
        return check_series(scan.read(), reading)


def _file_stamp(path: Path, root: Path) -> tuple[str | int | float, ...]:
    status = path.stat()
    return (path.relative_to(root).as_posix(), status.st_size, status.st_mtime_ns)
