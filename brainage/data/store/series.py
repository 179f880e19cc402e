"""One participant's component time series: read, check and z-score."""

from __future__ import annotations

import gzip
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from brainage.errors import SeriesError

FloatArray = NDArray[np.floating[Any]]


class Scan(Protocol):
    """One participant's scan. It must be picklable, so that worker processes can read it."""

    def read(self) -> FloatArray:
        """Return the raw series, an array of shape (n_times, n_components), or raise SeriesError."""
        ...

    def stamp(self) -> tuple[str | int | float, ...]:
        """Return values that change whenever the series may have changed; the store's fingerprint depends on them."""
        ...


@dataclass(frozen=True)
class FileScan:
    """A ``.txt`` (separated by white space), ``.tsv``, ``.csv``, ``.csv.gz`` or ``.npy`` file, one row a time point.

    The stamp contains the path relative to the cohort's folder `root`, so a cohort that is moved keeps its store.
    """

    path: Path
    root: Path

    def read(self) -> FloatArray:
        """Return the raw series; see Scan."""
        with _unreadable_as_series_error():
            if self.path.suffix == ".npy":
                return _two_dimensional(np.load(self.path, allow_pickle=False))
            data = self.path.read_bytes()
            if self.path.suffix == ".gz":
                data = gzip.decompress(data)
        if ".csv" in self.path.suffixes:
            return parse_text(data, delimiter=",")
        return parse_text(data, delimiter="\t" if self.path.suffix == ".tsv" else None)

    def stamp(self) -> tuple[str | int | float, ...]:
        """Return path, size and modification time; see Scan."""
        return _file_stamp(self.path, self.root)


@dataclass(frozen=True)
class ZipScan:
    """A text file inside a zip archive, which is opened only when it is read; see FileScan.

    The file's name is `member` or, if there is none, one of `alternatives`.
    """

    path: Path
    root: Path
    member: str
    alternatives: tuple[str, ...] = ()

    def read(self) -> FloatArray:
        """Return the raw series; see Scan."""
        with _unreadable_as_series_error(), zipfile.ZipFile(self.path) as archive:
            members = set(archive.namelist())
            for name in (self.member, *self.alternatives):
                if name in members:
                    return parse_text(archive.read(name))
        raise SeriesError("not in the archive", f"the zip has no `{self.member}`")

    def stamp(self) -> tuple[str | int | float, ...]:
        """Return path, size, modification time and members; see Scan."""
        return (*_file_stamp(self.path, self.root), self.member, *self.alternatives)


def parse_text(data: bytes, delimiter: str | None = None) -> FloatArray:
    """Parse numbers, one line a time point, into float64 of shape (n_times, n_components), or raise SeriesError.

    With a delimiter, the first line may be a header; None splits at any white space.
    """
    if not data.strip():
        raise SeriesError("empty file")
    if delimiter is not None and _is_header(data.split(b"\n", 1)[0], delimiter):
        data = data.partition(b"\n")[2]
        if not data.strip():
            raise SeriesError("empty file", "only a header line")
    try:
        text = data.decode("ascii").lstrip()
        if not text:  # str counts more characters as white space than bytes does
            raise SeriesError("empty file")
        # numpy reads a list of lines slightly faster than a stream.
        return np.loadtxt(text.split("\n"), ndmin=2, comments=None, delimiter=delimiter)
    except UnicodeDecodeError:
        raise SeriesError("not a text file", "bytes that are not ASCII") from None
    except ValueError as error:
        if "number of columns changed" in str(error):
            raise SeriesError("lines of different length") from None
        raise SeriesError("not a number where a number belongs") from None


def checked_series(raw: FloatArray, n_components: int, n_times: int) -> NDArray[np.float32]:
    """Check raw series, one row a time point, and z-score each component over the first `n_times` time points.

    Returns float32 of shape (n_components, n_times), or raises SeriesError.
    """
    found_times, found_components = raw.shape
    if found_components != n_components:
        raise SeriesError("wrong number of columns", f"{found_components}, expected {n_components}")
    if found_times < n_times:
        raise SeriesError("too few time points", f"{found_times}, expected at least {n_times}")
    if not np.isfinite(raw).all():
        raise SeriesError("NaN or infinity")
    series = np.ascontiguousarray(raw[:n_times].T, dtype=np.float64)
    # Scaled first, because the square of a very large or small number overflows or underflows.
    series /= np.maximum(np.abs(series).max(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    series -= series.mean(axis=1, keepdims=True)
    sd = series.std(axis=1, keepdims=True)
    # A constant such as 0.1 has an SD of 1e-17, not 0.
    constant = np.flatnonzero(sd[:, 0] < 1e-12)
    if constant.size:
        raise SeriesError("constant component", f"number {', '.join(str(c + 1) for c in constant)}")
    checked: NDArray[np.float32] = (series / sd).astype(np.float32)
    return checked


@contextmanager
def _unreadable_as_series_error() -> Iterator[None]:
    """Raise any error about a damaged or foreign file as SeriesError, which excludes the participant."""
    try:
        yield
    except SeriesError:
        raise
    except zipfile.BadZipFile:
        raise SeriesError("not a whole zip archive") from None
    # RuntimeError: an encrypted archive; NotImplementedError, one of them: an unknown compression.
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError, RuntimeError) as error:
        raise SeriesError("unreadable file", type(error).__name__) from None


def _two_dimensional(array: object) -> FloatArray:
    if not isinstance(array, np.ndarray):
        raise SeriesError("not a table of numbers", "an archive of arrays")  # an .npz under another name
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise SeriesError("not a table of numbers", f"{array.ndim} axes of {array.dtype}")
    return array.astype(np.float64)


def _is_header(line: bytes, delimiter: str) -> bool:
    """Return whether no field of a line is empty or a number."""

    def numeric(field: bytes) -> bool:
        try:
            float(field)
        except ValueError:
            return False
        return True

    return not any(numeric(field.strip()) or not field.strip() for field in line.split(delimiter.encode()))


def _file_stamp(path: Path, root: Path) -> tuple[str | int | float, ...]:
    status = path.stat()
    return (path.relative_to(root).as_posix(), status.st_size, status.st_mtime_ns)
