"""The index page of a study."""

from __future__ import annotations

import json
import re
from pathlib import Path

from brainage.study.index import write_index
from brainage.study.plan import study_steps
from brainage.study.record import StudyRecord


def test_the_index_links_every_report_and_escapes_values(tmp_path: Path) -> None:
    steps = study_steps("small", tmp_path, ())
    for step in steps[:2]:
        step.folder.mkdir(parents=True)
    first = steps[0]
    (first.folder / "report.html").write_text("x")
    first.result.write_text(
        "overrides,status,val/mse,val/mae,test/mae\noptimizer.lr=<i>1 seed=1,finished,41.5,5.0,5.25\n"
    )
    record = StudyRecord("small", ["cohort.root=<u>"], {first.label: 60.0}, {first.label: "c0ffee"})
    html = write_index(tmp_path, record, steps).read_text()
    assert "1 of 11 steps are done, in 1.0 minutes." in html and "600 participants" in html
    links = re.findall(r'<li><a href="([^"]+)"', html)
    assert links == ["manual_search/learning_rate/report.html"] and (tmp_path / links[0]).is_file()
    assert "optimizer.lr=&lt;i&gt;1" in html and "41.50" in html and "c0ffee" in html
    assert "cohort.root=&lt;u&gt;" in html and "<u>" not in html


def test_every_stage_has_its_numbers_and_steps_of_other_commits_are_listed(tmp_path: Path) -> None:
    steps = study_steps("small", tmp_path, ())
    sweep, final, comparison = steps[4], steps[8], steps[10]
    for step in (sweep, final, comparison):
        step.folder.mkdir(parents=True)
    sweep.result.write_text(
        "number,state,value,model.depth\n0,COMPLETE,44.25,2\n1,COMPLETE,42.125,3\n2,PRUNED,40.0,4\n3,FAIL,,5\n"
    )
    best = sweep.folder / "trials" / "1"
    best.mkdir(parents=True)
    trial = {"status": "finished", "objective": {"name": "val/mse", "value": 42.125}, "n": {"val": 10}}
    (best / "summary.json").write_text(json.dumps(trial))
    metrics = {"mse": 40.0, "mae": 5.0, "pearson_r": 0.5, "r2": None}
    summary = {
        "metrics": {"val": metrics, "test": metrics},
        "baseline": {"test": {"mae": 6.25}},
        "n": {"val": 10, "test": 10},
    }
    final.result.write_text(json.dumps({**summary, "status": "finished", "best_epoch": 11, "epochs": 20}))
    comparison.result.write_text("first,second,mae_difference,low,high\nica25,ica100,0.5,-0.25,1.25\n")
    done = {sweep.label: "c0ffee", final.label: None, comparison.label: None}
    html = write_index(tmp_path, StudyRecord("small", [], {}, done), steps).read_text()
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", html)
    at = cells.index("ica25_good")
    assert cells[at : at + 5] == ["ica25_good", "4", "2", "42.12", "model.depth=3"]
    at = cells.index("ica25")
    assert cells[at : at + 9] == ["ica25", "40.00", "5.00", "40.00", "5.00", "0.50", "-", "6.25", "11 of 20"]
    assert "ica25 minus ica100" in cells and "+0.50 years (-0.25 to +1.25)" in cells
    assert "finished at c0ffee" in html and "finished at an unknown commit" in html


def test_errors_of_fewer_than_ten_participants_are_not_on_the_index(tmp_path: Path) -> None:
    steps = study_steps("small", tmp_path, ())
    sweep, final = steps[4], steps[8]
    for folder in (final.folder, sweep.folder / "trials" / "0"):
        folder.mkdir(parents=True)
    sweep.result.write_text("number,state,value,model.depth\n0,COMPLETE,44.25,2\n")
    trial = {"status": "finished", "objective": {"name": "val/mse", "value": 44.25}, "n": {"val": 9}}
    (sweep.folder / "trials" / "0" / "summary.json").write_text(json.dumps(trial))
    metrics = {"mse": 40.0, "mae": 5.5, "pearson_r": 0.5, "r2": None}
    summary = {"metrics": {"val": metrics, "test": {**metrics, "mae": 5.75}}, "baseline": {"test": {"mae": 6.25}}}
    saved = {**summary, "n": {"val": 10, "test": 9}, "status": "finished", "best_epoch": 11, "epochs": 20}
    final.result.write_text(json.dumps(saved))
    done = {sweep.label: None, final.label: None}
    html = write_index(tmp_path, StudyRecord("small", [], {}, done), steps).read_text()
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", html)
    at = cells.index("ica25_good")
    assert cells[at : at + 5] == ["ica25_good", "1", "1", "-", "model.depth=2"]
    assert "44.2" not in html
    assert "5.50" in html and "5.75" not in html and "6.25" not in html
