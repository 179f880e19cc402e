"""Folds: each participant predicted once, by a network that was not trained on them."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import statistics
from contextlib import redirect_stdout
from pathlib import Path

import pandas as pd
import pytest

from brainage.runs.folds import finish_folds
from brainage.runs.job import run_job
from brainage.runs.multirun_table import collect, finish_multirun
from tests.conftest import FAST, run_command, run_here, train_here


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def folds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the folder of a multirun with three folds, and what its end printed."""
    folder = tmp_path_factory.mktemp("folds") / "multirun"
    for fold in range(3):
        words = ("split=kfold", f"split.fold={fold}", "split.n_folds=3", "split.val_fraction=0.25", *FAST)
        overrides = train_here(folder / str(fold), *words) / ".hydra" / "overrides.yaml"
        overrides.parent.mkdir()
        overrides.write_text("".join(f"- {word}\n" for word in words))
    with redirect_stdout(io.StringIO()) as out:
        finish_multirun(folder)
    return folder, out.getvalue()


def test_every_participant_is_predicted_once_as_held_out(folds: tuple[Path, str]) -> None:
    folder, _ = folds
    pooled = read(folder / "pooled_predictions.csv")
    assert list(pooled[0]) == list(read(folder / "0" / "predictions.csv")[0])
    assert {row["split"] for row in pooled} == {"test"}
    ids = [row["participant_id"] for row in pooled]
    assert len(ids) == len(set(ids)) == 40
    for job in range(3):
        tested = {row["participant_id"] for row in read(folder / str(job) / "splits.csv") if row["split"] == "test"}
        own = [row for row in read(folder / str(job) / "predictions.csv") if row["participant_id"] in tested]
        assert own == [row for row in pooled if row["participant_id"] in tested]


def test_the_table_ends_with_mean_and_sd_over_folds(folds: tuple[Path, str]) -> None:
    folder, out = folds
    table = read(folder / "folds.csv")
    assert [row["fold"] for row in table] == ["0", "1", "2", "mean", "sd"]
    for name in ("val/mse", "test/mae", "test/rmse"):
        part, metric = name.split("/")
        values = [json.loads((folder / str(i) / "summary.json").read_text())["metrics"][part][metric] for i in range(3)]
        assert [float(row[name]) for row in table[:3]] == pytest.approx(values)
        assert float(table[3][name]) == pytest.approx(sum(values) / 3)
        assert float(table[4][name]) == pytest.approx(statistics.stdev(values))
        assert f"{sum(values) / 3:.3f}" in out
    assert [row["n_test"] for row in table[:3]] == ["14.0", "13.0", "13.0"]
    errors = [float(row["test/mae"]) for row in table[:3]]
    spread = f"of 3 folds, {statistics.fmean(errors):.2f} ± {statistics.stdev(errors):.2f} years (mean ± SD)"
    assert "Pooled: 40 participants, each predicted once by a fold: MAE" in out and spread in out
    page = (folder / "report.html").read_text()
    assert spread in page and "Select by validation error" not in page
    ages = pd.read_csv(folder / "pooled_predictions.csv")
    pooled = (ages["predicted_age"] - ages["age"]).abs().mean()
    assert f"<strong>{pooled:.2f} years</strong><span>95 % interval " in page


