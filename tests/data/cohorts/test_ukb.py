import gzip
import math
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brainage.commands.simulate import main
from brainage.data.cohorts.ukb import UkbCohort
from brainage.data.store.open import open_store
from brainage.data.store.reading import Reading
from brainage.data.store.series import FileScan, ZipScan
from brainage.errors import CohortError, MissingPathError, SeriesError

IDS = ("1000011", "1000022", "1000033")
MEMBER = "fMRI/rfMRI_25.dr/dr_stage1.txt"
SERIES = "1 2 3\n4 5 6\n"

DASH = """\
"eid","31-0.0","21003-0.0","21003-2.0","54-0.0","54-2.0","25741-2.0","2050-2.0","true_gap","999-0.0"
"1000022","0","55","63","11010","11025","0.125","-1","-1.5","x"
"1000011","1","56","","11010","","","-3","2.0","y,z"
"1000033","","57","71","11010","11027","0.25","2","-3.0",""
"""
DOT = """\
f.eid\tf.31.0.0\tf.21003.0.0\tf.21003.2.0\tf.54.2.0\tf.25741.2.0\tf.2050.2.0\ttrue_gap
1000022\tFemale\t55\t63\t11025\t0.125\t-1\t-1.5
1000011\tMale\t56\tNA\tNA\tNA\t-3\t2.0
1000033\tNA\t57\t71\t11027\t0.25\t2\t-3.0
"""
RAP = """\
eid,p31,p21003_i0,p21003_i2,p54_i2,p25741_i2,p2050_i2,true_gap
1000022,Female,55,63.0,11025.0,0.125,Do not know,-1.5
1000011,Male,56,,,,Prefer not to answer,2.0
1000033,,57,71.0,11027.0,0.25,2,-3.0
"""
PREFIXED = RAP.replace("eid,", "participant.eid,", 1).replace("p31,", "participant.p31_i0,", 1)
for _name in ("p21003_i0", "p21003_i2", "p54_i2", "p25741_i2", "p2050_i2"):
    PREFIXED = PREFIXED.replace(f",{_name}", f",participant.{_name}", 1)


TITLES = RAP.replace(
    "eid,p31,p21003_i0,p21003_i2,p54_i2,p25741_i2,",
    "Participant ID,Sex,Age when attended assessment centre | Instance 0,"
    "Age when attended assessment centre | Instance 2,UK Biobank assessment centre | Instance 2,"
    '"Mean rfMRI head motion, averaged across space and time points | Instance 2",',
)
UKBTOOLS = RAP.replace(
    "p31,p21003_i0,p21003_i2,p54_i2,p25741_i2,p2050_i2",
    "sex_f31_0_0,age_when_attended_assessment_centre_f21003_0_0,age_when_attended_assessment_centre_f21003_2_0,"
    "uk_biobank_assessment_centre_f54_2_0,mean_rfmri_head_motion_f25741_2_0,frequency_of_mood_f2050_2_0",
)


CHEADLE: dict[str, object] = {"site": "Cheadle (imaging)", "head_motion": 0.11}


def renamed(prefix: str, between: str = "_") -> str:
    """Return the table with columns such as `x31_0_0`."""
    return re.sub(r'"(\d+)-(\d)\.0"', rf'"{prefix}\1{between}\2{between}0"', DASH)


def cohort(folder: Path, table: str | bytes = DASH, *, name: str = "t.csv", **options: Any) -> UkbCohort:
    content = table if isinstance(table, bytes) else table.encode()
    (folder / name).write_bytes(content)
    (folder / "bulk").mkdir(exist_ok=True)
    return UkbCohort(root=folder / "bulk", phenotypes=(folder / name,), **options)


def put_zip(path: Path, *members: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, SERIES)
    return path


def put_file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SERIES)
    return path


def refuse_ids(error: BaseException) -> None:
    assert not [one for one in IDS if one in str(error)]


# --- The table ---


