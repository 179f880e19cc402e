"""``brainage simulate``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainage.commands.simulate import main
from brainage.data.cohorts.bids import BidsCohort
from brainage.data.cohorts.simulated import GOOD_COMPONENTS, SimulatedCohort
from brainage.data.cohorts.simulated2 import SimulatedCohort2, both_visits
from brainage.data.cohorts.ukb import UkbCohort
from brainage.data.store.parse import recording_of
from brainage.data.store.series import FileScan, Scan, ZipScan
from brainage.data.store.several import LabelledScan, SeveralScans

N_TIMES = 490
GOOD = GOOD_COMPONENTS[25]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "brainage.data.simulated", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def in_memory(dimension: int, number: int, **arguments: float) -> np.ndarray:
    good = GOOD_COMPONENTS[dimension]
    cohort = SimulatedCohort(n_participants=number, good_components=good, **arguments)  # type: ignore[arg-type]
    name = f"sim{number:06d}"
    return cohort.find_scans([name], dimension)[name].read()


def test_the_command_writes_uk_biobank_files_that_agree_with_memory(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "here"
    done = run("--layout", "ukb", "--out", folder, "--participants", 10, "--seed", 5, "--signal", 2)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:2] == ["1 of 10 participants", "2 of 10 participants"]
    assert lines[-2:] == [
        f"Wrote 10 participants to {folder}",
        "Train on them with: python train.py cohort=ukb "
        f"cohort.root={folder}/bulk cohort.phenotypes={folder}/phenotypes.csv",
    ]
    bulk = folder / "bulk"
    assert sorted(path.name for path in bulk.iterdir()) == [f"{9000000 + i}_20227_2_0.zip" for i in range(1, 11)]
    for dimension in (25, 100):
        member = f"fMRI/rfMRI_{dimension}.dr/dr_stage1.txt"
        for number, n_times in ((1, 490), (8, 523)):
            series = ZipScan(bulk / f"{9000000 + number}_20227_2_0.zip", bulk, member).read().values
            assert series.shape == (n_times, dimension)
            expected = in_memory(dimension, number, seed=5, signal=2)
            np.testing.assert_allclose(series[:N_TIMES], expected, rtol=1e-5, atol=1e-12)


@pytest.mark.more
def test_the_command_writes_bids_files_that_agree_with_memory(tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    done = run("--layout", "bids", "--out", folder, "--participants", 2)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f"python train.py cohort=bids 'cohort.root={folder}'\n")
    people = pd.read_csv(folder / "participants.tsv", sep="\t")
    expected = SimulatedCohort(n_participants=2).read_table()
    assert people["participant_id"].tolist() == ["sub-sim000001", "sub-sim000002"]
    assert people["sex"].tolist() == ["FM"[sex] for sex in expected["sex"]]
    rest = [name for name in expected if name not in ("participant_id", "sex")]
    pd.testing.assert_frame_equal(people[rest], expected[rest], check_dtype=False)
    for dimension in (25, 100):
        name = f"sub-sim000002/ses-2/func/sub-sim000002_ses-2_task-rest_ts-ica-{dimension}.txt"
        series = FileScan(folder / name, folder).read().values
        np.testing.assert_allclose(series, in_memory(dimension, 2), rtol=1e-5, atol=1e-12)


def test_the_command_leaves_a_folder_that_holds_files_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    done = run("--layout", "bids", "--out", tmp_path, "--participants", 2)
    assert done.returncode == 2
    rule = "must be a new or an empty folder, but it has files. Name another one."
    assert done.stderr == f"error: `--out {tmp_path}` {rule}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_in_place_of_the_folder_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["--layout", "bids", "--out", str(tmp_path / "file"), "--participants", "2"]) == 2
    assert capsys.readouterr().err == f"error: `--out {tmp_path / 'file'}` cannot be made into a folder: File exists.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--layout", "ukb", "--participants", "0"], "`--participants` must be at least 1, but got 0"),
        (["--layout", "ukb", "--participants", "many"], "invalid int value: 'many'"),
        (["--layout", "ukb", "--participants", "5", "--seed", "-1"], "`--seed` must not be negative, but got -1"),
        (["--layout", "ukb", "--participants", "5", "--signal", "-1"], "`--signal` must be 0 or more, but got -1.0"),
        (["--layout", "ukb", "--participants", "5", "--signal", "nan"], "`--signal` must be 0 or more, but got nan"),
        (["--layout", "bids", "--participants", "5", "--columns", "dot"], "need `--layout ukb` or `ukb_schaefer`"),
        (["--layout", "bids", "--participants", "5", "--extracted"], "need `--layout ukb` or `ukb_schaefer`"),
        (
            ["--layout", "ukb", "--participants", "5", "--t-r", "2"],
            "need `--layout bids`: other layouts have their own",
        ),
        (["--layout", "bids", "--participants", "5", "--t-r", "0"], "`--t-r` must be a number above 0, but got 0.0"),
        (["--layout", "bids", "--participants", "5", "--sites", "different"], "different` needs `--version 2`"),
        (["--layout", "bids", "--participants", "5", "--version", "3"], "invalid choice: 3"),
        (["--layout", "nifti", "--participants", "5"], "invalid choice: 'nifti'"),
    ],
)
def test_wrong_options_exit_with_2_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([*arguments, "--out", str(tmp_path / "new")])
    assert message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_the_simulation_does_not_import_torch() -> None:
    code = "import sys, brainage.commands.simulate; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_version_2_is_written_with_the_second_visits_and_sites_of_memory(tmp_path: Path) -> None:
    words = ["--layout", "bids", "--participants", "8", "--version", "2", "--sites", "different", "--t-r", "0.72"]
    assert main([*words, "--out", str(tmp_path)]) == 0
    memory = both_visits(SimulatedCohort2(n_participants=8, sites="different", t_r=0.72, good_components=GOOD))
    scans = memory.find_scans(memory.read_table()["participant_id"], 25)
    pattern = "sub-{participant_id}/**/*_ts-ica-{dimension}.txt"
    written = BidsCohort(root=tmp_path, pattern=pattern, scans="all").find_scans(scans, 25)
    pairs = [(_labelled(scans[one]), _labelled(written[one])) for one in scans]
    assert {len(in_memory) for in_memory, _ in pairs} == {1, 2}
    for in_memory, in_files in pairs:
        for expected, found in zip(in_memory, in_files, strict=True):
            assert getattr(found.scan, "t_r", None) == getattr(expected.scan, "t_r", None)
            series = recording_of(found.scan.read()).values[:N_TIMES]
            np.testing.assert_allclose(series, expected.scan.read()[:N_TIMES], rtol=1e-5, atol=1e-4)
            assert expected.age in (None, pytest.approx(found.age, abs=0.01))
    first = BidsCohort(root=tmp_path).read_table()["age"]
    assert first.tolist() == memory.read_table()["age"].tolist()


def _labelled(scan: Scan) -> tuple[LabelledScan, ...]:
    return scan.scans if isinstance(scan, SeveralScans) else (LabelledScan("", scan),)


def test_second_visits_are_instance_3_of_uk_biobank(tmp_path: Path) -> None:
    assert main(["--layout", "ukb", "--participants", "8", "--version", "2", "--out", str(tmp_path)]) == 0
    memory = SimulatedCohort2(n_participants=8, visit="second", good_components=GOOD)
    table = memory.read_table()
    files = UkbCohort(root=tmp_path / "bulk", phenotypes=(tmp_path / "phenotypes.csv",), instance=3)
    found = files.read_table(["4282-2.0", "null_01"])
    there = found[found["age"].notna()]
    for name, column in {
        "age": "age",
        "head_motion": "head_motion",
        "memory": "4282-2.0",
        "null_01": "null_01",
    }.items():
        assert there[column].tolist() == table[name].tolist()
    scans = list(files.find_scans(there["participant_id"], 25).values())
    assert len(scans) == len(table) > 1
    for scan, expected in zip(scans, memory.find_scans(table["participant_id"], 25).values(), strict=True):
        np.testing.assert_allclose(recording_of(scan.read()).values[:N_TIMES], expected.read(), rtol=1e-5, atol=1e-4)
