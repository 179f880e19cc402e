import errno
import gzip
import io
import tracemalloc
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from brainage.data.store import parse
from brainage.data.store.checked import check_series
from brainage.data.store.parse import parse_text
from brainage.data.store.reading import Reading
from brainage.data.store.series import FileScan, Scan, UnreadableNowError, ZipScan, read_checked
from brainage.errors import SeriesError

N_COMPONENTS, N_TIMES = 3, 490
ID = "1000011"
MEMBER = "fMRI/rfMRI_25.dr/dr_stage1.txt"


def series(n_times: int = N_TIMES, n_components: int = N_COMPONENTS) -> np.ndarray:
    return np.random.default_rng(7).standard_normal((n_times, n_components))


def text(array: np.ndarray, delimiter: str = " ") -> bytes:
    stream = io.StringIO()
    np.savetxt(stream, array, delimiter=delimiter, fmt="%.17g")
    return stream.getvalue().encode()


def npy(array: np.ndarray, **options: bool) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def file_scan(folder: Path, name: str, data: bytes) -> FileScan:
    (folder / name).write_bytes(data)
    return FileScan(folder / name, folder)


def zip_scan(folder: Path, data: bytes, *alternatives: str) -> ZipScan:
    path = folder / f"{ID}_20227_2_0.zip"
    path.write_bytes(data)
    return ZipScan(path, folder, MEMBER, alternatives)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param("a.txt", text(series()), id="txt"),
        pytest.param("a.txt", b"\n" + text(series(), "   ") + b"\n\n", id="txt with blank lines"),
        pytest.param("a.txt", text(series()).replace(b"\n", b"\r\n"), id="txt from Windows"),
        pytest.param("a.txt", b"\xef\xbb\xbf" + text(series()), id="txt with a byte-order mark"),
        pytest.param("a.csv", text(series(), ",").decode().encode("utf-16"), id="csv in UTF-16"),
        pytest.param("a.tsv", text(series(), "\t"), id="tsv"),
        pytest.param("a.csv", text(series(), ","), id="csv"),
        pytest.param("a.csv", b"0,1,2\n" + text(series(), ","), id="csv with column numbers from 0"),
        pytest.param("a.csv", b'"1","2","3"\r\n' + text(series(), ","), id="csv with column numbers from 1"),
        pytest.param("a.tsv", b"0\t1\t2\n" + text(series(), "\t"), id="tsv with column numbers"),
        pytest.param("a.csv", b"one,two,three\n" + text(series(), ","), id="csv with a header"),
        pytest.param("a.csv.gz", gzip.compress(b"one,two,three\n" + text(series(), ",")), id="csv.gz with a header"),
        pytest.param("a.npy", npy(series()), id="npy"),
        pytest.param("a.npy", npy(np.asfortranarray(series())), id="npy in order of columns"),
    ],
)
def test_every_format_gives_the_same_numbers(tmp_path: Path, name: str, data: bytes) -> None:
    np.testing.assert_array_equal(file_scan(tmp_path, name, data).read().values, series())


def test_a_zip_is_read_in_place_with_or_without_the_upper_level(tmp_path: Path) -> None:
    bare = MEMBER.removeprefix("fMRI/")
    for members in ({MEMBER: text(series())}, {bare: text(series()), "fMRI/other.txt": b"1"}):
        np.testing.assert_array_equal(zip_scan(tmp_path, zipped(members), bare).read().values, series())


def test_series_are_transposed_and_scaled_by_the_population_sd() -> None:
    # Mean 3 and population SD sqrt(2) by hand; the second component is the first, mirrored.
    raw = np.array([[1.0, -1.0], [2.0, -2.0], [3.0, -3.0], [4.0, -4.0], [5.0, -5.0]])
    expected = np.array([-2.0, -1.0, 0.0, 1.0, 2.0]) / 2**0.5
    found = check_series(raw, Reading(2, 5)).series
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [expected, -expected], atol=1e-6)


def test_of_523_time_points_the_first_490_are_used() -> None:
    long = series(523)
    long[490:] = 1e6
    expected = check_series(long[:490], Reading(N_COMPONENTS, N_TIMES)).series
    np.testing.assert_array_equal(check_series(long, Reading(N_COMPONENTS, N_TIMES)).series, expected)
    assert expected.shape == (N_COMPONENTS, N_TIMES)


