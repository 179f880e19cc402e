"""What a study's folder records, and which folders are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from brainage.errors import StudyError
from brainage.study.plan import study_steps
from brainage.study.record import StudyRecord, open_record


def test_another_size_or_other_overrides_are_refused_once_something_is_done(tmp_path: Path) -> None:
    steps = study_steps("small", tmp_path, ())
    StudyRecord("small", ["seed=3"], {}, {"manual_search/depth": "abc"}).write(tmp_path)
    before = (tmp_path / "study.json").read_bytes()
    with pytest.raises(StudyError, match="size small with seed=3, but got size full with seed=3"):
        open_record(tmp_path, StudyRecord("full", ["seed=3"]), steps)
    with pytest.raises(StudyError, match="size small with seed=3, but got size small with no overrides"):
        open_record(tmp_path, StudyRecord("small", []), steps)
    assert (tmp_path / "study.json").read_bytes() == before


def test_a_record_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(StudyError, match=r"study\.json` must be a study's record, but cannot be read"):
        open_record(tmp_path, StudyRecord("small", []), [])


def test_overrides_may_change_while_nothing_was_trained(tmp_path: Path) -> None:
    steps = study_steps("small", tmp_path, ())
    StudyRecord("small", ["cohort.root=wrong"], {steps[0].label: 2.0}).write(tmp_path)
    (steps[0].folder / "0").mkdir(parents=True)
    (steps[0].folder / "multirun.yaml").touch()
    assert open_record(tmp_path, StudyRecord("small", ["cohort.root=right"]), steps) == StudyRecord(
        "small", ["cohort.root=right"]
    )
    assert not steps[0].folder.exists()
    (steps[0].folder / "0").mkdir(parents=True)
    (steps[0].folder / "0" / "metrics.csv").touch()
    with pytest.raises(StudyError, match="contains a study of size small with cohort.root=wrong"):
        open_record(tmp_path, StudyRecord("small", ["cohort.root=other"]), steps)
    assert steps[0].folder.exists()


def test_a_folder_that_contains_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "comparison").mkdir()
    (tmp_path / "comparison" / "mine.txt").write_text("x")
    with pytest.raises(StudyError, match=r"contains `comparison` and no study\.json"):
        open_record(tmp_path, StudyRecord("small", []), study_steps("small", tmp_path, ()))
    assert (tmp_path / "comparison" / "mine.txt").read_text() == "x"


def test_steps_whose_results_are_gone_are_repeated_with_the_comparison_of_them(tmp_path: Path) -> None:
    steps = study_steps("small", tmp_path, ())
    for step in steps:
        step.folder.mkdir(parents=True)
        step.result.write_text('{"status": "finished"}')
    StudyRecord("small", [], {}, dict.fromkeys((step.label for step in steps), "abc")).write(tmp_path)
    steps[8].result.unlink()
    record = open_record(tmp_path, StudyRecord("small", []), steps)
    assert [step.label for step in steps if step.label not in record.done] == [
        "final_models/ica25",
        "comparison/ica25_ica100",
    ]