def test_a_fold_of_fewer_than_ten_participants_hides_its_errors_and_what_would_tell_them(
    folds: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(folds, tmp_path)
    path = folder / "1" / "summary.json"
    summary = json.loads(path.read_text())
    path.write_text(json.dumps({**summary, "n": {**summary["n"], "test": 9}}))
    finish_multirun(folder)
    table = read(folder / "folds.csv")
    assert [bool(row["test/mae"]) for row in table] == [True, False, True, False, False]
    assert [bool(row["test/mae"]) for row in read(folder / "summary.csv")] == [True, False, True]
    error = f"{summary['metrics']['test']['mae']:.3f}"
    assert error not in capsys.readouterr().out + (folder / "report.html").read_text()
    assert "by a fold: MAE" not in (folder / "report.html").read_text()


def copied(folds: tuple[Path, str], tmp_path: Path) -> Path:
    return Path(shutil.copytree(folds[0], tmp_path / "copy"))


def test_without_all_folds_nothing_is_pooled(
    folds: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(folds, tmp_path)
    shutil.rmtree(folder / "2")
    finish_multirun(folder)
    assert "pooled_predictions.csv is not written: split.fold=2 is missing of 3 folds" in capsys.readouterr().out
    assert not (folder / "pooled_predictions.csv").exists()
    assert [row["fold"] for row in read(folder / "folds.csv")] == ["0", "1", "mean", "sd"]


def test_a_fold_that_failed_is_named(
    folds: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(folds, tmp_path)
    (folder / "1" / "summary.json").unlink()
    finish_multirun(folder)
    assert (
        f"split.fold=1 did not finish. The multirun's command with hydra.sweep.dir={tmp_path}"
        in capsys.readouterr().out
    )
    assert not (folder / "pooled_predictions.csv").exists()


def test_folds_of_different_draws_are_not_pooled(
    folds: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(folds, tmp_path)
    shutil.copy(folder / "0" / "predictions.csv", folder / "1" / "predictions.csv")
    finish_multirun(folder)
    assert "some participants were tested in more than one fold" in capsys.readouterr().out
    assert not (folder / "pooled_predictions.csv").exists()


def test_other_choices_that_vary_have_folds_of_their_own(folds: tuple[Path, str], tmp_path: Path) -> None:
    folder = copied(folds, tmp_path)
    for job in range(3):
        shutil.copytree(folder / str(job), folder / str(job + 3))
        path = folder / str(job + 3) / ".hydra" / "overrides.yaml"
        path.write_text(path.read_text() + "- seed=5\n")
    finish_folds(folder, collect(folder))
    for number in range(2):
        assert len(read(folder / "folds" / str(number) / "pooled_predictions.csv")) == 40


def test_of_several_models_over_folds_the_chosen_one_alone_shows_test_errors(
    folds: tuple[Path, str], tmp_path: Path, undrawn: None, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(folds, tmp_path)
    for job in range(3):
        shutil.copytree(folder / str(job), folder / str(job + 3))
        overrides, path = (folder / str(job + 3) / name for name in (".hydra/overrides.yaml", "summary.json"))
        overrides.write_text(overrides.read_text() + "- model.depth=3\n")
        summary = json.loads(path.read_text())
        summary["metrics"]["val"]["mse"] += 100
        summary["metrics"]["test"] = {name: 777.125 for name in summary["metrics"]["test"]}
        path.write_text(json.dumps(summary))
    finish_multirun(folder)
    out, page = capsys.readouterr().out, (folder / "report.html").read_text()
    assert "777.1" in (folder / "folds" / "1" / "folds.csv").read_text()
    assert "777.1" not in out and "777.1" not in page
    chosen, other = (read(folder / "folds" / str(number) / "folds.csv")[3] for number in range(2))
    assert f"{float(chosen['test/mae']):.3f}" in out and f"{float(other['val/mse']):.3f}" in out
    assert "Pooled: 40 participants, each predicted once by a fold: " in out  # the other's, without its error
    row = re.search(r"<td[^>]*>model.depth=3</td>(<td[^>]*>[^<]*±.*?)</tr>", page)
    assert row and row[1].count("±") == 2 and row[1].endswith(">-</td>")
    assert len(re.findall("<h2[^>]*>Folds", page)) == 1


@pytest.mark.more
def test_a_resumed_job_completes_the_table(
    folds: tuple[Path, str], tmp_path: Path, undrawn: None, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(folds, tmp_path)
    before = (folder / "pooled_predictions.csv").read_bytes()
    for name in ("pooled_predictions.csv", "1/summary.json", "1/predictions.csv"):  # its job was killed
        (folder / name).unlink()
    (folder / "multirun.yaml").touch()
    assert run_here(run_job, "train", folder / "1", f"resume={folder / '1'}", f"store.root={folds[0] / 'store'}") == 0
    assert "Pooled: 40 participants" in capsys.readouterr().out
    assert (folder / "pooled_predictions.csv").read_bytes() == before


@pytest.mark.slow
def test_all_sites_are_left_out_in_turn_and_pooled_and_the_same_command_keeps_them(tmp_path: Path) -> None:
    words = (
        "cohort.n_participants=40",
        "modality.n_times=60",
        "model=mean_age",
        "split=leave_site_out",
        "split.site=all",
    )
    ended = run_command(tmp_path, "train.py", "--multirun", *words, "hydra.sweep.dir=sites")
    assert ended.code == 0, ended.text
    sites = ["Bristol", "Cheadle", "Newcastle", "Reading"]
    table = read(tmp_path / "sites" / "folds.csv")
    assert [row["site"] for row in table] == [*sites, "mean", "sd"]
    pooled = read(tmp_path / "sites" / "pooled_predictions.csv")
    assert len({row["participant_id"] for row in pooled}) == len(pooled) == 40
    page = (tmp_path / "sites" / "report.html").read_text()
    assert "<h1>4 sites</h1>" in page and all(re.search(rf"<td[^>]*>{site}</td>", page) for site in sites)
    again = run_command(tmp_path, "train.py", "--multirun", *words, "hydra.sweep.dir=sites")
    assert again.code == 0 and again.out.count("has ended before; it is kept.") == 4, again.text


def test_a_runs_own_split_is_a_fixed_one(folds: tuple[Path, str], tmp_path: Path) -> None:
    run = folds[0] / "1"
    fixed = train_here(tmp_path / "fixed", "split=fixed", f"split.file={run / 'splits.csv'}", *FAST)
    for name in ("splits.csv", "predictions.csv"):
        assert (fixed / name).read_bytes() == (run / name).read_bytes()


def test_folds_that_did_not_look_at_the_test_set_end_with_what_was_validated(
    folds: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "multirun"
    shutil.copytree(folds[0], folder)
    for path in folder.rglob("*predictions.csv"):
        path.unlink()
    for path in folder.rglob("summary.json"):
        summary = json.loads(path.read_text())
        summary["metrics"]["test"] = dict.fromkeys(summary["metrics"]["test"])
        path.write_text(json.dumps(summary))
    finish_multirun(folder)
    assert (
        "pooled_predictions.csv is not written: with evaluate=false, there are no test predictions."
        in capsys.readouterr().out
    )
    table = read(folder / "folds.csv")
    assert {row["test/mae"] for row in table} == {row["n_test"] for row in table} == {""}
    assert all(float(row["val/mse"]) > 0 for row in table)