@pytest.mark.parametrize("factor", [1e300, 1e-300], ids=["huge", "tiny"])
def test_very_large_and_small_values_are_z_scored_exactly(factor: float) -> None:
    found = check_series(series() * factor, Reading(N_COMPONENTS, N_TIMES)).series
    np.testing.assert_allclose(
        found, check_series(series(), Reading(N_COMPONENTS, N_TIMES)).series, rtol=1e-5, atol=1e-6
    )


def with_value(value: float) -> np.ndarray:
    array = series()
    array[17, 1] = value
    return array


def with_constant(value: float) -> np.ndarray:
    array = series()
    array[:, 1] = value
    return array


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param(with_value(np.nan), r"^NaN or infinity: nan at time point 18, column 2$", id="NaN"),
        pytest.param(with_value(np.inf), r"^NaN or infinity: inf at time point 18, column 2$", id="infinity"),
        pytest.param(series(n_components=4), r"^wrong number of columns: 4, expected 3$", id="a column too many"),
        pytest.param(series(n_components=2), r"^wrong number of columns: 2, expected 3$", id="a column too few"),
        pytest.param(series(489), r"^too few time points: 489, expected at least 490$", id="a row too few"),
        pytest.param(with_constant(0.0), r"^constant component: number 2$", id="constant 0"),
        pytest.param(with_constant(0.1), r"^constant component: number 2$", id="constant 0.1"),
        pytest.param(with_constant(1e300), r"^constant component: number 2$", id="constant 1e300"),
    ],
)
def test_unusable_numbers_are_refused(raw: np.ndarray, message: str) -> None:
    with pytest.raises(SeriesError, match=message):
        check_series(raw, Reading(N_COMPONENTS, N_TIMES))


