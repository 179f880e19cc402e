"""Formats of participants' files, by the end of their names."""

from __future__ import annotations

import gzip
import io
import math
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Any, BinaryIO, cast

import numpy as np

from brainage.data.store.parse import MAX_BYTES, Recording, parse_npy, parse_text, read_bounded
from brainage.errors import SeriesError

# Libraries of single formats are imported where they are used: worker processes import this module.


def parse_mat(data: bytes, key: str | None = None) -> Recording:
    """Return a variable of a MATLAB file of version 4 to 7: the one called `key`, or its only table of numbers."""
    from scipy.io import loadmat, whosmat

    if data[:128].startswith(b"MATLAB 7.3") or data[:8] == b"\x89HDF\r\n\x1a\n":
        raise SeriesError("a MATLAB 7.3 file", "save it with -v7, or as text")
    shapes = {name: shape for name, shape, kind in whosmat(io.BytesIO(data)) if _is_table(shape, kind)}
    if key is None and len(shapes) == 1:
        key = next(iter(shapes))
    if key not in shapes:
        raise SeriesError("not one table of numbers", f"{len(shapes)} tables of numbers; cohort.key=NAME chooses one")
    if math.prod(shapes[key]) * 8 > MAX_BYTES:
        raise SeriesError("too large", f"more than {MAX_BYTES / 2**20:.0f} MB of numbers")
    values = loadmat(io.BytesIO(data), variable_names=[key])[key]
    if not np.isrealobj(values):
        raise SeriesError("not one table of numbers", "complex numbers")
    return Recording(np.asarray(values, np.float64))


def _is_table(shape: Iterable[int], kind: str) -> bool:
    return len(tuple(shape)) == 2 and (kind in ("double", "single") or kind.startswith(("int", "uint")))


def read_cifti(path: Path) -> Recording:
    """Return the parcels' series of a CIFTI-2 file (``.ptseries.nii``), with their names and the repetition time."""
    from nibabel.cifti2.cifti2 import Cifti2Image
    from nibabel.cifti2.cifti2_axes import ParcelsAxis, SeriesAxis

    image: Any = Cifti2Image.from_filename(path)
    if math.prod(image.shape) * 8 > MAX_BYTES:
        raise SeriesError("too large", f"more than {MAX_BYTES / 2**20:.0f} MB of numbers")
    axes = [image.header.get_axis(number) for number in range(image.ndim)]
    if [type(axis) for axis in axes] != [SeriesAxis, ParcelsAxis]:
        raise SeriesError("not parcels over time", ", ".join(type(axis).__name__ for axis in axes))
    t_r = float(axes[0].step) if axes[0].unit == "SECOND" and axes[0].step > 0 else None
    return Recording(np.asarray(image.dataobj, np.float64), tuple(map(str, axes[1].name)), t_r=t_r)


_TEXT: dict[str, str | None] = {".txt": None, ".1D": None, ".csv": ",", ".tsv": "\t"}
CIFTI = ".ptseries.nii"

# Ends of names of files that can be read.
EXTENSIONS = (".tsv", ".csv", ".csv.gz", ".npy", ".txt", ".1D", ".tsv.gz", ".txt.gz", ".mat", CIFTI)


def read_file(path: Path, key: str | None = None) -> Recording:
    """Read a file by the end of its name; one that is not known is text, separated by white space.

    Parameters
    ----------
    path : Path
        The file.
    key : str or None
        The variable of a MATLAB file.

    Raises
    ------
    SeriesError, OSError
        It has no table of numbers, or cannot be read.
    """
    if path.name.endswith(CIFTI):
        return read_cifti(path)
    with path.open("rb") as file:
        return read_stream(file, path, key)


def read_stream(file: BinaryIO, path: PurePath, key: str | None = None) -> Recording:
    """Read an open file, of any format but CIFTI-2, by the end of its name; see `read_file`."""
    zipped = path.suffix == ".gz"
    data = read_bounded(cast(BinaryIO, gzip.GzipFile(fileobj=file)) if zipped else file)
    if path.suffix == ".mat":
        return parse_mat(data, key)
    return parse_npy(data) if path.suffix == ".npy" else parse_text(data, delimiter_of(path))


def delimiter_of(path: PurePath) -> str | None:
    """Return what separates the numbers of a text file; None is white space."""
    return _TEXT.get(path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix)
