import csv
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainage.evaluation.accuracy import measure_accuracy
from brainage.evaluation.folds import Fold, FoldResults
from brainage.reporting.fold_section import fold_cards, fold_section
from brainage.reporting.multirun_page import Job, read_curves, write_multirun_report

HEADER = ("epoch", "train/loss", "train/mae", "val/loss", "val/mae", "lr", "seconds")


def curve(folder: Path, losses: list[float], n_val: int = 10) -> None:
    folder.mkdir()
    with (folder / "metrics.csv").open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *((i, 2 * loss, 1, loss, 1, 0.1, 1) for i, loss in enumerate(losses))])
    (folder / "splits.csv").write_text("participant_id,split\n" + "a,train\n" * 10 + "b,val\n" * n_val)


def row(number: int, value: float | None, reason: str | None = None) -> dict[str, object]:
    return {
        "job": str(number),
        "status": "impossible" if value is None else "finished",
        "reason": reason,
        "val/mse": value,
        "val/mae": value,
        "test/mae": None,
        "parameters": 1234,
        "epochs": 3,
        "best_epoch": 1,
        "seconds": 2.5,
    }


def test_the_page_has_each_jobs_overrides_results_and_reason(tmp_path: Path) -> None:
    curve(tmp_path / "0", [4000.0, 50.0, 61.25])
    curve(tmp_path / "1", [90.0, 41.5, 40.75])
    (tmp_path / "1" / "report.html").write_text("x")
    jobs = [
        Job(tmp_path / "0", r"model.depth=$\frac c=$", row(0, 50.0)),  # which matplotlib could not set
        Job(tmp_path / "1", "model.depth=<b>3", row(1, 40.75)),
        Job(tmp_path / "2", "model.depth=8", row(2, None, "the sequence runs out")),
    ]
    html = write_multirun_report(tmp_path, jobs, ["seed=1"]).read_text()
    assert "3 jobs, 2 finished. Overrides of all jobs: seed=1." in html
    assert "Lowest validation MSE: 40.75, with model.depth=&lt;b&gt;3." in html and "<b>" not in html
    assert "Job 2: the sequence runs out" in html
    assert 'href="1/report.html"' in html and 'href="0/report.html"' not in html
    assert (tmp_path / "figures" / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_page_of_folds_has_mean_and_sd_and_the_pooled_predictions_and_no_choice(tmp_path: Path) -> None:
    jobs = [Job(tmp_path / str(fold), f"split.fold={fold}", row(fold, 40.0 + fold)) for fold in range(2)]
    for job in jobs:
        curve(job.folder, [50.0, 45.0])
    rng = np.random.default_rng(0)
    age = rng.uniform(50, 70, 60)
    ages = pd.DataFrame({"age": age, "predicted_age": age + rng.normal(0, 4, 60)})
    accuracy = measure_accuracy(ages["age"], ages["predicted_age"], mean_age=60, n_resamples=50, seed=1)
    each = [Fold("0", 30, {"mae": 3.0, "r2": 0.5}), Fold("1", 30, {"mae": 4.0, "r2": None})]
    folds = FoldResults("fold", each, "60 participants.", "", accuracy, ages)
    html = write_multirun_report(tmp_path, jobs, ["split=kfold"], [folds]).read_text()
    mae = accuracy.estimates["mae"]
    assert "<h1>2 folds</h1>" in html and "60 participants." in html
    assert "<span>MAE (years), mean ± SD of 2 folds</span><strong>3.50 ± 0.71</strong>" in html  # sqrt(0.5)
    assert f"<strong>{mae.value:.2f} years</strong><span>95 % interval {mae.low:.2f} to {mae.high:.2f}</span>" in html
    assert f"{mae.value:.2f} ({mae.low:.2f} to {mae.high:.2f})" in html  # and in the table
    assert {path.name for path in (tmp_path / "figures").glob("pooled.*")} == {"pooled.png", "pooled.svg"}
    assert not re.search(
        "lowest|best job|select by|choose", html.partition('<details class="reading">')[0], re.IGNORECASE
    )


def test_mean_and_sd_are_not_shown_where_they_would_tell_a_folds_error(tmp_path: Path) -> None:
    folds = FoldResults("fold", [Fold("0", 30, {"mae": 3.0}), Fold("1", 9, {"mae": None})], "Two folds.")
    assert folds.mean_sd("mae") is None and fold_cards(folds) == []
    (table,) = fold_section(folds).tables
    assert [list(one)[:3] for one in table.rows] == [["0", "30", "3.00"], ["1", "9", "-"]]


@pytest.mark.parametrize(
    ("sizes", "hides"), [((30, 30), False), ((30, 9), True), ((30, 4, 5), True), ((30, 4, 6), False)]
)
def test_small_folds_are_hidden_with_what_would_tell_them(sizes: tuple[int, ...], hides: bool) -> None:
    """Two small ones of ten together are described together, by the pooled error."""
    each = [Fold(str(n), n, {"mae": 3.0 if n > 9 else None}) for n in sizes]
    assert FoldResults("site", each).hides_few is hides


def test_errors_of_fewer_than_ten_participants_are_not_on_the_page(tmp_path: Path) -> None:
    curve(tmp_path / "0", [61.25, 50.0], n_val=9)
    html = write_multirun_report(tmp_path, [Job(tmp_path / "0", "", row(0, None) | {"status": "finished"})], [])
    text = html.read_text()
    assert "1 jobs, 1 finished." in text and "Errors of fewer than 10 participants are not shown." in text
    assert "50.0" not in text and not (tmp_path / "figures" / "curves.png").exists()


def test_jobs_without_curves_leave_a_table(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    html = write_multirun_report(tmp_path, [Job(tmp_path / "0", "", row(0, None, "no"))], []).read_text()
    assert "1 jobs, 0 finished. Overrides of all jobs: none." in html
    assert not (tmp_path / "figures" / "curves.png").exists()


def test_a_damaged_table_of_epochs_loses_only_what_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_bytes(b"epoch,train/loss,val/loss\n0,9,8\nx,7,6\n1,nan,5\n2,4\n3,inf,-1\n")
    curves = read_curves(path)
    assert curves["train"].dropna().to_dict() == {0: 9, 2: 4} and curves["val"].dropna().to_dict() == {0: 8, 1: 5}
    path.write_bytes(b"\xff\xfe\x00")
    assert read_curves(path).empty
    assert read_curves(tmp_path / "nowhere.csv").empty
