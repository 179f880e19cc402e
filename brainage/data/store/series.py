"""One participant's component time series: find it, read it, check it, z-score it."""

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
    """One participant's scan, wherever its time series come from. Picklable, so that workers can read it."""

    def read(self) -> FloatArray:
        """Return the raw series, an array of shape (n_times, n_components), or raise SeriesError."""
        ...

    def stamp(self) -> tuple[str | int | float, ...]:
        """Return what changes whenever the content may have changed; the store is keyed by it."""
        ...


@dataclass(frozen=True)
class FileScan:
    """A text or NumPy file of shape (n_times, n_components).

    Parameters
    ----------
    path : Path
        The file: whitespace-separated ``.txt``, ``.tsv``, ``.csv``, ``.csv.gz`` or ``.npy``.
    root : Path
        The cohort's folder; the stamp names the file relative to it, so a moved cohort keeps its store.
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
    """A text file inside a zip archive, read in place.

    Parameters
    ----------
    path : Path
        The archive.
    root : Path
        The cohort's folder; see FileScan.
    member : str
        The text file's name inside the archive.
    alternatives : tuple of str, default=()
        Names that it may have instead; which one is only known once the archive is opened.
    """

    path: Path
    root: Path
    member: str
    alternatives: tuple[str, ...] = ()

    def read(self) -> FloatArray:
        """Return the raw series; see Scan."""
        with _unreadable_as_series_error(), zipfile.ZipFile(self.path) as archive:
            present = set(archive.namelist())
            for name in (self.member, *self.alternatives):
                if name in present:
                    return parse_text(archive.read(name))
        raise SeriesError("not in the archive", f"the zip holds no `{self.member}`")

    def stamp(self) -> tuple[str | int | float, ...]:
        """Return path, member, size and modification time; see Scan."""
        return (*_file_stamp(self.path, self.root), self.member, *self.alternatives)


def parse_text(data: bytes, delimiter: str | None = None) -> FloatArray:
    """Parse numbers, one time point a line.

    Parameters
    ----------
    data : bytes
        The file's content. A ``.csv`` or ``.tsv`` may begin with one line of names.
    delimiter : str or None, default=None
        What stands between numbers; None is any white space.

    Returns
    -------
    array of shape (n_times, n_components)
        float64.

    Raises
    ------
    SeriesError
        The content is empty, is not a table of numbers, or its lines differ in length.
    """
    if not data.strip():
        raise SeriesError("empty file")
    if delimiter is not None and _is_header(data.split(b"\n", 1)[0], delimiter):
        data = data.split(b"\n", 1)[1] if b"\n" in data else b""
        if not data.strip():
            raise SeriesError("empty file", "only a header line")
    try:
        text = data.decode("ascii").lstrip()
        if not text:  # of text, more counts as white space than of bytes
            raise SeriesError("empty file")
        # A list of lines: it is read a little faster than a stream.
        lines = text.split("\n")
        return np.loadtxt(lines, ndmin=2, comments=None, delimiter=delimiter)
    except UnicodeDecodeError:
        raise SeriesError("not a text file", "bytes that are not ASCII") from None
    except ValueError as error:
        if "number of columns changed" in str(error):
            raise SeriesError("lines of different length") from None
        raise SeriesError("not a number where a number belongs") from None


def checked_series(raw: FloatArray, n_components: int, n_times: int) -> NDArray[np.float32]:
    """Check one participant's series, crop them to the first `n_times` points and z-score each component.

    Parameters
    ----------
    raw : array of shape (n_times_of_the_file, n_components)
        As read.
    n_components : int
        The number of components that the modality has.
    n_times : int
        Time points to keep.

    Returns
    -------
    array of shape (n_components, n_times)
        float32; mean 0 and population SD 1 over time.

    Raises
    ------
    SeriesError
        Too few time points, another number of components, NaN or infinity, or a constant component.
    """
    found_times, found_components = raw.shape
    if found_components != n_components:
        raise SeriesError("wrong number of columns", f"{found_components}, expected {n_components}")
    if found_times < n_times:
        raise SeriesError("too few time points", f"{found_times}, expected at least {n_times}")
    if not np.isfinite(raw).all():
        raise SeriesError("NaN or infinity")
    series = np.ascontiguousarray(raw[:n_times].T, dtype=np.float64)
    # Scaled first: squares of very large or very small numbers leave the range of a float.
    series /= np.maximum(np.abs(series).max(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    series -= series.mean(axis=1, keepdims=True)
    sd = series.std(axis=1, keepdims=True)
    # A constant like 0.1 has an SD of 1e-17, not 0.
    constant = np.flatnonzero(sd[:, 0] < 1e-12)
    if constant.size:
        raise SeriesError("constant component", f"number {', '.join(str(c + 1) for c in constant)}")
    checked: NDArray[np.float32] = (series / sd).astype(np.float32)
    return checked


@contextmanager
def _unreadable_as_series_error() -> Iterator[None]:
    """Turn what reading a damaged or foreign file raises into the one error that excludes a participant."""
    try:
        yield
    except zipfile.BadZipFile:
        raise SeriesError("not a whole zip archive") from None
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise SeriesError("unreadable file", type(error).__name__) from None
    except (ValueError, RuntimeError, NotImplementedError) as error:
        if isinstance(error, SeriesError):
            raise
        # RuntimeError: an encrypted archive; NotImplementedError: an unknown compression.
        raise SeriesError("unreadable file", type(error).__name__) from None


def _two_dimensional(array: object) -> FloatArray:
    if not isinstance(array, np.ndarray):
        raise SeriesError("not a table of numbers", "an archive of arrays")  # an .npz under another name
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise SeriesError("not a table of numbers", f"{array.ndim} axes of {array.dtype}")
    return array.astype(np.float64)


def _is_header(line: bytes, delimiter: str) -> bool:
    """Tell a line of names from a line of numbers: no field of it is a number."""

    def numeric(field: bytes) -> bool:
        try:
            float(field)
        except ValueError:
            return False
        return True

    fields = line.split(delimiter.encode())
    return not any(numeric(field.strip()) or not field.strip() for field in fields)


def _file_stamp(path: Path, root: Path) -> tuple[str | int | float, ...]:
    status = path.stat()
    return (path.relative_to(root).as_posix(), status.st_size, status.st_mtime_ns)
