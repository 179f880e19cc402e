"""Files of every format have the same numbers, and what cannot be read has a reason."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import nibabel
import numpy as np
import pytest
from nibabel.cifti2.cifti2_axes import ParcelsAxis, ScalarAxis, SeriesAxis
from scipy.io import savemat

from brainage.data.store import formats
from brainage.data.store.formats import read_file
from brainage.errors import SeriesError

SERIES = np.array([[0.1, -2.0], [1e-3, 4.0], [7.0, 5.5]])
TEXT = {None: " ", ",": ",", "\t": "\t"}


def text(delimiter: str = " ") -> bytes:
    return "".join(delimiter.join(map(repr, row)) + "\n" for row in SERIES.tolist()).encode()


def mat(**variables: object) -> bytes:
    file = io.BytesIO()
    savemat(file, variables)
    return file.getvalue()


def put_cifti(path: Path, axis: object) -> None:
    faces = np.zeros((4, 4, 4), dtype=bool)
    faces[:2, 0, 0] = True
    parcels = [(name, _parcel(number)) for number, name in enumerate(("Vis_1", "Vis_2"))]
    axes = (axis, ParcelsAxis.from_brain_models(parcels))
    image = nibabel.Cifti2Image(SERIES.astype(np.float32), axes)
    image.to_filename(path)


def _parcel(number: int) -> object:
    mask = np.zeros((4, 4, 4), dtype=bool)
    mask[number] = True
    return nibabel.cifti2.BrainModelAxis.from_mask(mask, affine=np.eye(4), name="thalamus_left")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.1D", b"#1\t#2\n" + text("\t")),
        ("a.txt.gz", gzip.compress(text())),
        ("a.tsv.gz", gzip.compress(b"one\ttwo\n" + text("\t"))),
        ("a.csv.gz", gzip.compress(text(","))),
        ("a.dat", text()),
        ("a.mat", mat(ts=SERIES)),
        ("a.mat", mat(ts=SERIES, note="text", n=np.arange(3).reshape(1, 1, 3))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_format_has_the_same_numbers(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    np.testing.assert_array_equal(read_file(tmp_path / name).values, SERIES)


def test_a_variable_of_a_matlab_file_is_chosen_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(mat(ts=SERIES, other=SERIES + 1))
    np.testing.assert_array_equal(read_file(path, "other").values, SERIES + 1)
    for key in (None, "absent"):
        with pytest.raises(SeriesError, match=r"^not one table of numbers: 2 tables .*cohort.key"):
            read_file(path, key)


@pytest.mark.parametrize(("unit", "t_r"), [("SECOND", 0.72), ("HERTZ", None)])
def test_parcels_of_a_cifti_file_have_names_and_a_repetition_time(unit: str, t_r: float | None, tmp_path: Path) -> None:
    path = tmp_path / "a.ptseries.nii"
    put_cifti(path, SeriesAxis(0, 0.72, 3, unit))
    found = read_file(path)
    np.testing.assert_array_equal(found.values, SERIES.astype(np.float32))
    assert found.column_names == ("Vis_1", "Vis_2")
    assert found.t_r == t_r


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"MATLAB 7.3 MAT-file, Platform".ljust(600), r"^a MATLAB 7.3 file: save it with -v7"),
        (mat(note="text"), r"^not one table of numbers: 0 tables"),
        (mat(ts=np.array([[1 + 2j]])), r"^not one table of numbers: complex"),
    ],
    ids=["version 7.3", "text", "complex"],
)
def test_a_matlab_file_that_cannot_be_used_has_a_reason(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a.mat").write_bytes(data)
    with pytest.raises(SeriesError, match=message):
        read_file(tmp_path / "a.mat")


def test_maps_are_no_series_of_parcels(tmp_path: Path) -> None:
    put_cifti(tmp_path / "a.ptseries.nii", ScalarAxis(["a", "b", "c"]))
    with pytest.raises(SeriesError, match=r"^not parcels over time: ScalarAxis, ParcelsAxis$"):
        read_file(tmp_path / "a.ptseries.nii")


@pytest.mark.parametrize("name", ["a.mat", "a.ptseries.nii"])
def test_large_tables_are_refused_before_they_are_read(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_cifti(tmp_path / "a.ptseries.nii", SeriesAxis(0, 0.72, 3))
    (tmp_path / "a.mat").write_bytes(mat(ts=SERIES))
    monkeypatch.setattr(formats, "MAX_BYTES", 40)
    with pytest.raises(SeriesError, match=r"^too large"):
        read_file(tmp_path / name)


COUNTED = np.random.default_rng(0).normal(size=(7, 6)).round(3)


def _lines(rows: np.ndarray, first: list[str] | None = None) -> list[str]:
    texts = [",".join(map(str, row)) for row in rows.tolist()]
    return [f"{name},{line}" for name, line in zip(first, texts, strict=True)] if first else texts


NAMES = ("a", "b", "c", "d", "e", "f")
LABELS = tuple(str(number) for number in range(2001, 2007))


@pytest.mark.parametrize(
    ("name", "lines", "names"),
    [
        ("a.csv", ["time,a,b,c,d,e,f", *_lines(COUNTED, [f"{0.735 * n:.2f}" for n in range(7)])], NAMES),
        ("a.csv", ["Unnamed: 0,a,b,c,d,e,f", *_lines(COUNTED, list("0123456"))], NAMES),
        ("a.csv", _lines(COUNTED, list("1234567")), None),
        ("a.csv", [",".join(LABELS), *_lines(COUNTED)], LABELS),
        ("a.txt", ["1 2 3 4 5 6", *(line.replace(",", " ") for line in _lines(COUNTED))], None),
        ("a.csv", ["node,0,1,2,3,4,5", *_lines(COUNTED, list("abcdefg"))], None),
    ],
    ids=["times", "index with a name", "index alone", "labels of an atlas", "numbers in text", "word before numbers"],
)
def test_indices_and_numbered_headers_are_no_values(
    name: str, lines: list[str], names: tuple[str, ...] | None, tmp_path: Path
) -> None:
    (tmp_path / name).write_text("\n".join(lines))
    found = read_file(tmp_path / name)
    np.testing.assert_array_equal(found.values, COUNTED)
    assert found.column_names == names


@pytest.mark.parametrize("rows", [np.arange(30).reshape(6, 5) + 0.5, COUNTED.round()[:, ::-1]], ids=["ramps", "whole"])
def test_other_numbers_are_no_index_and_no_header(rows: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\n".join(_lines(rows)))
    np.testing.assert_array_equal(read_file(tmp_path / "a.csv").values, rows)
