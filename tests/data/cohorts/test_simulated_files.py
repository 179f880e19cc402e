"""Simulated cohorts as files."""

from __future__ import annotations

import csv
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from nilearn.datasets import fetch_abide_pcp
from nilearn.interfaces.fmriprep import load_confounds
from nilearn.maskers import NiftiLabelsMasker
from omegaconf import DictConfig

from brainage.commands.simulate import main
from brainage.config.hydra import parse
from brainage.config.overrides import quote_words
from brainage.data.cohorts.readers import reader_of
from brainage.data.cohorts.sidecars import t_r_of_files
from brainage.data.cohorts.simulated import GOOD_COMPONENTS, SimulatedCohort
from brainage.data.store.series import FileScan

N_TIMES = 490


def in_memory(dimension: int, number: int, **arguments: float) -> np.ndarray:
    good = GOOD_COMPONENTS[dimension]
    cohort = SimulatedCohort(n_participants=number, good_components=good, **arguments)  # type: ignore[arg-type]
    name = f"sim{number:06d}"
    return cohort.find_scans([name], dimension)[name].read()


@pytest.fixture
def tables_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write no series, which take most of the time."""
    monkeypatch.setattr("brainage.data.cohorts.simulated_writing.counted", lambda n_participants: iter(()))


def read_ukb(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "phenotypes.csv", dtype=str, keep_default_na=False)


@pytest.mark.usefixtures("tables_only")
def test_the_uk_biobank_table_agrees_with_memory_and_has_the_columns_of_real_tables(tmp_path: Path) -> None:
    assert main(["--layout", "ukb", "--out", str(tmp_path), "--participants", "20"]) == 0
    table, expected = read_ukb(tmp_path), SimulatedCohort(n_participants=20).read_table()
    # Two more participants, a tenth, were recruited and never imaged.
    assert table["eid"].tolist() == [str(9000001 + i) for i in range(22)]
    imaged, others = table.head(20), table.tail(2)
    for column, name in {
        "21003-2.0": "age",
        "25741-2.0": "head_motion",
        "31-0.0": "sex",
        "47-2.0": "grip_strength",
    }.items():
        assert imaged[column].astype(float).tolist() == expected[name].tolist()
    for column, name in {"20159-2.0": "processing_speed", "20116-2.0": "smoker", "52-0.0": "month_of_birth"}.items():
        assert imaged[column].astype(float).tolist() == expected[name].tolist()
    assert imaged["true_gap"].astype(float).tolist() == expected["true_gap"].tolist()
    assert imaged["21003-2.0"].str.fullmatch(r"\d\d\.\d\d").all()
    assert set(imaged["54-2.0"]) <= {"11025", "11026", "11027", "11028"}
    earlier = expected["age"] - imaged["21003-0.0"].astype(float)
    assert earlier.between(5.99, 10.01).all()
    assert (table["21022-0.0"] == table["21003-0.0"]).all()
    assert set(table["54-0.0"]).isdisjoint(imaged["54-2.0"])
    recruitment = {"eid", "31-0.0", "52-0.0", "54-0.0", "21003-0.0", "21022-0.0"}
    assert {column for column in table if (others[column] != "").all()} == recruitment
    assert (others[list(set(table) - recruitment)] == "").all(axis=None)


@pytest.mark.usefixtures("tables_only")
def test_every_value_of_the_dash_style_is_quoted(tmp_path: Path) -> None:
    main(["--layout", "ukb", "--out", str(tmp_path), "--participants", "1"])
    with (tmp_path / "phenotypes.csv").open() as file:
        rows = list(csv.reader(file, quoting=csv.QUOTE_NONE))
    assert all(value.startswith('"') and value.endswith('"') for row in rows for value in row)


@pytest.mark.usefixtures("tables_only")
def test_missing_answers_are_codes_in_uk_biobank_and_na_in_bids(tmp_path: Path) -> None:
    for layout in ("ukb", "bids"):
        main(["--layout", layout, "--out", str(tmp_path / layout), "--participants", "300"])
    missing = SimulatedCohort(n_participants=300).read_table()["restlessness"].isna().to_numpy()
    assert missing.any()
    answers = read_ukb(tmp_path / "ukb")["2070-2.0"].head(300)
    assert set(answers[missing]) == {"-1", "-3"}
    assert set(answers[~missing]) == {"1", "2", "3", "4"}
    table = pd.read_csv(tmp_path / "bids" / "participants.tsv", sep="\t", dtype=str, keep_default_na=False)
    assert ((table["restlessness"] == "n/a") == missing).all()


@pytest.mark.usefixtures("tables_only")
@pytest.mark.parametrize(
    ("style", "names", "sexes"),
    [
        ("dot", ["f.eid", "f.31.0.0", "f.52.0.0", "f.54.0.0", "f.54.2.0", "f.21003.2.0", "f.21022.0.0"], {"0", "1"}),
        ("rap", ["eid", "p31", "p52", "p54_i0", "p54_i2", "p21003_i2", "p21022"], {"Female", "Male"}),
    ],
)
def test_the_other_column_styles_name_columns_as_uk_biobank_does(
    tmp_path: Path, style: str, names: list[str], sexes: set[str]
) -> None:
    main(["--layout", "ukb", "--out", str(tmp_path), "--participants", "10", "--columns", style])
    table = read_ukb(tmp_path)
    assert [name for name in table if name in names] == names
    assert set(table[names[1]]) == sexes
    assert "true_gap" in table
    assert table[names[4]].str.endswith(" (imaging)").head(10).all() == (style == "rap")


def test_extracted_files_contain_the_series(tmp_path: Path) -> None:
    main(["--layout", "ukb", "--out", str(tmp_path), "--participants", "1", "--extracted"])
    path = tmp_path / "bulk" / "9000001" / "fMRI" / "rfMRI_25.dr" / "dr_stage1.txt"
    np.testing.assert_allclose(FileScan(path, tmp_path).read().values, in_memory(25, 1), rtol=1e-5, atol=1e-12)
    assert len(list((tmp_path / "bulk").rglob("*.*"))) == 4


def test_series_have_one_time_point_a_line_and_two_spaces_after_each_number(tmp_path: Path) -> None:
    main(["--layout", "bids", "--out", str(tmp_path), "--participants", "1"])
    text = next(tmp_path.rglob("*-25.txt")).read_text()
    assert len(text.splitlines()) == N_TIMES
    assert {len(line.split("  ")) for line in text.splitlines()} == {26}  # each number is followed by two spaces


def test_nilearn_finds_the_files_of_abide_where_it_leaves_them(tmp_path: Path) -> None:
    assert main(["--layout", "abide", "--out", str(tmp_path), "--participants", "12"]) == 0
    found = fetch_abide_pcp(tmp_path, derivatives=["rois_cc200"], verbose=0)
    people = found.phenotypic
    # Number 3 of 12 did not pass the third rater, and the thirteenth was not scanned.
    assert people["SUB_ID"].tolist() == [90001 + i for i in range(12) if i != 3]
    acquired = dict(zip(people["SITE_ID"], (series.shape for series in found.rois_cc200), strict=True))
    assert acquired == {"NYU": (176, 200), "PITT": (196, 200), "UM_1": (296, 200), "UCLA_1": (116, 200)}
    expected = SimulatedCohort(n_participants=12).read_table().drop(index=3)
    assert people["AGE_AT_SCAN"].tolist() == pytest.approx(
        (6.5 + (expected["age"] - 46) * 57.5 / 36).tolist(), abs=0.01
    )
    assert people["SEX"].tolist() == [{0: 2, 1: 1}[sex] for sex in expected["sex"]]
    assert people["func_mean_fd"].tolist() == expected["head_motion"].tolist()


def test_parcels_start_as_memory_does_and_have_names_and_the_acquisition_of_their_site(tmp_path: Path) -> None:
    main(["--layout", "xcpd", "--out", str(tmp_path / "xcpd"), "--participants", "4"])
    table = pd.read_csv(tmp_path / "xcpd" / "participants.tsv", sep="\t")
    assert table["site"].nunique() > 1
    for name, site in zip(table["participant_id"], table["site"], strict=True):
        func = tmp_path / "xcpd" / name / "ses-1" / "func"
        series = next(func.glob("*_space-fsLR_seg-4S156Parcels_stat-mean_timeseries.tsv"))
        t_r = json.loads(next(func.glob("*_desc-denoised_bold.json")).read_text())["RepetitionTime"]
        found = FileScan(series, tmp_path).read()
        assert (t_r, len(found.values)) in {(0.8, 420), (0.8, 375), (2.0, 240), (2.0, 180)}
        assert found.column_names is not None
        assert (found.column_names[0], len(set(found.column_names))) == ("LH_Vis_1", 156)
        number = table["participant_id"].tolist().index(name) + 1
        cohort = SimulatedCohort(n_participants=number, t_r=t_r, n_times=len(found.values))
        scan = cohort.find_scans([name.removeprefix("sub-")], 156)[name.removeprefix("sub-")]
        np.testing.assert_allclose(found.values, scan.read(), rtol=1e-5, atol=1e-12)
        assert site in ("Cheadle", "Reading", "Newcastle", "Bristol")


def words_of_train(said: str) -> list[str]:
    """Return the words of the command in the last line, ``brainage train ...`` or ``python train.py ...``."""
    return shlex.split(re.split(r" train(?:\.py)? ", said.splitlines()[-1])[1])


@pytest.mark.parametrize("extracted", [[], ["--extracted"]], ids=["zips", "folders"])
def test_parcels_of_uk_biobank_are_found_by_their_modality(
    tmp_path: Path, extracted: list[str], capsys: pytest.CaptureFixture[str], composed: Callable[..., DictConfig]
) -> None:
    out = tmp_path / "out"
    assert main(["--layout", "ukb_schaefer", "--out", str(out), "--participants", "2", *extracted]) == 0
    words = words_of_train(capsys.readouterr().out)
    config = parse(composed(*quote_words(words)))
    found = reader_of(config.cohort, config.modality).find_scans(["9000001", "9000002"], 100)["9000002"].read()
    assert found.row_names is not None
    assert (found.row_names[0], len(set(found.row_names))) == ("7Networks_LH_Vis_1", 100)
    cohort = SimulatedCohort(n_participants=2)
    scan = cohort.find_scans(["sim000002"], 100)["sim000002"]
    np.testing.assert_allclose(found.values.T, scan.read(), rtol=1e-5, atol=1e-12)


def test_nilearn_makes_the_series_of_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--layout", "fmriprep", "--out", str(tmp_path), "--participants", "1"]) == 0
    assert "Make series of the images with nilearn" in capsys.readouterr().out
    [image] = tmp_path.glob("sub-*/func/*_desc-preproc_bold.nii.gz")
    confounds, kept = load_confounds(str(image), strategy=["high_pass", "motion", "wm_csf", "global_signal"])
    assert confounds.shape == (200, 6 + 24 + 2 + 1)
    assert kept is None
    found = NiftiLabelsMasker(tmp_path / "atlas.nii.gz", standardize=None).fit_transform(image)
    scan = SimulatedCohort(n_participants=1, t_r=2.0, n_times=200).find_scans(["sim000001"], 100)["sim000001"]
    np.testing.assert_allclose(found, 1000 + scan.read(), rtol=1e-6)
    assert len(pd.read_csv(tmp_path / "atlas.tsv", sep="\t")) == found.shape[1]
    table = image.with_name("sub-sim000001_task-rest_seg-Schaefer100_timeseries.tsv")
    assert t_r_of_files(tmp_path, [table]) == {table: 2.0}


def test_parcels_of_hcp_have_names_and_a_repetition_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], composed: Callable[..., DictConfig]
) -> None:
    assert main(["--layout", "hcp", "--out", str(tmp_path / "hcp"), "--participants", "2"]) == 0
    words = words_of_train(capsys.readouterr().out)
    config = parse(composed(*quote_words(words)))
    reader = reader_of(config.cohort, config.modality)
    assert reader.read_table()["age"].tolist() == SimulatedCohort(n_participants=2).read_table()["age"].tolist()
    found = reader.find_scans(["999001", "999002"], 100)["999002"].read()
    assert (found.t_r, found.values.shape) == (0.72, (1200, 100))
    assert found.column_names is not None
    assert (found.column_names[0], found.column_names[-1]) == ("LH_Vis_1", "RH_Default_11")


@pytest.mark.parametrize(("layout", "cell"), [("xcpd", "n/a"), ("abide", "0")])
def test_a_parcel_without_signal_is_written_as_the_tools_write_it(tmp_path: Path, layout: str, cell: str) -> None:
    assert main(["--layout", layout, "--out", str(tmp_path), "--participants", "18"]) == 0
    columns = {path: _second_column(path) for path in tmp_path.rglob("*_*") if path.suffix in (".tsv", ".1D")}
    assert len(columns) == 18
    assert [{*column[1:]} == {cell} for _, column in sorted(columns.items())].count(True) == 1
    [lacking] = (path for path, column in columns.items() if {*column[1:]} == {cell})
    assert "18" in lacking.name
    series = np.asarray(FileScan(lacking, tmp_path).read().values)
    assert (np.nan_to_num(series[:, 1]) == 0).all()
    assert np.isfinite(np.delete(series, 1, axis=1)).all()


def _second_column(path: Path) -> list[str]:
    return [line.split("\t")[1] for line in path.read_text().splitlines()]