class Trap:
    """Unpickling it leaves a trace."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.mkdir, (Path("unpickled"),))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        pytest.param("a.txt", b"", r"^empty file$", id="empty"),
        pytest.param("a.txt", b" \n\n", r"^empty file$", id="only white space"),
        pytest.param("a.csv", b"one,two\n", r"^empty file: only a header line$", id="only a header"),
        pytest.param("a.txt", b"1 2 3\n4 words 6\n", r"^not a number .*: text in line 2, column 2$", id="words"),
        pytest.param("a.txt", b"1 2\n3,5 4\n", r": a decimal comma in line 2, column 1$", id="decimal comma"),
        pytest.param(
            "a.txt", b"1 2 3\n4 5\n", r"^lines of different length: 2 values in line 2, 3 before$", id="ragged"
        ),
        pytest.param("a.csv", b"1,5;2\n3;4\n", r": numbers separated by semicolons in line 1, col", id="semicolons"),
        pytest.param("a.csv", b"1\t2\n3\t4\n", r": numbers separated by tabs in line 2, column 1$", id="tabs"),
        pytest.param("a.txt", b"1,2,3\n4,5,6\n", r": numbers separated by commas in line 2, column 1$", id="commas"),
        pytest.param("a.csv", "Größe,b\n".encode("latin-1"), r"^not a text .* Latin-1, in line 1$", id="Latin-1"),
        pytest.param("a.csv", "1,2\n".encode("utf-16-le"), r"^not a text file: NUL bytes in line 1$", id="UTF-16"),
        pytest.param("a.txt", b"\x93NUMPY\xff\x00\x80", r"^not a text file", id="binary rubbish"),
        pytest.param("a.npy", b"\x00\x01rubbish", r"^unreadable file", id="npy of rubbish"),
        pytest.param(
            "a.npy",
            npy(series())[:-8],
            r"^unreadable file: its header has 490 x 3 values of 8 bytes, but 11752 bytes",
            id="truncated npy",
        ),
        pytest.param("a.npy", npy(series()[0]), r"^not a table of numbers: 1 axes", id="npy of one axis"),
        pytest.param("a.npy", npy(series().astype(str)), r"^not a table of numbers: 2 axes", id="npy of text"),
        pytest.param("a.csv.gz", gzip.compress(text(series(), ","))[:-9], r"^unreadable file", id="truncated gz"),
        pytest.param("a.csv.gz", b"1,2\n", r"^unreadable file: BadGzipFile$", id="gz that is none"),
    ],
)
def test_unreadable_files_are_refused(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    with pytest.raises(SeriesError, match=message):
        file_scan(tmp_path, name, data).read()


def test_a_pickle_inside_a_npy_file_is_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scan = file_scan(tmp_path, "a.npy", npy(np.array([[Trap()]], dtype=object), allow_pickle=True))
    with pytest.raises(SeriesError, match=r"^unreadable file"):
        scan.read()
    assert not Path("unpickled").exists()


def test_a_file_that_is_gone_or_a_folder_cannot_be_read_now(tmp_path: Path) -> None:
    with pytest.raises(UnreadableNowError, match=r"^cannot be read now: No such file or directory$"):
        FileScan(tmp_path / f"{ID}.txt", tmp_path).read()
    with pytest.raises(UnreadableNowError, match=r"^cannot be read now: Is a directory$"):
        FileScan(tmp_path, tmp_path).read()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(zipped({MEMBER: text(series())})[:-40], r"^not a whole zip archive$", id="end cut off"),
        pytest.param(b"", r"^not a whole zip archive$", id="empty"),
        pytest.param(zipped({"readme.txt": b"1"}), r"^not in the archive: .*dr_stage1\.txt`$", id="other members"),
        pytest.param(zipped({MEMBER: b""}), r"^empty file$", id="empty member"),
        pytest.param(
            zipped({MEMBER: b"1 2 3\n" * 9}, zipfile.ZIP_STORED).replace(b"1 2 3", b"1 2 4", 1),
            r"^not a whole zip archive$",
            id="wrong checksum",
        ),
    ],
)
def test_unreadable_zips_are_refused_without_an_id(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(SeriesError, match=message) as caught:
        zip_scan(tmp_path, data).read()
    assert ID not in str(caught.value)


def test_the_stamp_depends_on_the_content_and_not_on_the_folder(tmp_path: Path) -> None:
    scans = []
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        scans.append(file_scan(tmp_path / folder, "a.txt", b"1 2\n"))
    path = scans[1].path
    path.touch()
    one, other = (scan.stamp() for scan in scans)
    assert one[:2] == other[:2] == ("a.txt", 4)
    path.write_bytes(b"1 23\n")
    assert scans[1].stamp() != other


@pytest.mark.parametrize(
    ("delimiter", "data", "columns", "rows"),
    [
        pytest.param(None, b"#1\t#2\n1 2\n3 4\n", None, None, id="AFNI's numbers"),
        pytest.param(None, b"# A.\n#2001\t#2002\n1\t2\n3\t4\n# end\n", ("2001", "2002"), None, id="AFNI's labels"),
        pytest.param(None, b"one two\n1 2\n3 4\n", ("one", "two"), None, id="names between spaces"),
        pytest.param("\t", "Vis_1\tVis é\r\n1\t2\r\n3\t4\r\n".encode(), ("Vis_1", "Vis é"), None, id="XCP-D's names"),
        pytest.param(",", b',a,b\n0,1,2\n1,3,4\n', ("a", "b"), None, id="index of pandas"),
        pytest.param(" ", b'"a" "b"\n"1" 1 2\n"2" 3 4\n', ("a", "b"), None, id="row names of R"),
        pytest.param(",", b"label_name,t_0,t_1\nA,1,2\nB,3,4\n", ("t_0", "t_1"), ("A", "B"), id="UK Biobank's labels"),
        pytest.param(",", b"Vis_1,1,2\nVis_2,3,4\n", None, ("Vis_1", "Vis_2"), id="labels without a header"),
    ],
)  # fmt: skip
def test_names_in_a_file_are_kept(
    delimiter: str | None, data: bytes, columns: tuple[str, ...] | None, rows: tuple[str, ...] | None
) -> None:
    found = parse_text(data, delimiter)
    assert found.values.tolist() == [[1, 2], [3, 4]]
    assert (found.column_names, found.row_names) == (columns, rows)


@pytest.mark.parametrize(("delimiter", "cell"), [("\t", "n/a"), (",", ""), (",", "NaN"), (None, "NA")])
def test_what_is_missing_is_nan(delimiter: str | None, cell: str) -> None:
    data = f"a,b\n1,{cell}\n3,4\n".replace(",", delimiter or " ").encode()
    np.testing.assert_array_equal(parse_text(data, delimiter).values, [[1, np.nan], [3, 4]])


@pytest.mark.parametrize("form", ["%.18e", "%.17g", "%r", "%.16g", "%.10g", "%.6g", "%f"])
@pytest.mark.parametrize("delimiter", [None, ",", "\t"])
def test_numbers_have_the_bits_that_python_reads(form: str, delimiter: str | None) -> None:
    bits = np.random.default_rng(0).integers(0, 2**64, 4000, dtype=np.uint64)
    values = np.where(bits % 2, bits.view(np.float64), np.random.default_rng(1).normal(size=len(bits)) * 50)
    special = [-0.0, 0.0, 5e-324, -2.2250738585072011e-308, 1.7976931348623157e308, 1e-05, 9007199254740993.0, 0.1]
    fields = [form % value for value in [*special, *values[np.isfinite(values)].tolist()[:3992]]]
    lines = [(delimiter or "  ").join(fields[start : start + 8]) for start in range(0, len(fields), 8)]
    expected = np.array([float(field) for field in fields])
    found = parse_text("\n".join([*lines, ""]).encode(), delimiter).values
    assert len(fields) == found.size == 4000
    np.testing.assert_array_equal(found.ravel().view(np.uint64), expected.view(np.uint64))


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("x", "text in line 3, column 2"),
        ("0x1F", "text with digits in line 3, column 2"),
        ("", "2 values in line 3, 3 before"),
    ],
)
def test_a_fault_among_long_numbers_is_named(cell: str, message: str) -> None:
    lines = text(series(6)).decode().split("\n")
    first, _, last = lines[2].split()
    lines[2] = f"{first} {cell} {last}"
    with pytest.raises(SeriesError, match=message):
        parse_text("\n".join(lines).encode())


def test_a_number_alone_is_one_component() -> None:
    assert parse_text(b"1\n2\n").values.shape == (2, 1)


@pytest.mark.parametrize("line", [b"0,1,2\n", b"0.0,1.0,2.0\n", b"1,2,4\n"], ids=["alone", "decimal", "other"])
def test_only_column_numbers_are_a_numeric_header(line: bytes) -> None:
    n_times = len(parse_text(line + b"3,4,5\n" * 2, ",").values)
    assert n_times == (2 if line == b"0,1,2\n" else 3)


def npy_with_header(header: str, data: bytes = bytes(48)) -> bytes:
    padded = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded + data


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 3), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-2, 3), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (True, 3), }",
        "{'descr': [], 'fortran_order': False, 'shape': (2, 3), }",
        "{'descr': '<f8'",
        "[" * 117,
        "'''",
    ],
    ids=["10^12 rows", "fewer than none", "bool", "no fields", "half", "nested", "open string"],
)
def test_a_header_that_lies_or_is_malformed_excludes_the_participant(tmp_path: Path, header: str) -> None:
    scan = file_scan(tmp_path, "a.npy", npy_with_header(header))
    with pytest.raises(SeriesError) as caught:
        read_checked(scan, Reading(3, 2))
    assert not isinstance(caught.value, UnreadableNowError)
    assert ID not in str(caught.value)


@pytest.mark.parametrize("kind", ["gz", "zip", "txt", "npy"])
def test_what_is_too_large_is_refused_in_bounded_memory(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parse, "MAX_BYTES", 2**21)
    rows = b"1 2 3\n" * 2**22  # 24 MiB, of which the archives have 50 kB
    scan: Scan
    if kind == "zip":
        scan = zip_scan(tmp_path, zipped({MEMBER: rows}))
    else:
        data = {"gz": gzip.compress(rows), "txt": rows, "npy": npy(np.ones((2**20, 3)))}[kind]
        scan = file_scan(tmp_path, f"a.csv.{kind}" if kind == "gz" else f"a.{kind}", data)
    tracemalloc.start()
    with pytest.raises(SeriesError, match=r"^too large: more than 2 MB of numbers$"):
        scan.read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**20


@dataclass(frozen=True)
class FailingScan:
    """A scan of a user's own reader, which fails."""

    error: BaseException

    def read(self) -> np.ndarray:
        raise self.error

    def stamp(self) -> tuple[str]:
        return ("own",)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), True),
        (OSError(errno.EIO, "Input/output error"), True),
        (OSError(errno.ESTALE, "Stale file handle"), True),
        (OSError(errno.EMFILE, "Too many open files"), True),
        (MemoryError(), True),
        (OSError(errno.EINVAL, "Invalid argument"), False),
        (gzip.BadGzipFile("Not a gzipped file"), False),
        (KeyError("1000011"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_trouble_of_the_system_is_told_from_a_damaged_file(error: BaseException, passes: bool) -> None:
    with pytest.raises(SeriesError) as caught:
        read_checked(FailingScan(error), Reading(3, 2))
    assert isinstance(caught.value, UnreadableNowError) == passes
    assert ID not in str(caught.value)
