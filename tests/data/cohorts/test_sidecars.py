"""Repetition times in JSON files of BIDS-like trees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from brainage.data.cohorts.bids import BidsCohort
from brainage.data.cohorts.sidecars import t_r_of_files

FILE = "sub-01/ses-1/func/sub-01_ses-1_task-rest_seg-S100_timeseries"
OWN = f"{FILE}.json"


def t_r_of(root: Path, stem: str, **sidecars: object) -> float | None:
    for path, content in sidecars.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content if isinstance(content, str) else json.dumps(content))
    (found,) = t_r_of_files(root, [root / f"{stem}.csv.gz"]).values()
    return found


@pytest.mark.parametrize(
    ("stem", "sidecars", "expected"),
    [
        pytest.param(FILE, {OWN: {"RepetitionTime": 0.8}}, 0.8, id="own"),
        pytest.param(FILE, {OWN: {"SamplingFrequency": 1.25}}, 0.8, id="frequency"),
        pytest.param(FILE, {OWN: {"SamplingFrequency": "TR"}}, None, id="frequency in words"),
        pytest.param(FILE, {"task-rest_bold.json": {"RepetitionTime": 2}}, 2.0, id="bold in the root"),
        pytest.param(FILE, {"sub-01/sub-01_task-rest_timeseries.json": {"RepetitionTime": 2}}, 2.0, id="a folder's"),
        pytest.param(FILE, {"sub-02_task-rest_bold.json": {"RepetitionTime": 2}}, None, id="another participant's"),
        pytest.param(FILE, {"task-nback_bold.json": {"RepetitionTime": 2}}, None, id="another task's"),
        pytest.param(FILE, {"task-rest_physio.json": {"SamplingFrequency": 400}}, None, id="another suffix"),
        pytest.param(
            FILE, {OWN: {"Units": "z"}, "task-rest_bold.json": {"RepetitionTime": 2}}, 2.0, id="own without the key"
        ),
        pytest.param(
            FILE, {OWN: {"RepetitionTime": 1}, "task-rest_bold.json": {"RepetitionTime": 2}}, 1.0, id="the nearest"
        ),
        pytest.param(
            FILE,
            {"bold.json": {"RepetitionTime": 1}, "task-rest_ses-1_bold.json": {"RepetitionTime": 2}},
            2.0,
            id="the most entities",
        ),
        pytest.param(
            FILE,
            {OWN: {"SamplingFrequency": "TR"}, f"{FILE[:-20]}_den-91k_desc-x_bold.json": {"RepetitionTime": 2}},
            2.0,
            id="of the images, as XCP-D has it",
        ),
        pytest.param("all/01", {"all/01.json": {"RepetitionTime": 3}}, 3.0, id="names of no BIDS"),
        pytest.param("all/01_ts", {"all/02_ts.json": {"RepetitionTime": 3}}, None, id="another file's"),
    ],
)
def test_the_closest_sidecar_that_has_it_gives_the_repetition_time(
    stem: str, sidecars: dict[str, object], expected: float | None, tmp_path: Path
) -> None:
    assert t_r_of(tmp_path, stem, **sidecars) == expected


@pytest.mark.parametrize("content", ["{", "[1]", '{"RepetitionTime": 0}', '{"RepetitionTime": "2"}', "[" * 10_000])
def test_one_that_cannot_be_used_is_counted_and_stops_nothing(
    content: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("01", "02"):
        (tmp_path / f"{name}.txt").write_text("1 2\n3 4\n")
    (tmp_path / "01.json").write_text(content)
    (tmp_path / "02.json").write_text('{"RepetitionTime": 2}')
    scans = BidsCohort(root=tmp_path, pattern="{participant_id}.txt").find_scans(["01", "02"], 2)
    assert [getattr(scans[name], "t_r", "") for name in ("01", "02")] == [None, 2.0]
    (message,) = [record.getMessage() for record in caplog.records]
    assert "1 JSON files beside series are ignored (1 x" in message and "cohort.t_r=SECONDS" in message
    assert "01" not in message


def test_sidecars_do_not_change_the_stamp(tmp_path: Path) -> None:
    (tmp_path / "01.txt").write_text("1 2\n3 4\n")
    cohort = BidsCohort(root=tmp_path, pattern="{participant_id}.txt")
    before = cohort.find_scans(["01"], 2)["01"].stamp()
    (tmp_path / "01.json").write_text('{"RepetitionTime": 2}')
    assert cohort.find_scans(["01"], 2)["01"].stamp() == before
