"""Findings at the end of training, of ``report.py`` and of ``compare.py``."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainage.commands import compare as compare_command
from brainage.commands import report as report_command
from brainage.evaluation.associations import COLUMNS
from tests.conftest import run_command, run_here, train_here

PEOPLE = 300
FINDINGS = ("associations.csv", "findings.json", "gap.csv", "predictions.csv", "report.html")


BASELINES = ("ridge_connectivity", "mean_age", "ridge_motion")


@dataclass(frozen=True)
class Study:
    """Runs of the three `BASELINES`."""

    folder: Path

    def run(self, number: int) -> Path:
        return self.folder / "outputs" / "baselines" / str(number)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = Study(tmp_path_factory.mktemp("findings"))
    words = (f"cohort.n_participants={PEOPLE}", "report.n_resamples=100", f"store.root={study.folder / 'store'}")
    words += ("split.train_fraction=0.5", "split.val_fraction=0.4")
    for number, name in enumerate(BASELINES):
        train_here(study.run(number), f"model={name}", *words)
    return study


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.more
def test_baselines_have_the_outputs_of_networks(study: Study) -> None:
    errors = {}
    for number, name in enumerate(BASELINES):
        summary = json.loads((study.run(number) / "summary.json").read_text())
        assert (summary["status"], summary["model"]["name"]) == ("finished", name)
        assert len(read(study.run(number) / "metrics.csv")) == 1
        assert {row["split"] for row in read(study.run(number) / "predictions.csv")} == {"train", "val", "test"}
        errors[name] = summary["metrics"]["test"]["mae"]
        assert {path.name for path in study.run(number).iterdir()} >= {
            *FINDINGS,
            "model.npz",
            "splits.csv",
            "config.yaml",
        }
    baseline = json.loads((study.run(0) / "summary.json").read_text())["baseline"]["test"]["mae"]
    assert errors["mean_age"] == pytest.approx(baseline, abs=1e-12)
    assert errors["ridge_connectivity"] < 0.85 * baseline  # the simulated series carry age


@pytest.mark.more
def test_all_baselines_share_the_split(study: Study) -> None:
    assert len({(study.run(number) / "splits.csv").read_bytes() for number in range(3)}) == 1


def test_a_models_file_contains_plain_arrays_that_give_its_predictions(study: Study) -> None:
    with np.load(study.run(1) / "model.npz", allow_pickle=False) as kept:
        mean = float(kept["intercept"])
    assert {float(row["predicted_age"]) for row in read(study.run(1) / "predictions.csv")} == {mean}
    ages = [float(row["age"]) for row in read(study.run(1) / "predictions.csv") if row["split"] == "train"]
    assert mean == pytest.approx(sum(ages) / len(ages))


def test_associations_have_the_columns_that_others_build_on(study: Study) -> None:
    table = read(study.run(0) / "associations.csv")
    assert list(table[0]) == list(COLUMNS)
    names = [row["variable"] for row in table]
    phenotypes = ["sex", "processing_speed", "grip_strength", "restlessness", "month_of_birth", "smoker"]
    assert names == [*phenotypes, "head_motion"]  # each site has few of the 30
    assert "true_gap" not in names
    assert table[0]["covariates"] == "age age^2 log(head_motion) site"  # not the variable itself


def test_gaps_are_corrected_by_a_fit_on_validation_that_is_saved(study: Study) -> None:
    participants = pd.read_csv(study.run(0) / "predictions.csv")
    val, test = (participants[participants["split"] == part] for part in ("val", "test"))
    slope, intercept = np.polyfit(val["age"], val["bag"], 1)
    expected = test["bag"] - (intercept + slope * test["age"])
    np.testing.assert_allclose(test["bag_corrected"], expected, atol=1e-9)
    fit = json.loads((study.run(0) / "findings.json").read_text())["gap_correction"][0]
    assert (fit["method"], fit["n"]) == ("linear", len(val))
    assert (fit["intercept"], fit["slope"]) == (pytest.approx(intercept), pytest.approx(slope))


def test_a_report_is_one_file_that_loads_nothing(study: Study) -> None:
    html = (study.run(0) / "report.html").read_text()
    assert not re.search(r"<(script|svg|link|iframe)", html)
    assert not re.search(r"(src|href)=\"(?!data:image/png;base64,|#|https://doi.org/10\.)", html)
    images = re.findall(r"<img [^>]*>", html)
    assert len(images) == len(list((study.run(0) / "figures").glob("*.png"))) >= 3
    assert all(re.search(r'alt="[^"]{20,}"', image) for image in images)
    assert "Known truth" in html and "<td>1.00</td>" in html
    assert "recipe modern (" not in html  # a baseline is not trained


@pytest.mark.more
def test_a_network_is_compared_with_baselines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ("model.depth=1", "model.start_out=4", "trainer.max_epochs=1", "report.n_resamples=100")
    train_here(tmp_path / "run", f"cohort.n_participants={PEOPLE}", *small)
    printed = capsys.readouterr().out
    assert re.search(
        r"^ridge on connectivity \(partial correlation, tangent space\) and spectra +\d\.\d\d +[+-]\d", printed, re.M
    )
    assert re.search(r"r with true gap: gap, corrected .*best possible 0\.\d\d, 1\.00", printed)
    assert "Report: " in printed
    findings = json.loads((tmp_path / "run" / "findings.json").read_text())
    assert findings["against_ridge"]["n"] == 30
    baselines = {one["name"]: one["mae"] for one in findings["baselines"]}
    assert list(baselines) == ["ridge_features", "site_mean", "ridge_motion"]
    assert baselines["ridge_features"] < 0.8 * baselines["site_mean"]  # the simulated series carry age
    recipe = "circular_shift=True, cutmix=1.0, weight_averaging=0.0, shuffle_time=False"
    trained = f"recipe cutmix ({recipe}), AdamW (lr=0.002, weight_decay=0.1)"
    html = (tmp_path / "run" / "report.html").read_text()
    assert f"<td>training</td><td>{trained}" in html
    kept = sorted(path.name.partition("-")[0] for path in (tmp_path / "store").glob("*/*-*.npz"))
    assert kept == ["connectivity", "connectivity", "spectrum"]  # cached with the store


# --- report.py and compare.py ---

Invoke = Callable[..., tuple[int, Path]]


@pytest.fixture
def invoke(tmp_path: Path, undrawn: None) -> Invoke:
    """Run ``report.py`` or ``compare.py`` inside this process; return exit code and folder."""

    commands = {"report": report_command.report, "compare": compare_command.compare}

    def run(verb: str, *words: str) -> tuple[int, Path]:
        folder = tmp_path / "outputs" / verb / "day" / "now"
        return run_here(commands[verb], verb, folder, *words), folder

    return run


def test_report_repeats_the_findings_of_a_run(study: Study, invoke: Invoke) -> None:
    run = study.run(0)
    code, folder = invoke("report", f"run={run}")
    assert code == 0
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FINDINGS, "reliability.csv", "figures"])
    for name in ("associations.csv", "gap.csv", "predictions.csv"):
        assert (folder / name).read_bytes() == (run / name).read_bytes()
    again, first = (json.loads((place / "findings.json").read_text()) for place in (folder, run))
    assert again["accuracy"] == first["accuracy"]


def test_report_takes_another_correction_other_rows_and_variables(study: Study, invoke: Invoke) -> None:
    words = ("gap_correction=in_sample", "associations.rows=val+test", "associations.variables=[grip_strength]")
    code, folder = invoke("report", f"run={study.run(0)}", *words)
    assert code == 0
    assert [row["variable"] for row in read(folder / "associations.csv")] == ["grip_strength", "head_motion", "site"]
    rows = [row for row in read(folder / "predictions.csv") if row["bag_corrected"]]
    assert {row["split"] for row in rows} == {"val", "test"}
    gaps, ages = (np.array([float(row[name]) for row in rows]) for name in ("bag_corrected", "age"))
    assert abs(np.corrcoef(gaps, ages)[0, 1]) < 1e-10  # gone by construction


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Predictions made elsewhere, with a phenotype whose name is markup."""
    rng = np.random.default_rng(1)
    age = rng.uniform(46, 82, 120)
    frame = pd.DataFrame(
        {
            "eid": [f"77{i:05d}" for i in range(120)],
            "age": age.round(2),
            "predicted_age": (30 + 0.5 * age + rng.normal(0, 3, 120)).round(3),
            "<script>alert(1)</script>": rng.normal(size=120).round(3),
            "sex": rng.integers(2, size=120),
        }
    )
    path = tmp_path / "made.csv"
    frame.to_csv(path, index=False)
    return path


