"""ABIDE I: a folder as nilearn leaves it, and fetching from a server on this machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brainage.config.groups.cohort import AbideCohortConfig
from brainage.config.groups.modality import ModalityConfig
from brainage.data.cohorts import abide
from brainage.data.cohorts.abide import TABLE, AbideCohort, Derivative
from brainage.data.cohorts.abide_download import fetch
from brainage.data.cohorts.readers import reader_of
from brainage.data.cohorts.select import select_participants
from brainage.data.store.series import FileScan
from brainage.errors import CohortError, ConfigError, MissingPathError
from tests.serving import served

PASSED = "OK,OK,maybe,OK,OK"
# As the real table: an index without a name, ids in several columns, text with commas, and -9999.
ROWS = f"""\
,Unnamed: 0,SUB_ID,X,subject,SITE_ID,FILE_ID,DX_GROUP,AGE_AT_SCAN,SEX,FIQ,func_mean_fd,qc_rater_1,qc_anat_rater_2,\
qc_func_rater_2,qc_anat_rater_3,qc_func_rater_3,notes
0,1,90001,1,90001,NYU,NYU_0090001,1,11.5,1,103,0.25,{PASSED},
1,2,90002,2,90002,UCLA_1,UCLA_1_0090002,2,24,2,-9999,-9999,{PASSED},"calm, then not"
2,3,90003,3,90003,NYU,no_filename,2,30.25,2,-9999.0,,{PASSED},
3,4,90004,4,90004,LEUVEN_1,Leuven_1_0090004,2,31,1,99,0.1,"OK,OK,maybe,OK,fail",
4,5,90005,5,90005,PITT,../../etc,2,33,1,99,0.1,{PASSED},
""".replace('"OK,OK,maybe,OK,fail"', "OK,OK,maybe,OK,fail")
FOLDER = "cpac/nofilt_noglobal"
SERIES = "#1\t#2\t#5\n" + "\n".join(f"{i * i}.5\t{i}\t-{i}" for i in range(1, 6))


def series_of(folder: Path, *file_ids: str, rois: str = "cc200") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file_id in file_ids:
        (folder / f"{file_id}_rois_{rois}.1D").write_text(SERIES)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    data = tmp_path / "ABIDE_pcp"
    series_of(data / FOLDER, "NYU_0090001", "UCLA_1_0090002", "Leuven_1_0090004")
    (data / TABLE).write_text(ROWS)
    return tmp_path


def cohort(root: Path, rois: str = "cc200", **options: object) -> AbideCohort:
    strategy = {key: options.pop(key) for key in ("url", "band_pass_filtering") if key in options}
    return AbideCohort(root=root, derivative=Derivative(rois=rois, **strategy), **options)  # type: ignore[arg-type]


def test_the_table_is_that_of_participants_who_passed(root: Path) -> None:
    found = cohort(root).read_table(["FIQ", "notes"])
    assert found.astype(object).fillna("?").to_dict("list") == {
        "participant_id": ["90001", "90002", "90003", "90005"],
        "age": [11.5, 24.0, 30.25, 33.0],
        "sex": [1.0, 0.0, 0.0, 1.0],
        "site": ["NYU", "UCLA_1", "NYU", "PITT"],
        "head_motion": [0.25, "?", "?", 0.1],
        "FIQ": [103.0, "?", "?", 99.0],
        "notes": ["?", "calm, then not", "?", "?"],
    }
    everyone = cohort(root / "ABIDE_pcp", quality_checked=False).read_table()
    assert everyone["participant_id"].tolist() == ["90001", "90002", "90003", "90004", "90005"]
    assert cohort(root).phenotype_names() == ["DX_GROUP", "FIQ", "notes"]


def test_scans_have_the_names_of_their_regions_and_the_repetition_time_of_the_site(root: Path) -> None:
    found = cohort(root, quality_checked=False).find_scans([f"9000{i}" for i in range(1, 7)], 200)
    data = root / "ABIDE_pcp" / FOLDER
    assert found == {
        "90001": FileScan(data / "NYU_0090001_rois_cc200.1D", root, t_r=2.0),
        "90002": FileScan(data / "UCLA_1_0090002_rois_cc200.1D", root, t_r=3.0),
        "90004": FileScan(data / "Leuven_1_0090004_rois_cc200.1D", root, t_r=1.656),
    }
    recording = found["90001"].read()
    assert recording.column_names == ("1", "2", "5")
    assert recording.values[:2].tolist() == [[1.5, 1.0, -1.0], [4.5, 2.0, -2.0]]
    moved = cohort(root / "ABIDE_pcp").find_scans(["90001"], 200)
    assert moved["90001"].path == found["90001"].path  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("options", "folder"),
    [({}, FOLDER), ({"band_pass_filtering": True}, "cpac/filt_noglobal")],
)
def test_missing_files_are_one_message_with_the_command_that_fetches_them(
    options: dict[str, object], folder: str, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    command = f"cohort=abide cohort.root={root} modality=cc200 cohort.download=true"
    with pytest.raises(CohortError, match="none has") as error:
        select_participants(cohort(root, "ho", **options), dimension=111)
    assert f"ABIDE_pcp/{folder}" in str(error.value) and command in str(error.value)
    with pytest.raises(MissingPathError, match=f"`cohort.root={root}/no`") as error:
        cohort(root / "no").read_table()
    assert "cohort.download=true" in str(error.value)
    (root / "ABIDE_pcp" / FOLDER / "NYU_0090001_rois_cc200.1D").unlink()
    assert list(cohort(root).find_scans(["90001", "90002"], 200)) == ["90002"]
    assert "1 of 2 participants have no file. cohort.download=true fetches what is missing: " in caplog.text


def test_the_terms_are_said_once(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    abide._show_terms.cache_clear()
    caplog.set_level("INFO")
    for _ in range(2):
        cohort(root).read_table()
    assert caplog.text.count("doi 10.1038/mp.2013.78") == caplog.text.count("non-commercial") == 1


def test_the_regions_are_those_of_the_modalitys_name_unless_they_are_given(root: Path) -> None:
    modality = {"dimension": 3, "components": "all", "good_components": None, "n_channels": 3, "n_times": 5}
    config = AbideCohortConfig(name="abide", root=str(root))
    reader = reader_of(config, ModalityConfig(name="cc200", **modality))  # type: ignore[arg-type]
    assert isinstance(reader, AbideCohort) and reader.derivative.rois == "cc200"
    with pytest.raises(ConfigError, match=r"`cohort.rois`.*modality=parcels.*Choose one of aal, cc200"):
        reader_of(config, ModalityConfig(name="parcels", **modality))  # type: ignore[arg-type]


def test_what_is_missing_is_fetched_and_one_that_the_server_lacks_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place, mine = tmp_path / "served", tmp_path / "mine"
    series_of(place / "Outputs" / FOLDER / "rois_cc200", "UCLA_1_0090002", "Leuven_1_0090004")
    (place / TABLE).write_text(ROWS)
    with served(place) as url:
        fetching = cohort(mine, url=url, download=True, quality_checked=False)
        found = fetching.find_scans(fetching.read_table()["participant_id"], 200)
        fetch(mine, fetching.derivative, ["90001"] * 6)
    assert sorted(found) == ["90002", "90004"]
    assert "1 of 3 files could not be fetched: 1 x HTTPError" in caplog.text
    assert "6 of 6 files could not be fetched: 6 x HTTPError" in caplog.text
    assert "9000" not in caplog.text
    assert np.array_equal(found["90002"].read().values[:, 0], [1.5, 4.5, 9.5, 16.5, 25.5])
    again = cohort(mine, download=False, quality_checked=False)
    assert sorted(again.find_scans(again.read_table()["participant_id"], 200)) == ["90002", "90004"]


def test_a_server_that_does_not_answer_is_one_message(tmp_path: Path, root: Path) -> None:
    nowhere = {"url": "http://127.0.0.1:9", "download": True}
    with pytest.raises(MissingPathError, match=r"the table could not be fetched from http://127.0.0.1:9 \(\w+Error\)"):
        cohort(tmp_path / "empty", **nowhere).read_table()
    fetching = cohort(root, "ho", **nowhere)
    with pytest.raises(MissingPathError, match="5 files one after another could not be fetched"):
        fetch(root, fetching.derivative, ["90001", "90002"] * 3)