@pytest.mark.parametrize(
    ("table", "field"),
    [
        pytest.param(DASH, "2050-2.0", id="dash, quoted"),
        pytest.param(DASH.replace('"y,z"', '"y"').replace('"', ""), "2050-2.0", id="dash, not quoted"),
        pytest.param("\ufeff" + DASH.replace("\n", "\r\n"), "2050-2.0", id="dash, from Windows"),
        pytest.param(gzip.compress(DASH.encode()), "2050-2.0", id="dash, gzipped"),
        pytest.param(DASH.encode().replace(b'"x"', b'"caf\xe9"'), "2050-2.0", id="dash, a stray byte elsewhere"),
        pytest.param(DOT, "f.2050.2.0", id="dot, tabs"),
        pytest.param(RAP, "p2050_i2", id="rap"),
        pytest.param(RAP.replace("p31", "p31_i0"), "p2050_i2", id="rap, sex with an instance"),
        pytest.param(PREFIXED, "participant.p2050_i2", id="rap, prefixed"),
        pytest.param(TITLES, "p2050_i2", id="rap, titles"),
        pytest.param(UKBTOOLS, "frequency_of_mood_f2050_2_0", id="ukbtools"),
        pytest.param(renamed("x"), "x2050_2_0", id="prefix x"),
        pytest.param(renamed("X", "."), "X2050.2.0", id="read by R"),
        pytest.param(renamed("n_").replace("eid", "n_eid", 1), "n_2050_2_0", id="Stata"),
    ],
)
def test_every_style_gives_the_same_table(tmp_path: Path, table: str | bytes, field: str) -> None:
    found = cohort(tmp_path, table).read_table([field, "true_gap", "age", "sex"])
    names = ["participant_id", "age", "sex", "site", "head_motion", field, "true_gap"]
    assert found.columns.tolist() == names
    assert found.index.tolist() == [2, 3, 4]
    missing = math.nan
    expected = [
        ["1000022", 63.0, 0.0, "11025", 0.125, missing, -1.5],
        ["1000011", missing, 1.0, missing, missing, missing, 2.0],
        ["1000033", 71.0, missing, "11027", 0.25, 2.0, -3.0],
    ]
    assert found.astype(object).fillna("?").to_numpy().tolist() == [
        ["?" if value is missing else value for value in row] for row in expected
    ]


