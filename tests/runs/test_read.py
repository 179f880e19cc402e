"""Folders of finished runs."""

import json
from pathlib import Path

import pytest

from brainage.errors import EvaluationError, MissingPathError
from brainage.runs.read import excluded_jobs, read_run, run_folders


def job(folder: Path, status: str | None, *, predictions: bool = False) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("seed: 43\n")
    if status is not None:
        (folder / "summary.json").write_text(json.dumps({"status": status}))
    if predictions:
        (folder / "predictions.csv").write_text("")
    return folder


def test_jobs_with_predictions_are_found_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("10", "9", "1"):
        job(tmp_path / name, "finished", predictions=True)
    job(tmp_path / "2", "failed")
    job(tmp_path / "3", None)
    assert [path.name for path in run_folders(str(tmp_path))] == ["1", "9", "10"]
    assert excluded_jobs(str(tmp_path)) == ["job 2, which is failed", "job 3, which has not ended"]


def test_one_run_or_one_run_twice_cannot_be_compared(tmp_path: Path) -> None:
    run = str(job(tmp_path / "run", "finished", predictions=True))
    with pytest.raises(EvaluationError, match="two .*got 1"):
        run_folders([run])
    with pytest.raises(EvaluationError, match="named twice"):
        run_folders([run, run])


@pytest.mark.parametrize(
    ("status", "fact"),
    [(None, "no `summary.json`"), ("interrupted", "interrupted"), ("finished", "evaluate=true")],
    ids=["running", "interrupted", "without-predictions"],
)
def test_a_run_without_results_is_refused_with_the_next_step(status: str | None, fact: str, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=fact):
        read_run(job(tmp_path / "run", status), "run")


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingPathError, match=r"`run=.*config\.yaml"):
        read_run(tmp_path, "run")


def test_a_multirun_among_several_runs_is_called_one(tmp_path: Path) -> None:
    for fold in (0, 1):
        job(tmp_path / "k" / str(fold), "finished", predictions=True)
    alone = r"multirun of 2 jobs.*Name one of them, such as .*/k/0; runs=.*/k alone means all of its jobs"
    with pytest.raises(MissingPathError, match=alone):
        read_run(tmp_path / "k", "runs")
    with pytest.raises(MissingPathError, match=r"`run=.*/k` must be the folder of one finished run, but is a multirun"):
        read_run(tmp_path / "k", "run")
