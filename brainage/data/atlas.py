"""The atlas, or the maps, that channels were made with: a NIfTI file."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from brainage.errors import ConfigError, MissingPathError
from brainage.system.files import open_file
from brainage.system.reading import reason_of

# Bytes of a file, and voxels of all maps together: 1,000 maps of 2 mm.
_LARGEST, _VOXELS = 4 * 2**30, 10**9


@dataclass(frozen=True)
class Atlas:
    """An atlas of one label, or one map, for each channel of the files.

    Parameters
    ----------
    data : array of shape (x, y, z) or (x, y, z, n)
        Labels, 0 where there is none, or maps.
    affine : array of shape (4, 4)
        From voxels to millimetres of a standard space.
    labels : array of shape (n,) or None
        The labels, rising; None for maps.
    """

    data: NDArray[Any]
    affine: NDArray[np.float64]
    labels: NDArray[np.int64] | None = None

    def painted(self, channels: Sequence[int], effects: NDArray[np.float64]) -> nibabel.Nifti1Image:
        """Return effects in the brain: at labels, or summed over maps, each divided by its highest absolute value.

        Parameters
        ----------
        channels : sequence of int
            Numbers of the channels in the files, from 1; others have no effect.
        effects : array of shape (n_effects, n_channels)
            One volume of the image each.
        """
        places = np.array(channels) - 1
        n_all = self.data.shape[3] if self.labels is None else len(self.labels)
        values = np.zeros((len(effects), n_all), dtype=np.float32)
        values[:, places] = effects
        if self.labels is None:
            highest = abs(self.data).max(axis=(0, 1, 2), initial=0)
            volumes = self.data @ (values / np.where(highest > 0, highest, 1)).T
        else:
            at_label = np.concatenate([np.zeros((len(effects), 1), dtype=np.float32), values], axis=1)
            volumes = at_label.T[np.searchsorted(self.labels, self.data) + 1] * (self.data != 0)[..., None]
        return nibabel.Nifti1Image(volumes.astype(np.float32), self.affine)  # type: ignore[no-untyped-call]


def read_atlas(path: Path, n_channels: int, key: str, *, follow: bool = True) -> Atlas:
    """Read an atlas.

    Parameters
    ----------
    path : Path
        A NIfTI file (``.nii``, ``.nii.gz``): labels in three dimensions, or maps in four.
    n_channels : int
        Channels of the files, which are the labels in rising order, or the maps in theirs.
    key : str
        What names it, such as ``modality.atlas``.
    follow : bool
        Whether it may be a link: one that a run's folder names may not.

    Raises
    ------
    MissingPathError, ConfigError
        It cannot be read, is too large, or has another number of labels or maps.
    """
    name = f"`{key}={path}`"
    try:
        with open_file(path, "rb", limit=_LARGEST, follow=follow) as file:
            stream: Any = gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file
            image = nibabel.Nifti1Image.from_stream(stream)
            if np.prod(image.shape, dtype=float) > _VOXELS:
                raise ValueError(f"it has {' x '.join(map(str, image.shape))} voxels; at most {_VOXELS:,} are read")
            return checked_atlas(image, n_channels, name)
    except ConfigError:
        raise
    except (OSError, EOFError, ValueError, zlib.error, nibabel.spatialimages.HeaderDataError) as error:
        kind = MissingPathError if isinstance(error, FileNotFoundError) else ConfigError
        raise kind(
            f"{name} must be a NIfTI file (.nii or .nii.gz) of labels or maps, but cannot be read: {reason_of(error)}. "
            "Name the atlas that the series were made with."
        ) from None


def checked_atlas(image: nibabel.Nifti1Image, n_channels: int, name: str) -> Atlas:
    """Return the atlas of an image; raise a `ConfigError` if it has not one label or map a channel."""
    data = np.asanyarray(image.dataobj)
    data = data[..., 0] if data.ndim == 4 and data.shape[3] == 1 and n_channels > 1 else data
    if data.ndim not in (3, 4) or not np.isfinite(data).all():
        raise ConfigError(
            f"{name} must have labels in three dimensions, or maps in four, all finite, but its shape is {data.shape} "
            "or values are missing. Name the atlas that the series were made with."
        )
    labels = None
    if data.ndim == 3:
        labels = np.unique(data[data != 0])
        if (labels != labels.round()).any() or (labels < 0).any():
            raise ConfigError(
                f"{name} must have whole positive numbers as labels, but has {labels[0]:g} to {labels[-1]:g}. "
                "Name an atlas of labels, or maps in four dimensions."
            )
        data, labels = data.astype(np.int64), labels.astype(np.int64)
    n_found, kind = (data.shape[3], "maps") if labels is None else (len(labels), "labels")
    if n_found != n_channels:
        raise ConfigError(
            f"{name} must have one label or map for each of the {n_channels} channels of the files "
            f"(modality.dimension), but has {n_found} {kind}. Name the atlas that the series were made with."
        )
    return Atlas(data if labels is not None else data.astype(np.float32), np.asarray(image.affine), labels)
