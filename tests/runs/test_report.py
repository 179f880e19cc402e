"""After a training: the summary is written first, and what fails in the report or on the console is a note."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brainage.errors import DivergedError
from brainage.runs import report
from brainage.system.signals import Interruption
from tests.conftest import FAST, ROOT
from tests.forked import FORKS, run_python

RunJob = Callable[..., dict[str, Any]]


def failing(error: BaseException, run: Path) -> Callable[..., Any]:
    """Return a step of the report that fails, and checks that the run is finished by then."""

    def step(*arguments: Any, **others: Any) -> Any:
        assert json.loads((run / "summary.json").read_text())["status"] == "finished"
        raise error

    return step


def test_a_report_and_a_test_of_the_order_of_time_that_fail_are_notes_of_a_finished_run(
    run_job: RunJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def diverge(*_: object) -> None:
        raise DivergedError("Predicted ages must be finite.")

    monkeypatch.setattr("brainage.runs.further.write_time_order", diverge)
    monkeypatch.setattr(report, "write_findings", failing(OSError(28, "No space left on device"), tmp_path / "run0"))
    summary = run_job(*FAST)
    assert summary["status"] == "finished" and summary["metrics"]["test"]["mae"] > 0
    assert summary["notes"] == [
        "No test of the order of time: Predicted ages must be finite.",
        "The report was not written: No space left on device.",
    ]
    assert (tmp_path / "run0" / "predictions.csv").exists() and not (tmp_path / "run0" / "report.html").exists()
    assert re.search(rf"^Report: none; .* report(.py)? run={tmp_path / 'run0'}$", capsys.readouterr().out, re.M)


def test_baselines_that_fail_are_a_note_in_the_summary_and_in_the_report(
    run_job: RunJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrawn: None
) -> None:
    monkeypatch.setattr(report, "compared_baselines", failing(ValueError("secret"), tmp_path / "run0"))
    summary = run_job(*FAST)
    note = "No comparison with baselines: ValueError; see the log."
    assert summary["status"] == "finished" and summary["notes"] == [note]
    assert note in json.loads((tmp_path / "run0" / "findings.json").read_text())["notes"]


def test_an_interrupted_report_leaves_the_run_finished_and_prints_its_command(
    run_job: RunJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(report, "write_findings", failing(Interruption(2), tmp_path / "run0"))
    with pytest.raises(SystemExit, match="130"):
        run_job(*FAST)
    summary = json.loads((tmp_path / "run0" / "summary.json").read_text())
    assert summary["status"] == "finished"
    assert summary["notes"] == ["The report was not finished: interrupted by SIGINT."]
    assert re.search(rf"continue with: .* report(.py)? run={tmp_path / 'run0'}$", capsys.readouterr().err, re.M)


def test_one_component_and_one_age_for_all_are_reported(
    run_job: RunJob, tmp_path: Path, undrawn: None, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(3)
    ids = [f"{number:03d}" for number in range(110)]
    for one in ids:
        (tmp_path / "tree" / one).mkdir(parents=True)
        np.savetxt(tmp_path / "tree" / one / "1.txt", rng.standard_normal((60, 1)), fmt="%.3f")
    (tmp_path / "tree" / "participants.tsv").write_text(
        "participant_id\tage\n" + "".join(f"{one}\t50\n" for one in ids)
    )
    words = ("modality.dimension=1", "modality.good_components=[1]", "modality.n_channels=1", "modality.n_times=60")
    place = (f"cohort.root={tmp_path / 'tree'}", "cohort.pattern='{participant_id}/{dimension}.txt'")
    summary = run_job("cohort=bids", *place, *words, "model.depth=1", *FAST[1:])
    assert summary["status"] == "finished" and summary["notes"] == []
    assert summary["baseline"]["test"]["mae"] == 0
    assert "skill, 1 minus their ratio -" in " ".join(capsys.readouterr().out.split())
    findings = json.loads((tmp_path / "run0" / "findings.json").read_text())
    assert [(one["label"], one["mae"]) for one in findings["baselines"]] == [("ridge on spectra", 0)]


@pytest.mark.more
def test_folds_whose_reader_has_gone_are_finished_with_their_table(tmp_path: Path) -> None:
    words = (
        "--multirun",
        "split=kfold",
        "split.fold=0,1",
        "split.n_folds=2",
        FAST[0],
        "model=mean_age",
        "hydra.sweep.dir=folds",
    )
    out, err = tmp_path / "out", tmp_path / "err"
    os.mkfifo(out)
    process = FORKS.Process(target=run_python, args=([str(ROOT / "train.py"), *words], tmp_path, out, err))
    process.start()
    with out.open() as reader:
        assert reader.readline()  # and closes it, as `| head -1` does
    process.join(120)
    assert process.exitcode == 0 and err.read_text() == ""
    for name in ("summary.csv", "folds.csv", "pooled_predictions.csv", "report.html"):
        assert (tmp_path / "folds" / name).exists(), name
    summary = json.loads((tmp_path / "folds" / "1" / "summary.json").read_text())
    assert summary["status"] == "finished"
    assert summary["notes"] == ["What was printed did not reach its reader: Broken pipe."]