@pytest.mark.parametrize(
    ("name", "lines", "known"),
    [
        (
            "ukbconv.csv",
            ['"eid","31-0.0","21003-2.0","54-2.0","25741-2.0"', '"9000001","1","63","11025","0.11"'],
            {"site": "11025", "head_motion": 0.11},
        ),
        ("ukbconv_r.tab", ["f.eid\tf.31.0.0\tf.21003.2.0\tf.54.2.0", "9000001\t1\t63\t11025"], {"site": "11025"}),
        ("rap_names.csv", ["eid,p31,p21003_i2,p54_i2,p25741_i2", "9000001,Male,63,Cheadle (imaging),0.11"], CHEADLE),
        (
            "rap_titles.csv",
            [
                "Participant ID,Sex,Age when attended assessment centre | Instance 2,UK Biobank assessment centre | "
                "Instance 2",
                "9000001,Male,63,Cheadle (imaging)",
            ],
            {"site": "Cheadle (imaging)"},
        ),
        ("dx_extract.csv", ["participant.eid,participant.p31,participant.p21003_i2", "9000001,1,63"], {}),
        ("stata.tsv", ["n_eid\tn_31_0_0\tn_21003_2_0", "9000001\t1\t63"], {}),
        ("ukbtools.csv", ["eid,sex_f31_0_0,age_when_attended_assessment_centre_f21003_2_0", "9000001,1,63"], {}),
        ("x_prefix.csv", ["eid,x21003_2_0,x31_0_0", "9000001,63,1"], {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["", "Windows"])
def test_tables_as_exports_write_them_are_read(
    tmp_path: Path, name: str, lines: list[str], known: dict[str, object], end: str
) -> None:
    found = cohort(tmp_path, "".join(line + end for line in lines), name=name).read_table()
    assert found.to_dict("records") == [{"participant_id": "9000001", "age": 63.0, "sex": 1.0, **known}]


def test_a_column_of_ones_own_is_no_title_of_a_field(tmp_path: Path) -> None:
    found = cohort(tmp_path, "eid,31-0.0,21003-2.0,Sex\n1000011,1,60,x\n")
    assert found.read_table()["sex"].tolist() == [1.0]
    assert found.phenotype_names() == ["Sex"]


def test_only_requested_columns_are_read(tmp_path: Path) -> None:
    found = cohort(tmp_path).read_table()
    assert found.columns.tolist() == ["participant_id", "age", "sex", "site", "head_motion"]


def test_columns_of_standard_names_replace_missing_fields_but_never_age(tmp_path: Path) -> None:
    found = cohort(tmp_path, "eid,21003-2.0,sex,site,family_id,age\n1000011,60,F,Leeds,7,50\n").read_table()
    assert found.iloc[0].tolist() == ["1000011", 60.0, 0.0, "Leeds", "7"]
    with pytest.raises(CohortError, match=r"no column `21003-2.0`, the age at imaging visit 2"):
        cohort(tmp_path, "eid,31-0.0,age\n1000011,1,60\n").read_table()


def test_the_imaging_visit_chooses_the_columns(tmp_path: Path) -> None:
    table = "eid,31-0.0,21003-2.0,21003-3.0,54-2.0,54-3.0\n1000011,1,60,66,11025,11026\n"
    found = cohort(tmp_path, table, instance=3).read_table()
    assert found[["age", "site"]].iloc[0].tolist() == [66.0, "11026"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(["5", "-1", "-3"], [5.0, None, None], id="do not know, prefer not to answer"),
        pytest.param(["-10", "-7", "-1"], [-10.0, -7.0, None], id="other codes stay"),
        pytest.param(["0", "-1", "-4"], [0.0, -1.0, -4.0], id="whole numbers with another negative"),
        pytest.param(["0.5", "-1", "-3"], [0.5, -1.0, -3.0], id="continuous"),
        pytest.param(["5", "Do not know", "prefer not to answer"], [5.0, None, None], id="words"),
        pytest.param(["never", "-1", "Do not know"], ["never", "-1", None], id="text"),
    ],
)
def test_unknown_answers_are_missing(tmp_path: Path, values: list[str], expected: list[object]) -> None:
    rows = "".join(f"{one},60,{value}\n" for one, value in zip(IDS, values, strict=True))
    found = cohort(tmp_path, f"eid,21003-2.0,1-2.0\n{rows}").read_table(["1-2.0"])["1-2.0"]
    assert found.astype(object).where(found.notna(), None).tolist() == expected


def test_a_negative_age_is_kept_for_the_check_of_ages(tmp_path: Path) -> None:
    assert cohort(tmp_path, "eid,21003-2.0\n1000011,-1\n").read_table()["age"].tolist() == [-1.0]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        pytest.param(
            "eid,31-0.0,21022-0.0,21003-0.0\n1,2,3,4\n", r"`21003-2.0`.*has `21022-0.0`, `21003-0.0`", id="dash"
        ),
        pytest.param("f.eid\tf.21003.3.0\n1\t2\n", r"`f.21003.2.0`.*has `f.21003.3.0`.*not used instead", id="dot"),
        pytest.param("eid,p21022,p21003_i0\n1,2,3\n", r"`p21003_i2`.*has `p21022`, `p21003_i0`", id="rap"),
        pytest.param(
            "eid,p31\n1,2\n", r"no column `p21003_i2`, the age at imaging visit 2\. Export", id="no age at all"
        ),
        pytest.param("id,21003-2.0\n1,2\n", r"no column `eid`", id="no eid"),
        pytest.param("eid,f.21003.2.0\n1,2\n", r"no column `f.eid`", id="eid of another style"),
        pytest.param("eid,21003-2.0,p31\n1,2,3\n", r"mixes column styles: `21003-2.0`, `p31`", id="mixed"),
        pytest.param(
            "1000011,1000022\n1000033,60\n", r"none of the columns `21003-2.0`, `f.210.*got 2", id="no header"
        ),
        pytest.param("eid,21003-2.0,21003-2.0\n1,2,3\n", r"has 2 columns `21003-2.0`", id="age twice"),
        pytest.param("eid,21003-2.0\n", r"a header but no rows", id="no rows"),
        pytest.param("", r"is empty", id="empty"),
        pytest.param("eid,21003-2.0\n1000011,old\n", r"`21003-2.0`: 1 of 1 values .* row 2: text\.", id="age in words"),
        pytest.param(
            "eid,21003-2.0,31-0.0\n1000011,60,2\n", r"`31-0.0`: sex must be .* row 2 has something else", id="sex"
        ),
        pytest.param("eid,21003-2.0\n,60\n", r"`eid`: the id is empty in row 2", id="no id"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, table: str, message: str) -> None:
    with pytest.raises(CohortError, match=message) as caught:
        cohort(tmp_path, table).read_table()
    assert "t.csv" in str(caught.value)
    refuse_ids(caught.value)


def test_a_column_that_is_not_there_is_named_beside_the_nearest(tmp_path: Path) -> None:
    many = ",".join(f"{field}-0.0" for field in range(2000, 2100))
    table = f"eid,21003-2.0,21001-2.0,{many}\n1000011,60,25,{',' * 99}\n"
    with pytest.raises(CohortError, match=r"no column `21001-2\.1`.*Did you mean `21001-2\.0`\?") as caught:
        cohort(tmp_path, table).read_table(["21001-2.1"])
    assert len(str(caught.value)) < 400


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingPathError, match=r"`.*no\.csv` cannot be read: .*cohort\.phenotypes"):
        UkbCohort(root=tmp_path, phenotypes=(tmp_path / "no.csv",)).read_table()


# --- Scans ---


@pytest.mark.parametrize(
    ("place", "instance"),
    [
        pytest.param("1000011_20227_2_0/fMRI/rfMRI_25.dr/dr_stage1.txt", 2, id="folder"),
        pytest.param("1000011_20227_2_0/rfMRI_25.dr/dr_stage1.txt", 2, id="folder, no upper level"),
        pytest.param("1000011/fMRI/rfMRI_25.dr/dr_stage1.txt", 2, id="eid"),
        pytest.param("1000011/rfMRI_25.dr/dr_stage1.txt", 2, id="eid, no upper level"),
        pytest.param("10/1000011_20227_2_0/fMRI/rfMRI_25.dr/dr_stage1.txt", 2, id="folder in a shard"),
        pytest.param("1000011_20227_3_0/fMRI/rfMRI_25.dr/dr_stage1.txt", 3, id="folder of the repeat"),
        pytest.param("sub-1000011/ses-2/fMRI/rfMRI_25.dr/dr_stage1.txt", 2, id="session"),
        pytest.param("sub-1000011/ses-3/20227_3_0/fMRI/rfMRI_25.dr/dr_stage1.txt", 3, id="field in a session"),
        pytest.param("21000011/fMRI/rfMRI_25.dr/dr_stage1.txt", 2, id="visit before the eid"),
    ],
)
def test_an_extracted_scan_is_found(tmp_path: Path, place: str, instance: int) -> None:
    reader = cohort(tmp_path, instance=instance)
    path = put_file(reader.root / place)
    assert reader.find_scans(IDS, 25) == {"1000011": FileScan(path, reader.root)}
    assert reader.find_scans(IDS, 100) == {}


SCHAEFER = "fMRI.Schaefer7n100p.csv.gz"


@pytest.mark.parametrize(
    ("place", "instance"),
    [
        ("1000011/Baseline/1000011_31018_2_0", 2),
        ("1000011/1000011_31018_2_0/fMRI", 2),
        ("1000011/Repeat/1000011_31018_3_0", 3),
        ("10/1000011/Baseline/1000011_31018_2_0/fMRI", 2),
        ("1000011_31018_3_0/fMRI", 3),
        ("sub-1000011/ses-2/31018_2_0/fMRI", 2),
    ],
)
def test_a_scan_of_another_field_is_found_in_the_folder_of_its_visit(tmp_path: Path, place: str, instance: int) -> None:
    member = "fMRI/fMRI.Schaefer7n{dimension}p.csv.gz"
    reader = cohort(tmp_path, instance=instance, field=31018, member=member)
    path = put_file(reader.root / place / SCHAEFER)
    put_file(reader.root / "1000022" / "Baseline" / f"1000022_31018_{5 - instance}_0" / SCHAEFER)
    put_file(reader.root / "1000033" / "Baseline" / f"1000033_20227_{instance}_0" / SCHAEFER)
    assert reader.find_scans(IDS, 100) == {"1000011": FileScan(path, reader.root)}
    assert reader.find_scans(IDS, 200) == {}


def test_parcels_in_the_rows_of_a_zipped_table_keep_their_names(tmp_path: Path) -> None:
    table = b"label_name,timepoint_0,timepoint_1\n7Networks_LH_Vis_0,8974.5,9017.8\n7Networks_LH_Vis_1,1,-2.5e3\n"
    (tmp_path / SCHAEFER).write_bytes(gzip.compress(table))
    with zipfile.ZipFile(tmp_path / "1000011_31018_2_0.zip", "w") as archive:
        archive.write(tmp_path / SCHAEFER, SCHAEFER)
    reader = UkbCohort(root=tmp_path, phenotypes=(), field=31018, member="fMRI/fMRI.Schaefer7n{dimension}p.csv.gz")
    found = reader.find_scans(["1000011"], 100)["1000011"].read()
    assert found.row_names == ("7Networks_LH_Vis_0", "7Networks_LH_Vis_1")
    assert found.values.tolist() == [[8974.5, 9017.8], [1.0, -2500.0]]


@pytest.mark.parametrize("zipped", [True, False], ids=["zips", "folders"])
def test_a_store_has_the_names_of_parcels_in_rows_and_their_order(tmp_path: Path, zipped: bool) -> None:
    names = ["7Networks_LH_Vis_0", "7Networks_LH_Vis_1", "7Networks_LH_Vis_2"]
    for one, order in (("1000011", (0, 1, 2)), ("1000022", (0, 1, 2)), ("1000033", (2, 0, 1))):
        rows = [f"{names[row]},{row},{row + 1},{row * row}" for row in order]
        table = gzip.compress("\n".join(["label_name,timepoint_0,timepoint_1,timepoint_2", *rows, ""]).encode())
        place = tmp_path / "bulk" / one / "Baseline" / f"{one}_31018_2_0"
        place.mkdir(parents=True)
        (place / "fMRI.csv.gz").write_bytes(table)
        if zipped:
            with zipfile.ZipFile(tmp_path / "bulk" / f"{place.name}.zip", "w") as archive:
                archive.write(place / "fMRI.csv.gz", "fMRI/fMRI.csv.gz")
            (place / "fMRI.csv.gz").unlink()
    scans = UkbCohort(root=tmp_path / "bulk", phenotypes=(), field=31018, member="fMRI/fMRI.csv.gz").find_scans(IDS, 3)
    assert {isinstance(scan, ZipScan) for scan in scans.values()} == {zipped}
    store = open_store(tmp_path / "store", scans, Reading(3, None, rows_are_channels=True))
    assert store.channels == tuple(names)
    expected = np.array([[0.0, 1.0, 0.0], [1.0, 2.0, 1.0], [2.0, 3.0, 4.0]])
    expected = (expected - expected.mean(axis=1, keepdims=True)) / expected.std(axis=1, keepdims=True)
    for row in range(3):
        np.testing.assert_allclose(store.series[row], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("{}_20227_2_0.zip", "it has 3 x `*_20227_2_0.zip`"),
        ("{}/Baseline/{}_20227_2_0/x.txt", "the folder of the first participant has 1 x `Baseline/`"),
        ("sub-{}/ses-3/x.txt", "the folder of the first participant has 1 x `ses-3/`"),
    ],
)
def test_where_nothing_was_found_the_first_paths_and_what_is_there_are_named(
    tmp_path: Path, place: str, expected: str
) -> None:
    reader = cohort(tmp_path, field=31018, member="fMRI/x{dimension}.csv.gz")
    for one in IDS:
        put_file(reader.root / place.replace("{}", one))
    assert reader.find_scans(IDS, 100) == {}
    text = reader.describe_search(IDS, 100)
    assert "`{eid}_31018_2_0.zip` and `{eid}_31018_2_0/fMRI/x100.csv.gz`" in text
    assert f"and {expected}. cohort.instance, cohort.member" in text
    refuse_ids(CohortError(text))


