"""What users do: ``python train.py ...`` in a folder of theirs, on files of theirs; exit codes, output, files."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from lightning_fabric.utilities.rank_zero import rank_zero_only

from tests.conftest import FAST, ROOT, Command, Ended, Started, every, run_command, wait_until
from tests.logged import of_tensorboard, of_wandb

METRICS = {"mae", "mse", "rmse", "r2", "pearson_r"}


def read(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def only_run(folder: Path) -> Path:
    runs = list((folder / "outputs" / "train").glob("*/*"))
    assert len(runs) == 1
    return runs[0]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """One plain run, with both loggers, looked at by many tests."""
    folder = tmp_path_factory.mktemp("plain")
    ended = run_command(folder, "train.py", *FAST, "trainer.max_epochs=2", "logger=[wandb,tensorboard]")
    return folder, ended


def test_a_run_ends_well_with_a_short_table(plain: tuple[Path, Ended]) -> None:
    folder, ended = plain
    assert ended.code == 0, ended.text
    for words in ("test MAE", "of the mean predictor", "parameters", "38,849", "time", str(only_run(folder))):
        assert words in ended.out
    # Output that is not a terminal gets plain lines.
    assert "epoch 0: MAE train" in ended.out and "2 epochs, best: " in ended.out
    log = (only_run(folder) / "train.log").read_text()
    assert all(words in log for words in ("epoch 1: MAE train", "test MAE", "note: No accuracy: 4 participants"))
    assert "\x1b" not in ended.text
    assert "Warning" not in ended.text


def test_a_run_leaves_its_files(plain: tuple[Path, Ended]) -> None:
    run = only_run(plain[0])
    files = {path.name for path in run.iterdir()}
    expected = {"config.yaml", "metrics.csv", "predictions.csv", "splits.csv", "exclusions.csv", "summary.json"}
    assert expected <= files
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    predictions = read(run / "predictions.csv")
    assert list(predictions[0]) == ["participant_id", "split", "age", "predicted_age", "bag"]
    assert len(predictions) == 40
    for row in predictions:
        assert float(row["bag"]) == pytest.approx(float(row["predicted_age"]) - float(row["age"]), abs=1e-9)
    splits = {row["participant_id"]: row["split"] for row in read(run / "splits.csv")}
    assert splits == {row["participant_id"]: row["split"] for row in predictions}
    assert [row["epoch"] for row in read(run / "metrics.csv")] == ["0", "1"]
    assert (run / "exclusions.csv").read_text() == "participant_id,reason\n"


def test_the_summary_has_every_contracted_key_and_right_numbers(plain: tuple[Path, Ended]) -> None:
    run = only_run(plain[0])
    summary = json.loads((run / "summary.json").read_text())
    assert summary["status"] == "finished"
    assert summary["reason"] is None
    assert set(summary["metrics"]) == {"train", "val", "test"}
    assert all(set(summary["metrics"][part]) == METRICS for part in summary["metrics"])
    assert summary["n"] == {"train": 32, "val": 4, "test": 4}
    assert summary["model"]["name"] == "variable1dcnn"
    assert summary["model"]["parameters"] == 38_849
    assert set(summary["cohort"]) == {"name", "fingerprint", "n_participants", "n_excluded"}
    assert set(summary["seconds"]) == {"ingest", "fit", "total"}
    assert summary["seed"] == 43
    assert summary["epochs"] == 2
    # Numbers agree with the files.
    rows = read(run / "predictions.csv")
    test = [row for row in rows if row["split"] == "test"]
    mae = sum(abs(float(row["bag"])) for row in test) / len(test)
    assert summary["metrics"]["test"]["mae"] == pytest.approx(mae)
    train_ages = [float(row["age"]) for row in rows if row["split"] == "train"]
    mean_age = sum(train_ages) / len(train_ages)
    baseline = sum(abs(float(row["age"]) - mean_age) for row in test) / len(test)
    assert summary["baseline"]["test"]["mae"] == pytest.approx(baseline)
    losses = [float(row["val/loss"]) for row in read(run / "metrics.csv")]
    assert summary["objective"]["name"] == "val/mse"
    assert summary["objective"]["value"] == pytest.approx(min(losses), rel=1e-5)
    assert summary["best_epoch"] == losses.index(min(losses))


def test_loggers_leave_their_files_without_an_account(plain: tuple[Path, Ended]) -> None:
    run = only_run(plain[0])
    assert list((run / "tensorboard").glob("events.out.tfevents.*"))
    (written,) = run.glob("wandb/offline-run-*/run-*.wandb")
    assert f"wandb sync {written.parent}\n" in plain[1].out
    # 4 participants each.
    assert "Loggers get no metrics of parts with fewer than 10 participants: val 4, test 4." in plain[1].out
    for names in (of_tensorboard(run / "tensorboard").steps, of_wandb(written.parent).single):
        assert {"train/mae", "lr", "best_epoch"} <= set(names)
        assert not any(name.startswith(("val/", "test/")) for name in names)


def test_the_same_command_gives_the_same_bits(plain: tuple[Path, Ended], tmp_path: Path) -> None:
    again = run_command(tmp_path, "train.py", *FAST, "trainer.max_epochs=2")
    assert again.code == 0, again.text
    first, second = only_run(plain[0]), only_run(tmp_path)
    assert (first / "predictions.csv").read_bytes() == (second / "predictions.csv").read_bytes()
    weights = [
        torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"] for run in (first, second)
    ]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


@pytest.fixture(scope="module")
def ukb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ukb")
    for style in ("dash", "rap"):
        ended = simulate(folder, "ukb", style, "--columns", style, *(["--extracted"] if style == "dash" else []))
        assert ended.code == 0, ended.text
    return folder


def simulate(folder: Path, layout: str, name: str, *more: str) -> Ended:
    words = ["-m", "brainage", "simulate", "--layout", layout, "--out", name, "--participants", "60", *more]
    return run_command(folder, *words)


@pytest.mark.more
@pytest.mark.parametrize(
    ("style", "modality", "query"),
    [("rap", "ica100", "sex == 1 and age < 80"), ("dash", "ica25", "`2070-2.0` >= 2")],
    ids=["zips-of-the-research-platform", "extracted-tree-with-quoted-columns"],
)
def test_uk_biobank_files_train(ukb: Path, style: str, modality: str, query: str, tmp_path: Path) -> None:
    ended = run_command(
        tmp_path,
        "train.py",
        "cohort=ukb",
        f"cohort.root={ukb / style / 'bulk'}",
        f"cohort.phenotypes={ukb / style / 'phenotypes.csv'}",
        f"modality={modality}",
        f"cohort.include={query}",  # what a shell leaves of cohort.include="..."
        *FAST[1:],
    )
    assert ended.code == 0, ended.text
    summary = json.loads((only_run(tmp_path) / "summary.json").read_text())
    assert 15 < summary["cohort"]["n_participants"] < 60
    assert summary["metrics"]["test"]["mae"] > 0


@pytest.mark.more
def test_phenotypes_may_be_in_several_tables(ukb: Path, tmp_path: Path) -> None:
    whole = pd.read_csv(ukb / "rap" / "phenotypes.csv", dtype="str")
    half = ["eid", *whole.columns.drop("eid")[: len(whole.columns) // 2]]
    whole[half].to_csv(tmp_path / "a.csv", index=False)
    others = whole[["eid", *whole.columns.difference(half)]]
    others.sample(frac=1, random_state=1).to_csv(tmp_path / "b.csv", index=False)
    words = ("train.py", "cohort=ukb", f"cohort.root={ukb / 'rap' / 'bulk'}", *FAST[1:])
    for table, name in ((ukb / "rap" / "phenotypes.csv", "one"), ("[a.csv,b.csv]", "two")):
        ended = run_command(tmp_path, *words, f"cohort.phenotypes={table}", f"hydra.run.dir={name}")
        assert ended.code == 0, ended.text
    one, two = (pd.read_csv(tmp_path / name / "associations.csv").set_index("variable") for name in ("one", "two"))
    pd.testing.assert_frame_equal(one, two.loc[one.index], check_exact=True)
    assert (tmp_path / "one" / "predictions.csv").read_bytes() == (tmp_path / "two" / "predictions.csv").read_bytes()
    ended = run_command(tmp_path, "report.py", "run=two", "hydra.run.dir=again")
    assert ended.code == 0, ended.text
    again = (tmp_path / "again" / "associations.csv").read_bytes()
    assert again == (tmp_path / "two" / "associations.csv").read_bytes()


def test_a_bids_tree_trains_without_those_who_withdrew_and_with_reasons_for_those_it_excludes(tmp_path: Path) -> None:
    ended = simulate(tmp_path, "bids", "tree")
    assert ended.code == 0, ended.text
    files = sorted((tmp_path / "tree").glob("sub-*/ses-2/func/*_ts-ica-25.txt"))
    ids = [path.name.split("_")[0].removeprefix("sub-") for path in files]
    files[7].write_text(files[7].read_text().replace(" ", " x", 1))
    files[8].write_text("".join(files[8].read_text().splitlines(keepends=True)[:489]))
    files[9].unlink()
    (tmp_path / "withdrawn.txt").write_text(f"{ids[3]}\nsub-{ids[4]}\n")
    arguments = ["cohort=bids", "cohort.root=tree", "cohort.exclude_ids=withdrawn.txt", *FAST[1:]]
    ended = run_command(tmp_path, "train.py", *arguments)
    assert ended.code == 0, ended.text
    assert "2 of 57 participants with a file are excluded" in ended.text
    run = only_run(tmp_path)
    excluded = {row["participant_id"]: row["reason"] for row in read(run / "exclusions.csv")}
    assert excluded == {
        ids[7]: "not a number where a number belongs: text in line 1, column 2",
        ids[8]: "too few time points: 489, expected at least 490",
    }
    assert {row["participant_id"] for row in read(run / "splits.csv")} == set(ids) - {ids[i] for i in (3, 4, 7, 8, 9)}
    # More of them, and the run stops and counts.
    for path in files[10:12]:
        path.write_text("")
    ended = run_command(tmp_path, "train.py", *arguments)
    assert ended.code == 2
    assert "`cohort.max_excluded_fraction=0.05` is exceeded: 4 of 57" in ended.err
    assert "2 x empty file" in ended.err
    assert not any(i in ended.text for i in ids)


def put_parcels(folder: Path) -> None:
    """Write files as XCP-D does, of 40 participants with six parcels and 60, 90 or 120 time points, and a table.

    One participant has 50, and of another one the last parcel is missing.
    """
    rng = np.random.default_rng(4)
    lines = ["participant_id\tage"]
    for number in range(40):
        n_times = 50 if number == 7 else 60 + 30 * (number % 3)
        rows = ["\t".join(f"LH_Vis_{parcel}" for parcel in range(1, 7))]
        rows += ["\t".join(f"{value:.4f}" for value in row) for row in rng.normal(size=(n_times, 6))]
        if number == 9:
            rows = [rows[0], *(row.rpartition("\t")[0] + "\tn/a" for row in rows[1:])]
        name = f"sub-{number:02d}"
        path = folder / name / "func" / f"{name}_task-rest_space-MNI_seg-Six_stat-mean_timeseries.tsv"
        path.parent.mkdir(parents=True)
        path.write_text("\n".join(rows) + "\n")
        lines.append(f"{name}\t{rng.uniform(20, 80):.1f}")
    (folder / "participants.tsv").write_text("\n".join(lines) + "\n")


@pytest.mark.more
def test_parcels_of_any_length_train_and_are_no_components(tmp_path: Path) -> None:
    put_parcels(tmp_path / "xcpd")
    pattern = "sub-{participant_id}/func/sub-{participant_id}_task-rest_space-MNI_seg-Six_stat-mean_timeseries.tsv"
    words = ("cohort=bids", "cohort.root=xcpd", f"cohort.pattern={pattern}", "modality.n_times=60", "model.depth=1")
    parcels = ("modality=parcels", "modality.dimension=6", "modality.t_r=0.8", "modality.missing=zero")
    parcels += ("modality.max_missing_fraction=0.2",)
    ended = run_command(tmp_path, "train.py", *words, *parcels, *FAST[1:], "hydra.run.dir=run")
    assert ended.code == 0, ended.text
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["n"] == {"train": 31, "val": 4, "test": 4}
    assert "missing channels, set to zero" in (tmp_path / "run" / "report.html").read_text()
    assert "too few time points: 50, expected at least 60" in (tmp_path / "run" / "exclusions.csv").read_text()
    ended = run_command(tmp_path, "predict.py", "run=run", *words[:3], "hydra.run.dir=predicted")
    assert ended.code == 0, ended.text
    own, again = (pd.read_csv(tmp_path / folder / "predictions.csv") for folder in ("run", "predicted"))
    both = own.merge(again, on="participant_id")
    assert len(both) == 39
    np.testing.assert_allclose(both["predicted_age_x"], both["predicted_age_y"], rtol=1e-6)
    ended = run_command(
        tmp_path, "explain.py", "run=run", "rows=all", "participants=39", "n_steps=2", "report.n_resamples=100"
    )
    assert ended.code == 0, ended.text
    assert "25 of 39 series are longer than 60 time points" in ended.text
    components = ("modality.dimension=6", "modality.good_components=[1,2,3]")
    ended = run_command(tmp_path, "train.py", *words, *components, *FAST[1:])
    assert ended.code == 2
    assert "`modality=ica25` must have files of an ICA's components" in ended.err
    assert "modality=parcels modality.dimension=6" in ended.err


@pytest.mark.more
def test_all_scans_of_a_participant_train_and_their_mean_is_the_prediction(tmp_path: Path) -> None:
    put_parcels(tmp_path / "xcpd")
    names = sorted((tmp_path / "xcpd").glob("sub-*/func/*.tsv"))
    for number, path in enumerate(names):
        path.rename(path.with_name(path.name.replace("_task-rest_", "_task-rest_run-1_")))
        if number % 2:
            other = names[number - 1].with_name(names[number - 1].name.replace("_task-rest_", "_task-rest_run-1_"))
            path.with_name(path.name.replace("_task-rest_", "_task-rest_run-2_")).write_bytes(other.read_bytes())
    words = [
        "cohort=bids",
        "cohort.root=xcpd",
        "cohort.pattern=*_timeseries.tsv",
        "modality.n_times=60",
        "model.depth=1",
    ]
    words += ["modality=parcels", "modality.dimension=6", "modality.t_r=0.8", "cohort.max_excluded_fraction=0.2"]
    ended = run_command(tmp_path, "train.py", *words, *FAST[1:])
    assert ended.code == 2
    assert "have several, up to 2" in ended.err
    assert "cohort.scans=first|all|longest" in ended.err
    folds = ("split=kfold", "split.n_folds=3", "split.fold=0")
    ended = run_command(tmp_path, "train.py", *words, "cohort.scans=all", *folds, *FAST[1:], "hydra.run.dir=run")
    assert ended.code == 0, ended.text
    scans, participants = (pd.read_csv(tmp_path / "run" / name) for name in ("scans.csv", "predictions.csv"))
    assert list(scans.columns) == ["row", "scan", "split", "age", "predicted_age"]
    assert len(participants) == participants["participant_id"].nunique() == 40
    means = scans.groupby("row")["predicted_age"].mean()
    np.testing.assert_allclose(participants["predicted_age"], means)
    assert (scans.groupby("row")["split"].nunique() == 1).all()
    orders, tested = pd.read_csv(tmp_path / "run" / "time_order.csv"), participants[participants["split"] == "test"]
    assert set(orders["n"]) == {len(tested)} and (orders["change"] > 0).all()
    own = np.abs(tested["bag"]).mean()
    np.testing.assert_allclose(orders["mae"] - orders["mae_difference"], own)
    assert set(scans.groupby("row").size()) == {1, 2}
    reasons = pd.read_csv(tmp_path / "run" / "exclusions.csv")["reason"]
    assert sum(reason.startswith("one of several scans: run-1: ") for reason in reasons) == 2
    ended = run_command(tmp_path, "predict.py", "run=run", *words[:3], "cohort.scans=all", "hydra.run.dir=new")
    assert ended.code == 0, ended.text
    again, new = (pd.read_csv(tmp_path / "new" / name) for name in ("scans.csv", "predictions.csv"))
    keys = [
        table.iloc[one["row"] - 1]["participant_id"].to_numpy() for table, one in ((participants, scans), (new, again))
    ]
    same = again.assign(id=keys[1]).merge(scans.assign(id=keys[0]), on=["id", "scan"])
    assert len(same) == len(scans)
    np.testing.assert_allclose(same["predicted_age_x"], same["predicted_age_y"], rtol=1e-6)


@pytest.mark.more
def test_the_parts_do_not_depend_on_dimension_or_seed(run_job: Any, tmp_path: Path) -> None:
    run_job(*FAST, "trainer.limit_train_batches=1")
    run_job(*FAST, "trainer.limit_train_batches=1", "modality=ica100", "seed=5")
    assert (tmp_path / "run0" / "splits.csv").read_text() == (tmp_path / "run1" / "splits.csv").read_text()


def test_a_multirun_goes_on_past_what_is_impossible_and_ends_with_a_table(command: Command, tmp_path: Path) -> None:
    halves = ("split.train_fraction=0.5", "split.val_fraction=0.25")  # so that ten are tested
    ended = command("train.py", "--multirun", *FAST, *halves, "model=variable1dcnn", "model.depth=2,6,8")
    assert ended.code == 0, ended.text
    (folder,) = (tmp_path / "outputs" / "multirun").glob("*/*")
    rows = read(folder / "summary.csv")
    assert [row["status"] for row in rows] == ["finished", "impossible", "impossible"]
    assert rows[0]["parameters"] == "21185"
    assert float(rows[0]["test/mae"]) > 0
    assert rows[1]["test/mae"] == ""
    assert all(f"model.depth={depth}" in row["overrides"] for row, depth in zip(rows, (2, 6, 8), strict=True))
    for job in range(3):
        assert (folder / str(job) / "summary.json").exists()
    assert "layer 6" in json.loads((folder / "1" / "summary.json").read_text())["reason"]
    assert "val/mse" in ended.out
    assert "impossible" in ended.out


def test_a_multirun_with_a_failed_job_exits_with_1_after_the_table(command: Command) -> None:
    ended = command("train.py", "--multirun", "optimizer.lr=-1,-2")
    assert ended.code == 1
    assert ended.out.count("failed") == 2
    assert "Job 0: optimizer.lr=-1\n" in ended.out and "\nJob 1: optimizer.lr=-2\n" in ended.out
    assert "HYDRA" not in ended.out and "#0" not in ended.out
    assert "summary.csv" in ended.out


def test_a_folder_that_holds_a_run_is_not_overwritten(plain: tuple[Path, Ended]) -> None:
    run = only_run(plain[0])
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    ended = run_command(plain[0], "train.py", *FAST, f"hydra.run.dir={run}")
    assert ended.code == 2
    assert "must be a folder without a run, but it contains `metrics.csv`" in ended.err
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def imports(ended: Ended, library: str) -> bool:
    return any(line.rpartition("|")[2].strip() == library for line in ended.err.splitlines())


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    every(
        7,
        [
            (["--help"], 0, ["variable1dcnn", "simulated", "final_models/ica25", "UK Biobank"]),
            (["--cfg", "job"], 0, ["n_channels:", "kernel_size: 4"]),
            (["model.kernel_size=0"], 2, ["`model.kernel_size` must be 1 or more, but got 0"]),
            (["model=variable1dcnn", "model.depth=6"], 2, ["layer 6", "largest depth that fits is 5"]),
            (["cohort=ukb", "cohort.root=nowhere"], 2, ["`cohort.phenotypes` must be given"]),
            (["cohort=bids", "cohort.root=nowhere"], 2, ["`cohort.root` must be a folder, but `nowhere` is none"]),
            (["model=variable2dcnn"], 1, ["variable1dcnn"]),
            (["model.depth=10", "model.double_conv=true"], 2, ["`model.max_parameters=5000000` is exceeded"]),
            (["model.kernel=3"], 1, ["Key 'kernel' not in"]),
            (["cohort.include=aeg < 70"], 2, ["age"]),
            (["hydra.run.dir=/proc/nowhere"], 2, ["/proc/nowhere", "cannot be written"]),
            (["cohort.include=age >"], 2, ["cohort.include"]),
            (["model.kernel_size=big"], 1, ["could not be converted to Integer"]),
            (["cohort.include=age < 7"], 2, ["selects"]),
            (["cohort.include=eid != 9000001"], 2, ["must not name participants"]),
            (["model.in_channels=5"], 2, ["`model.in_channels` must be 21, as the modality has, but got 5"]),
            (["trainer.fast_dev_run=true"], 2, ["`trainer.fast_dev_run` must be left at False"]),
            (["cohort.exclude_ids=nobody.txt"], 2, ["nobody.txt"]),
            (["cohort.n_participants=5"], 2, ["leaves no participant in val"]),
        ],
    ),
    ids=lambda value: " ".join(value) if isinstance(value, list) and value and "=" in value[0] else "",
)
def test_questions_and_mistakes_are_answered_at_once(
    words: list[str], code: int, expected: list[str], command: Command
) -> None:
    ended = command("-X", "importtime", "train.py", *words)
    assert not imports(ended, "torch") and not imports(ended, "scipy")
    if words[0].startswith("--") or "could not be converted" in expected[0]:  # no value is checked
        assert not imports(ended, "pydantic")
    if not words[0].startswith(("cohort", "trainer", "hydra")):  # these look at data
        assert not imports(ended, "pandas") and not imports(ended, "numpy")
    message = ended.out + "\n".join(line for line in ended.err.splitlines() if not line.startswith("import time:"))
    assert ended.code == code, message
    for word in expected:
        assert word in message
    assert "Traceback" not in message
    if code == 2:
        assert message.count("error: ") == 1


def test_a_query_that_names_people_leaves_no_trace(command: Command, tmp_path: Path) -> None:
    assert command("train.py", "cohort.include=eid != 9000001").code == 2
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"9000001" in path.read_bytes() for path in files)


@pytest.mark.more
def test_a_mistake_does_not_use_up_a_named_folder(command: Command) -> None:
    assert command("train.py", "hydra.run.dir=r", "optimizer.lr=-1").code == 2
    ended = command("train.py", "hydra.run.dir=r", *FAST)
    assert ended.code == 0, ended.text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["+optimizer.nonsense=1"], "`optimizer` cannot be made of its arguments"),
        (["+optimizer.betas=[2,0.9]"], "Invalid beta"),
        (["scheduler=plateau", "scheduler.factor=2"], "`scheduler` cannot be made of its arguments"),
        (["scheduler=cosine", "trainer.max_epochs=-1"], "scheduler=none"),
        (["trainer.check_val_every_n_epoch=5"], "must let at least one epoch be trained and validated"),
        (["trainer.max_steps=3"], "must let at least one epoch be trained and validated"),
        (["logger=wandb", "logger.wandb.mode=nonsense"], "`logger.wandb` cannot be opened"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_torch_lightning_or_a_logger_refuses_is_one_message(
    words: list[str], message: str, run_job: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run_job(*FAST, *words)
    assert message in capsys.readouterr().err


@pytest.mark.more
@pytest.mark.parametrize(
    "words",
    [
        ["trainer.check_val_every_n_epoch=2", "scheduler=plateau", "trainer.max_epochs=4"],
        ["trainer.precision=bf16-true"],
        [
            "trainer.gradient_clip_val=1",
            "trainer.accumulate_grad_batches=2",
            "scheduler=cosine",
            "trainer.max_epochs=3",
        ],
    ],
    ids=" ".join,
)
def test_a_trainer_override_runs_to_its_end(words: list[str], run_job: Any) -> None:
    assert run_job(*FAST, *words)["status"] == "finished"


@pytest.mark.more
def test_hydra_full_error_shows_the_traceback(command: Command) -> None:
    ended = command("train.py", "model.kernel_size=0", HYDRA_FULL_ERROR="1")
    assert ended.code != 0
    assert "Traceback" in ended.err


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_here_is_refused_before_anything_is_read(command: Command, tmp_path: Path) -> None:
    ended = command("train.py", "trainer=gpu")
    assert ended.code == 2
    assert "`trainer.accelerator` must be hardware that this machine has, but got 'gpu'" in ended.err
    assert not (tmp_path / "outputs" / "store").exists()


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.more
def test_an_interrupted_run_says_so(signum: int, code: int, tmp_path: Path) -> None:
    words = [*FAST, "trainer.max_epochs=100000", "patience=100000"]
    started = Started(tmp_path, str(ROOT / "train.py"), *words)
    wait_until(lambda: list(tmp_path.glob("outputs/train/*/*/checkpoints/last.ckpt")))
    assert not list(tmp_path.glob("outputs/train/*/*/summary.json"))  # never while it runs
    started.send_signal(signum)
    ended = started.wait(60)
    assert ended.code == code
    assert "Traceback" not in ended.err
    run = only_run(tmp_path)
    assert json.loads((run / "summary.json").read_text())["status"] == "interrupted"
    torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)


def test_training_that_diverges_fails_with_a_reason(command: Command, tmp_path: Path) -> None:
    ended = command("train.py", *FAST, "optimizer.lr=1e30", "optimizer=adam")
    assert ended.code == 1
    assert "Training diverged" in ended.err
    assert json.loads((only_run(tmp_path) / "summary.json").read_text())["status"] == "failed"


@pytest.mark.more
def test_a_model_a_modality_and_an_optimizer_are_added_with_one_file_each(tmp_path: Path) -> None:
    """As the README tells it, in a copy of the project."""
    for name in ("brainage", "configs", "experiments"):
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True)
    shutil.copy(ROOT / "train.py", tmp_path)
    (tmp_path / "brainage/models/averaged.py").write_text(
        "from torch import nn\n\n\n"
        "class Averaged(nn.Module):\n"
        "    def __init__(self, *, in_channels, width):\n"
        "        super().__init__()\n"
        "        self.last = nn.Sequential(nn.Linear(in_channels, width), nn.ReLU(), nn.Linear(width, 1))\n\n"
        "    def forward(self, series):\n"
        "        return self.last(series.abs().mean(dim=2))\n"
    )
    (tmp_path / "configs/model/averaged.yaml").write_text(
        "# A network of one's own.\nname: averaged\noutput_bias: mean_age\n"
        "in_channels: ${modality.n_channels}\nwidth: 7\n"
    )
    (tmp_path / "configs/modality/ica50.yaml").write_text(
        (ROOT / "configs/modality/ica25.yaml").read_text().replace("ica25", "ica50").replace("ion: 25", "ion: 50")
    )
    (tmp_path / "configs/optimizer/sgd.yaml").write_text(
        "# Plain gradient descent.\n_target_: torch.optim.SGD\n_partial_: true\nlr: 1e-4\nmomentum: 0.9\n"
    )
    chosen = ["model=averaged", "modality=ica50", "optimizer=sgd", "model.width=5", "optimizer.momentum=0.5"]
    done = subprocess.run(
        [sys.executable, "train.py", *chosen, *FAST],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((only_run(tmp_path) / "summary.json").read_text())
    # 21 channels to 5, and 5 to 1, with biases.
    assert summary["model"] == {"name": "averaged", "parameters": 21 * 5 + 5 + 5 + 1, "encoder_parameters": None}
    helped = subprocess.run(
        [sys.executable, "train.py", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=False,
    )
    assert "A network of one's own." in helped.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trainer.strategy=ddp_spawn"], "`trainer.strategy` must be 'auto' or 'ddp', but got 'ddp_spawn'"),
        (
            ["trainer.val_check_interval=100"],
            "`trainer`: Lightning refuses to train: `val_check_interval` (100) must be less than or equal",
        ),
    ],
    ids=["strategy", "val_check_interval"],
)
def test_a_trainer_argument_that_cannot_work_is_one_message(
    words: list[str], message: str, run_job: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run_job(*FAST, *words)
    printed = capsys.readouterr()
    assert message in printed.err and "Traceback" not in printed.out + printed.err


def test_the_second_task_of_a_cluster_step_writes_its_loggers_too(
    run_job: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SLURM_PROCID", "RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr(rank_zero_only, "rank", 1)  # as Lightning's import reads it from these
    assert run_job(*FAST, "evaluate=false", "logger=tensorboard")["status"] == "finished"
    assert list((tmp_path / "run0" / "tensorboard").glob("events*"))


def test_several_tasks_of_one_run_are_refused(tmp_path: Path) -> None:
    ended = run_command(tmp_path, "train.py", *FAST, SLURM_NTASKS="2", SLURM_PROCID="1")
    assert ended.code == 2
    assert ended.err.startswith("error: `SLURM_NTASKS` must be 1 for a run") and "but got 2" in ended.err
    assert "sweep=NAME" in ended.err
    assert not (tmp_path / "outputs").exists()
