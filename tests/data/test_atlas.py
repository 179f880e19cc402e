"""An atlas is read and painted; what is none is one message."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from brainage.config.groups.modality import check_atlas_name
from brainage.data.atlas import read_atlas
from brainage.errors import BrainageError, ConfigError

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


def write(path: Path, data: Any, **header: Any) -> Path:
    image = nibabel.Nifti1Image(np.asarray(data), AFFINE)  # type: ignore[no-untyped-call]
    nibabel.save(image, path)
    return path


def labels() -> np.ndarray:
    """Return labels 2, 5 and 9 in voxels 0, 1 and 2 of the first axis; voxel 3 has none."""
    data = np.zeros((4, 2, 3), dtype=np.int16)
    data[0], data[1], data[2] = 2, 5, 9
    return data


@pytest.mark.parametrize("name", ["atlas.nii", "atlas.nii.gz"])
def test_labels_are_painted_in_rising_order_and_channels_that_are_not_used_have_no_effect(
    name: str, tmp_path: Path
) -> None:
    atlas = read_atlas(write(tmp_path / name, labels()), 3, "atlas")
    image = atlas.painted([3, 1], np.array([[1.0, -2.0], [0.5, 4.0]]))
    assert image.shape == (4, 2, 3, 2)
    np.testing.assert_array_equal(image.affine, AFFINE)
    painted = np.asarray(image.dataobj)
    np.testing.assert_array_equal(painted[:, 1, 2], [[-2.0, 4.0], [0.0, 0.0], [1.0, 0.5], [0.0, 0.0]])
    assert (painted == painted[:, :1, :1]).all()


def test_maps_are_divided_by_their_highest_value_and_summed(tmp_path: Path) -> None:
    maps = np.zeros((4, 1, 1, 3), dtype=np.float32)
    maps[0, 0, 0], maps[1, 0, 0] = (8.0, 1.0, 0.0), (4.0, -2.0, 0.0)
    atlas = read_atlas(write(tmp_path / "maps.nii.gz", maps), 3, "atlas")
    painted = np.asarray(atlas.painted([1, 2, 3], np.array([[1.0, 10.0, 7.0]])).dataobj)[:, 0, 0, 0]
    np.testing.assert_allclose(painted, [1.0 + 5.0, 0.5 - 10.0, 0.0, 0.0])


def truncated(path: Path) -> Path:
    path.write_bytes(gzip.compress(write(path.with_name("whole.nii"), labels()).read_bytes())[:-30])
    return path


def huge(path: Path) -> Path:
    header = nibabel.Nifti1Header()
    header.set_data_shape((30000, 30000, 30000))
    header["vox_offset"] = 352
    path.write_bytes(header.binaryblock + b"\0" * 8)
    return path


def linked(path: Path) -> Path:
    path.symlink_to(write(path.with_name("other.nii"), labels()))
    return path


def of_text(path: Path) -> Path:
    path.write_text("no image " * 100)
    return path


@pytest.mark.parametrize(
    ("make", "fact"),
    [
        (lambda path: path, "No such file"),
        (of_text, "cannot be read"),
        (truncated, "cannot be read"),
        (huge, "30000 x 30000 x 30000 voxels; at most 1,000,000,000"),
        (linked, "is a link to another file"),
        (lambda path: path.mkdir() or path, "Is a directory"),
        (
            lambda path: write(path, labels()[:2]),
            "each of the 3 channels of the files .modality.dimension., but has 2 labels",
        ),
        (lambda path: write(path, np.ones((2, 2, 2, 4), dtype=np.float32)), "but has 4 maps"),
        (lambda path: write(path, labels() / 2), "whole positive numbers as labels, but has 1 to 4.5"),
        (lambda path: write(path, np.full((2, 2, 2, 3), np.nan, dtype=np.float32)), "all finite"),
        (lambda path: write(path, np.ones((2, 2), dtype=np.float32)), "but its shape is .2, 2."),
    ],
)
@pytest.mark.parametrize("name", ["atlas.nii"])
def test_what_is_no_atlas_of_the_channels_is_one_message(
    name: str, make: Callable[[Path], Path], fact: str, tmp_path: Path
) -> None:
    path = tmp_path / (f"{name}.gz" if make is truncated else name)
    with pytest.raises(BrainageError, match=rf"^`modality.atlas={path}` must [^\n]*{fact}[^\n]*$"):
        read_atlas(make(path), 3, "modality.atlas", follow=False)


def test_a_link_that_a_user_names_is_followed(tmp_path: Path) -> None:
    assert read_atlas(linked(tmp_path / "atlas.nii"), 3, "atlas").labels is not None


def test_an_atlas_is_a_file_of_nifti_or_one_that_nilearn_fetches() -> None:
    for known in (None, "schaefer_2018", "my/atlas.nii.gz", "atlas.nii"):
        check_atlas_name(known, "atlas")
    with pytest.raises(ConfigError, match=r"`atlas` must be a NIfTI file .* got 'shaefer_2018'.*`schaefer_2018`"):
        check_atlas_name("shaefer_2018", "atlas")