def test_report_takes_a_table_made_elsewhere_and_escapes_its_names(table: Path, invoke: Invoke) -> None:
    code, folder = invoke("report", f"predictions={table}", "gap_correction=in_sample")
    assert code == 0
    html = (folder / "report.html").read_text()
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert [row["variable"] for row in read(folder / "associations.csv")] == ["sex", "<script>alert(1)</script>"]
    assert list(read(folder / "predictions.csv")[0])[0] == "participant_id"
    assert "7700005" not in html


def test_no_participant_is_drawn_unless_asked_for(table: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.axes import Axes

    def scatter(*arguments: object, **more: object) -> None:
        raise AssertionError("a participant was drawn")

    monkeypatch.setattr(Axes, "scatter", scatter)
    words = ("report", f"predictions={table}", "gap_correction=in_sample")
    code, _ = invoke(*words)
    assert code == 0
    code, _ = invoke(*words, "report.points=all")
    assert code == 1  # the error above


@pytest.mark.slow
def test_folds_are_pooled_each_corrected_by_its_own_validation(tmp_path: Path, invoke: Invoke) -> None:
    words = ("split=kfold", "split.n_folds=3", "split.fold=0,1,2", "split.val_fraction=0.5", "report.n_resamples=100")
    common = ("model=ridge_connectivity", "cohort.n_participants=400", "trainer=cpu", "hydra.sweep.dir=folds")
    ended = run_command(tmp_path, "train.py", "--multirun", *words, *common)
    assert ended.code == 0, ended.text
    code, folder = invoke("report", f"run={tmp_path / 'folds'}")
    assert code == 0
    rows = pd.read_csv(folder / "predictions.csv", dtype={"participant_id": str})
    assert len(rows) == 400
    fold = pd.read_csv(tmp_path / "folds" / "1" / "predictions.csv", dtype={"participant_id": str})
    val, test = (fold[fold["split"] == part] for part in ("val", "test"))
    slope, intercept = np.polyfit(val["age"], val["bag"], 1)
    expected = test.assign(expected=test["bag"] - intercept - slope * test["age"]).merge(rows, on="participant_id")
    np.testing.assert_allclose(expected["bag_corrected_y"], expected["expected"], atol=1e-9)


def test_compare_writes_tables_and_one_page_with_mean_and_stack(study: Study, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    words = ("compare.py", "runs=outputs/baselines", "ensemble=stack", f"hydra.run.dir={folder}")
    ended = run_command(study.folder, *words)
    assert ended.code == 0, ended.text
    assert "30 test participants are shared, of 30, 30, 30." in ended.out
    assert "Weights of the stack, fitted on 120 validation participants" in ended.out
    differences = read(folder / "differences.csv")
    first = next(row for row in differences if row["first"].startswith("1:") and row["second"].startswith("2:"))
    runs = [pd.read_csv(study.run(number) / "predictions.csv").set_index("participant_id") for number in range(3)]
    tests = [run.query("split == 'test'") for run in runs]
    by_hand = tests[0]["bag"].abs().mean() - tests[1]["bag"].abs().mean()
    assert float(first["mae_difference"]) == pytest.approx(by_hand)
    metrics = pd.read_csv(folder / "comparison.csv").set_index("run")
    each = pd.concat([test["predicted_age"] for test in tests], axis=1)
    assert metrics.loc["mean of all", "mae"] == pytest.approx((each.mean(axis=1) - tests[0]["age"]).abs().mean())
    weights = list(json.loads((folder / "comparison.json").read_text())["stack"]["weights"].values())
    assert metrics["weight"].dropna().tolist() == pytest.approx(weights)
    stack = pd.read_csv(folder / "predictions.csv").set_index("participant_id")
    assert list(stack) == ["split", "age", "predicted_age", "bag", "predicted_age_sd"]
    assert stack["split"].tolist() == ["val"] * 120 + ["test"] * 30
    members = pd.concat([run.loc[stack.index, "predicted_age"] for run in runs], axis=1)
    assert stack["predicted_age"].to_numpy() == pytest.approx(members.to_numpy() @ np.array(weights))
    error = stack.loc[stack["split"] == "test", "bag"].abs().mean()
    assert metrics.loc["stack of all", "mae"] == pytest.approx(error)
    html = (folder / "report.html").read_text()
    assert "Ensemble (stack of all runs): MAE" in html and "Paired differences" in html
    assert "Difference in test MAE, best run by validation error (" in html


def test_seeds_of_one_model_have_names_and_jobs_without_predictions_are_named(
    study: Study, tmp_path: Path, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    source = study.run(0)
    for job, seed in (("0", 43), ("1", 44), ("10", 45)):
        folder = tmp_path / "seeds" / job
        folder.mkdir(parents=True)
        for name in ("summary.json", "predictions.csv"):
            (folder / name).write_bytes((source / name).read_bytes())
        config = (source / "config.yaml").read_text()
        assert "\nseed: 43\n" in config
        (folder / "config.yaml").write_text(config.replace("\nseed: 43\n", f"\nseed: {seed}\n"))
    (tmp_path / "seeds" / "2").mkdir()
    (tmp_path / "seeds" / "3").mkdir()
    (tmp_path / "seeds" / "3" / "summary.json").write_text('{"status": "failed"}')
    code, folder = invoke("compare", f"runs={tmp_path / 'seeds'}", "ensemble=true", "report.n_resamples=100")
    said = capsys.readouterr().out
    assert code == 0
    names = [row["run"] for row in read(folder / "comparison.csv")]
    assert [name.rpartition(", ")[2] for name in names] == ["seed 43", "seed 44", "seed 45", "mean of all"]
    assert names[2].startswith("3: ")
    assert "All runs are trainings of one method" in said and "mean MAE (years)" in said
    assert [row["trainings"] for row in read(folder / "methods.csv")] == ["3"]
    for job in ("job 2, which has not ended", "job 3, which is failed"):
        assert f"Excluded: {job}" in said and job in (folder / "report.html").read_text()
    assert json.loads((folder / "comparison.json").read_text())["left_out"][1] == "job 3, which is failed"
    assert f"{folder / 'predictions.csv'}" in said


# --- Mistakes ---


def test_report_refuses_mistakes_with_one_message(
    study: Study, table: Path, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    run = study.run(0)
    frame = pd.read_csv(table)
    broken = table.parent
    frame.drop(columns="predicted_age").to_csv(broken / "lacks.csv", index=False)
    pd.concat([frame, frame.head(2)]).to_csv(broken / "twice.csv", index=False)
    frame.assign(split="training").to_csv(broken / "parts.csv", index=False)
    frame.assign(predicted_age="n/a").to_csv(broken / "empty.csv", index=False)
    frame.assign(predicted_age=60.0, split=["val"] * 100 + ["test"] * 20).to_csv(broken / "flat.csv", index=False)
    frame.assign(split="val").to_csv(broken / "val.csv", index=False)
    unfinished = broken / "unfinished"
    unfinished.mkdir()
    (unfinished / "config.yaml").write_bytes((run / "config.yaml").read_bytes())
    cases = [
        ((), r"`run` or `predictions` must be given, one of them"),
        ((f"run={run}", f"predictions={table}"), r"`run` or `predictions` must be given, one of them"),
        ((f"run={broken / 'none'}",), r"must be the folder of a finished run, .* does not exist"),
        ((f"run={unfinished}",), r"has no `summary.json`.* resume="),
        ((f"predictions={broken / 'none.csv'}",), r"must be a table, but does not exist"),
        ((f"predictions={broken / 'lacks.csv'}",), r"but lacks predicted_age\. Rename its columns"),
        ((f"predictions={broken / 'twice.csv'}",), r"one row .*, but 2 rows repeat one"),
        ((f"predictions={broken / 'parts.csv'}",), r"`split` must be train, val or test, or empty, but 120 rows"),
        ((f"predictions={broken / 'empty.csv'}",), r"none of its 120 rows"),
        (
            (f"predictions={broken / 'val.csv'}", "gap_correction=none"),
            r"`associations.rows=test` must name .*none of 120",
        ),
        ((f"predictions={table}",), r"`gap_correction=linear` .*validation rows.*gap_correction=in_sample"),
        ((f"predictions={broken / 'flat.csv'}", "gap_correction=cole"), r"slope .* 0.05, but is -?0.000"),
        ((f"run={run}", "associations.variables=[grip_strenght]"), r"'grip_strenght'.*Did you mean `grip_strength`"),
        (
            (f"run={run}", "associations.variables=[participant_id]"),
            r"`associations.variables` .* 'participant_id'",
        ),
        ((f"run={run}", "gap_correction=linaer"), r"`gap_correction` got 'linaer'.*Did you mean `linear`"),
        ((f"run={run}", "associations.rows=tests"), r"`associations.rows` got 'tests'"),
        ((f"run={run}", "report.points=some"), r"`report.points` got 'some'"),
        ((f"run={run}", "report.n_resamples=3"), r"`report.n_resamples` must be from 100 to 1000000, but got 3"),
    ]
    for words, message in cases:
        code, folder = invoke("report", *words)
        said = capsys.readouterr().err
        assert code == 2, (words, said)
        assert re.search(message, said, re.S), (words, said)
        assert said.count("error:") == 1
        assert not folder.exists()  # nothing half-written


def test_compare_refuses_mistakes_with_one_message(
    study: Study, tmp_path: Path, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (f"cohort.n_participants={PEOPLE}", "model=mean_age", "report.n_resamples=100", "split.seed=1",
             f"store.root={study.folder / 'store'}")  # fmt: skip
    one, run = train_here(tmp_path / "other" / "0", *words), study.run(0)
    participants = pd.read_csv(run / "predictions.csv", dtype={"participant_id": str})
    first = participants.index[participants["split"] == "test"][0]
    for part in ("train", "val"):
        leaking = tmp_path / part
        leaking.mkdir()
        for name in ("config.yaml", "summary.json"):
            (leaking / name).write_bytes((run / name).read_bytes())
        known = participants.assign(split=participants["split"].where(participants.index != first, part))
        known.to_csv(leaking / "predictions.csv", index=False)
    cases = [
        ((f"runs=[{run}]",), r"must name .* two finished runs.* but got 1\."),
        ((f"runs=[{run},{run}]",), r"one is named twice"),
        ((f"runs=[{run},{one}]",), r"must share 90% of their test participants, but all share \d+ of the 30"),
        ((f"runs=[{run},{tmp_path / 'train'}]",), r"was trained or validated on 1 of the test participants of 1:"),
        ((f"runs=[{run},{tmp_path / 'val'}]",), r"was trained or validated on 1 of the test participants of 1:"),
        ((f"runs={tmp_path / 'none'}",), r"must be a multirun's folder, or a list of runs: it does not exist"),
        ((f"runs=[{run},{tmp_path / 'none'}]",), r"must be the folder of a finished run"),
        ((), r"`runs` must be given, but got nothing"),
    ]
    for arguments, message in cases:
        code, folder = invoke("compare", *arguments)
        said = capsys.readouterr().err
        assert code == 2, (arguments, said)
        assert re.search(message, said, re.S), (arguments, said)
        assert not folder.exists()