def test_the_visit_before_an_eid_is_no_other_participant(tmp_path: Path) -> None:
    reader = cohort(tmp_path, "eid,21003-2.0\n1000011,60\n21000011,61\n")
    put_file(reader.root / "21000011/fMRI/rfMRI_25.dr/dr_stage1.txt")
    assert reader.find_scans(["1000011"], 25) == {}  # the other one was not asked for


@pytest.mark.parametrize("folders", [("29000001", "31000011"), ("9000001", "31000011")], ids=["visit", "eid"])
def test_ids_of_files_are_those_of_the_table_before_those_in_names(tmp_path: Path, folders: tuple[str, ...]) -> None:
    reader = cohort(tmp_path, "eid,21003-2.0\n9000001,60\n")
    for folder in folders:
        put_file(reader.root / folder / MEMBER)
    assert reader.ids_of_files() == {"9000001", "31000011"}


@pytest.mark.parametrize("folder", ["", "10/"], ids=["root", "shard"])
@pytest.mark.parametrize("member", [MEMBER, "rfMRI_25.dr/dr_stage1.txt"], ids=["upper level", "no upper level"])
def test_a_zipped_scan_is_found_and_read(tmp_path: Path, folder: str, member: str) -> None:
    reader = cohort(tmp_path)
    put_zip(reader.root / f"{folder}1000011_20227_2_0.zip", member)
    scans = reader.find_scans(iter(IDS), 25)
    assert list(scans) == ["1000011"]
    assert pickle.loads(pickle.dumps(scans["1000011"])).read().values.tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]


