import gzip
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from brainage.data.cohorts.bids import BidsCohort
from brainage.data.store.formats import EXTENSIONS
from brainage.data.store.series import FileScan
from brainage.errors import CohortError, ConfigError, MissingPathError

IDS = ("CC110033", "01", "x7")
TABLE = """\
participant_id\tage\tsex\tsite\thead_motion\tfamily_id\tscore\tgroup\tunused
sub-CC110033\t24\tM\tA\t0.5\tf1\t-1\tcontrol\t1
01\tn/a\tfemale\tn/a\tn/a\tn/a\tn/a\tn/a\t2
sub-x7\t88.5\t\tB\t0.25\tf1\t-3.5\t7\t3
"""
FLAT = "sub-{participant_id}_{dimension}.txt"


def cohort(folder: Path, table: str = TABLE, **options: str) -> BidsCohort:
    (folder / "participants.tsv").write_text(table)
    return BidsCohort(root=folder, **options)  # type: ignore[arg-type]


def put(path: Path, data: bytes = b"1 2 3\n4 5 6\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("separator", ["\t", ","], ids=["tsv", "csv"])
def test_the_table_is_read_with_the_columns_asked_for(tmp_path: Path, separator: str) -> None:
    found = cohort(tmp_path, TABLE.replace("\t", separator)).read_table(["group", "score", "age"])
    assert found.index.tolist() == [2, 3, 4]
    assert found.astype(object).fillna("?").to_dict("list") == {
        "participant_id": ["CC110033", "01", "x7"],
        "age": [24.0, "?", 88.5],
        "sex": [1.0, 0.0, "?"],
        "site": ["A", "?", "B"],
        "head_motion": [0.5, "?", 0.25],
        "family_id": ["f1", "?", "f1"],
        "group": ["control", "?", "7"],
        "score": [-1.0, "?", -3.5],
    }


def test_the_table_may_be_in_another_folder(tmp_path: Path) -> None:
    path = put(tmp_path / "table.csv.gz", gzip.compress(b"age,participant_id\n30,sub-01\n"))
    found = BidsCohort(root=tmp_path / "tree", phenotypes=(path,)).read_table()
    assert found.to_dict("list") == {"participant_id": ["01"], "age": [30.0]}


@pytest.mark.parametrize(
    ("table", "columns", "message"),
    [
        pytest.param("subject\tage\nCC110033\t3\n", [], r"no column `participant_id`", id="no ids"),
        pytest.param("Participant_ID\tage\nx7\t3\n", [], r"\{participant_id: Participant_ID\}", id="ids in capitals"),
        pytest.param("participant_id\tages\nx7\t3\n", [], r"no column `age`.*Did you mean `ages`\?", id="no age"),
        pytest.param(TABLE, ["scores"], r"no column `scores`.*Did you mean `score`\?", id="no phenotype"),
        pytest.param("CC110033\t24\nCC110034\t25\n", [], r"first line must contain the column names", id="no header"),
        pytest.param(
            "participant_id\tage\nCC110033\t90+\n",
            [],
            r"`age`: 1 of 1 .* row 2: a number",
            id="age in words",
        ),
        pytest.param(
            "participant_id\tage\tsex\nCC110033\t9\t2\n",
            [],
            r"`sex`: .* row 2 has something else",
            id="sex",
        ),
        pytest.param("participant_id\tage\nCC110033\t9\nx\n", [], r"^Row 3 of .* has 1 values", id="short row"),
        pytest.param("participant_id\tage\n", [], r"a header but no rows", id="no rows"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, table: str, columns: list[str], message: str) -> None:
    with pytest.raises(CohortError, match=message) as caught:
        cohort(tmp_path, table).read_table(columns)
    assert "participants.tsv" in str(caught.value)
    assert "CC11003" not in str(caught.value)


def test_a_missing_root_or_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingPathError, match=r"The table `.*participants\.tsv` cannot be read"):
        BidsCohort(root=tmp_path).read_table()
    put(tmp_path / "file")
    for name in ("nothing", "file"):
        reader = BidsCohort(root=tmp_path / name)
        with pytest.raises(MissingPathError, match=rf"`cohort\.root` must be a folder, but `.*{name}` is none"):
            reader.read_table()
        with pytest.raises(MissingPathError, match=rf"`cohort\.root` must be a folder, but `.*{name}` is none"):
            reader.find_scans(IDS, 25)


def test_the_default_pattern_finds_each_dimension(tmp_path: Path) -> None:
    func = tmp_path / "sub-01" / "ses-2" / "func"
    paths = {size: put(func / f"sub-01_ses-2_task-rest_ts-ica-{size}.txt") for size in (25, 100)}
    reader = cohort(tmp_path)
    for size, path in paths.items():
        scans = reader.find_scans(iter(IDS), size)
        assert scans == {"01": FileScan(path, tmp_path)}
    assert scans["01"].read().values.shape == (2, 3)


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("own", [".txt", ".csv.gz", ""])
def test_the_same_name_with_another_extension_is_found(tmp_path: Path, extension: str, own: str) -> None:
    path = put(tmp_path / "sub-x.7_25" if extension == ".txt" and not own else tmp_path / f"sub-x.7_25{extension}")
    found = cohort(tmp_path, pattern=FLAT.replace(".txt", own)).find_scans(["x.7"], 25)
    assert found == {"x.7": FileScan(path, tmp_path)}


def test_a_variable_of_matlab_files_is_chosen(tmp_path: Path) -> None:
    savemat(tmp_path / "sub-01_25.mat", {"a": np.ones((2, 3)), "b": np.zeros((2, 3))})
    scan = cohort(tmp_path, pattern=FLAT.replace(".txt", ".mat"), key="b").find_scans(IDS, 25)["01"]
    assert isinstance(scan, FileScan)
    np.testing.assert_array_equal(scan.read().values, np.zeros((2, 3)))


def test_the_patterns_own_extension_comes_first(tmp_path: Path) -> None:
    np.save(tmp_path / "sub-01_25.npy", np.ones((2, 3)))
    put(tmp_path / "sub-01_25.csv")
    path = put(tmp_path / "sub-01_25.txt")
    assert cohort(tmp_path, pattern=FLAT).find_scans(IDS, 25)["01"] == FileScan(path, tmp_path)


def test_folders_and_broken_links_are_no_scans(tmp_path: Path) -> None:
    (tmp_path / "sub-01_25.txt").mkdir()
    (tmp_path / "sub-x7_25.txt").symlink_to(tmp_path / "not fetched")
    assert cohort(tmp_path, pattern=FLAT).find_scans(IDS, 25) == {}


@pytest.mark.parametrize("participant_id", ["../out", "..", ".", "a/../../out", "/etc", "a\\b", "a\0b", "", "n" * 300])
def test_an_id_never_leads_out_of_the_root(tmp_path: Path, participant_id: str) -> None:
    put(tmp_path / "25.txt")
    put(tmp_path / "out" / "25.txt")
    put(tmp_path / "root" / "25.txt")
    (tmp_path / "root" / "a").mkdir()
    scans = cohort(tmp_path / "root", pattern="{participant_id}/{dimension}.txt").find_scans([participant_id], 25)
    assert scans == {}


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("sub-{participant_id}/{session}.txt", r"may have the placeholders \{participant_id\} and \{dimension\} only"),
        ("sub-{participant_id.__class__}.txt", r"may have the placeholders"),
        ("sub-{participant_id}/{}.txt", r"may have the placeholders"),
        ("sub-01/{dimension}.txt", r"must have \{participant_id\}"),
        ("sub-{participant_id/{dimension}.txt", r"must be a valid format|may have the placeholders"),
        ("sub-{participant_id:d}.txt", r"must be a valid format"),
        ("sub-{participant_id}}.txt", r"must be a valid format"),
        ("/data/sub-{participant_id}.txt", r"must stay below `cohort.root`"),
        ("../sub-{participant_id}.txt", r"must stay below `cohort.root`"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused(tmp_path: Path, pattern: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"^`cohort\.pattern` ({message})"):
        BidsCohort(root=tmp_path, pattern=pattern)