def test_a_zip_without_the_dimension_is_a_scan_that_cannot_be_read(tmp_path: Path) -> None:
    reader = cohort(tmp_path)
    put_zip(reader.root / "1000011_20227_2_0.zip", MEMBER)
    scan = reader.find_scans(IDS, 100)["1000011"]
    with pytest.raises(SeriesError, match=r"^not in the archive: the zip has no `fMRI/rfMRI_100\.dr/dr_stage1\.txt`$"):
        scan.read()


def test_other_visits_fields_and_people_are_no_scans(tmp_path: Path) -> None:
    reader = cohort(tmp_path, instance=3)
    for name in (
        "1000011_20227_2_0.zip",
        "1000011_20249_3_0.zip",
        "1000099_20227_3_0.zip",
        "1000011_20227_3_0.zip.part",
    ):
        put_zip(reader.root / name, MEMBER)
    put_file(reader.root / "1000011" / MEMBER)  # without its visit a folder is taken for the first
    put_zip(reader.root / "10" / "10" / "1000011_20227_3_0.zip", MEMBER)
    (reader.root / "1000022_20227_3_0.zip").mkdir()
    (reader.root / "1000033_20227_3_0.zip").symlink_to(reader.root / "nowhere")
    assert reader.find_scans(IDS, 25) == {}


def test_a_folder_comes_before_a_zip_unless_it_lacks_the_file(tmp_path: Path) -> None:
    reader = cohort(tmp_path)
    path = put_file(reader.root / "1000011" / MEMBER)
    put_zip(reader.root / "1000011_20227_2_0.zip", MEMBER, MEMBER.replace("25", "100"))
    assert reader.find_scans(IDS, 25) == {"1000011": FileScan(path, reader.root)}
    assert isinstance(reader.find_scans(IDS, 100)["1000011"], ZipScan)
    better = put_file(reader.root / "1000011_20227_2_0" / MEMBER)
    assert reader.find_scans(IDS, 25) == {"1000011": FileScan(better, reader.root)}


def test_the_path_inside_a_scan_can_be_another(tmp_path: Path) -> None:
    reader = UkbCohort(root=tmp_path, phenotypes=(tmp_path / "t.csv",), member="{dimension}/ts.txt")
    path = put_file(tmp_path / "1000011_20227_2_0" / "25" / "ts.txt")
    other = put_file(tmp_path / "1000022" / "fMRI" / "25" / "ts.txt")
    assert reader.find_scans(IDS, 25) == {"1000011": FileScan(path, tmp_path), "1000022": FileScan(other, tmp_path)}


def test_a_root_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("nothing", "file"):
        with pytest.raises(MissingPathError, match=rf"`cohort\.root` must be a folder .*{name}` cannot"):
            UkbCohort(root=tmp_path / name, phenotypes=(tmp_path / "t.csv",)).find_scans(IDS, 25)


def test_the_three_written_column_styles_have_the_same_participants(tmp_path: Path) -> None:
    tables, series = [], []
    for style in ("dash", "dot", "rap"):
        out = tmp_path / style
        more = ["--extracted"] if style == "dot" else []
        main(["--layout", "ukb", "--out", str(out), "--participants", "2", "--columns", style, *more])
        cohort = UkbCohort(root=out / "bulk", phenotypes=(out / "phenotypes.csv",))
        table = cohort.read_table()
        tables.append(table[["participant_id", "age", "sex", "head_motion"]])
        scan = cohort.find_scans(table["participant_id"], 100)[table["participant_id"].iloc[1]]
        series.append(scan.read().values)
    assert tables[0]["age"].notna().sum() == 2
    for table, raw in zip(tables[1:], series[1:], strict=True):
        pd.testing.assert_frame_equal(table, tables[0])
        np.testing.assert_array_equal(raw, series[0])
