"""What loggers have of a run, read from what they wrote."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from brainage.runs import job as jobs
from tests.conftest import run_here
from tests.logged import Logged, of_tensorboard, of_wandb

WORDS = ("cohort.n_participants=120", "batch_size=32", "trainer=cpu", "model.start_out=4", "report.n_resamples=100",
         "scheduler=none", "optimizer.lr=1e-3")  # fmt: skip
pytestmark = pytest.mark.more
CURVES = {"epoch", "train/loss", "train/mae", "val/loss", "val/mae", "lr", "seconds"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch, moved, and resumed for two more; its page shows single participants."""
    folder = tmp_path_factory.mktemp("logged") / "run"
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "hydra.yaml").write_text("hydra: {runtime: {choices: {experiment: mine/first}}}")
    words = (
        *WORDS,
        "logger=[wandb,tensorboard,csv,mlflow]",
        *("split=kfold", "split.n_folds=5", "split.fold=1", "seed=7", "report.points=all"),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder.parent)
        assert run_here(jobs.run_job, "train", folder, *words, "trainer.max_epochs=1") == 0
        moved = folder.rename(folder.with_name("moved"))
        assert run_here(jobs.run_job, "train", moved, f"resume={moved}", "trainer.max_epochs=3") == 0
    return moved


def wandb_runs(run: Path) -> list[Path]:
    return sorted((run / "wandb").glob("offline-run-*"), key=lambda path: path.stat().st_mtime)


def expected(run: Path) -> dict[str, list[tuple[int, float]]]:
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {name: [(int(row["epoch"]), float(row[name])) for row in rows] for name in rows[0]}


def of_mlflow(run: Path) -> Logged:
    client = MlflowClient(f"sqlite:///{run.parent / 'outputs' / 'mlflow.db'}")
    (run,) = client.search_runs([one.experiment_id for one in client.search_experiments()])
    assert run.info.status == "FINISHED"
    found = Logged(single=run.data.metrics, parameters=run.data.params)
    found.tags = [f"{key}:{value}" for key, value in run.data.tags.items() if "." not in key]
    found.figures = {file.path for file in client.list_artifacts(run.info.run_id, "report")}
    for name in run.data.metrics:
        history = client.get_metric_history(run.info.run_id, name)
        found.steps[name] = sorted((one.step, one.value) for one in history)
    return found


def of_csv(folder: Path) -> Logged:
    found = Logged()
    with (folder / "metrics.csv").open() as file:
        for row in csv.DictReader(file):
            for name, value in row.items():
                if value:
                    found.add(name, int(row["step"]), float(value))
    return found


def test_each_epoch_is_one_step_with_the_names_of_metrics_csv_also_after_resuming(run: Path) -> None:
    wanted = expected(run)
    assert set(wanted) == CURVES and len(wanted["epoch"]) == 3
    newest = wandb_runs(run)[-1]
    for logged in (of_tensorboard(run / "tensorboard"), of_wandb(newest), of_csv(run / "csv"), of_mlflow(run)):
        for name in CURVES:
            assert [step for step, _ in logged.steps[name]] == [0, 1, 2], name
            values = [value for _, value in logged.steps[name]]
            assert values == pytest.approx([value for _, value in wanted[name]], rel=1e-5), name


def test_the_results_are_those_of_the_best_epoch(run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text())
    assert summary["notes"] == []
    metrics = {f"{part}/{key}": value for part, of in summary["metrics"].items() for key, value in of.items()}
    wanted = {**metrics, "best_epoch": summary["best_epoch"]}
    single = of_wandb(wandb_runs(run)[-1]).single
    assert {name: single[name] for name in wanted} == pytest.approx(wanted)
    assert single["val/loss"] == pytest.approx(metrics["val/mse"], rel=1e-5)
    assert single["lr"] == 1e-3
    new = {name: value for name, value in wanted.items() if name not in CURVES}
    tensorboard, table = of_tensorboard(run / "tensorboard").single, of_csv(run / "csv").steps
    assert tensorboard == pytest.approx(new, rel=1e-5)
    assert {name: table[name][-1] for name in new} == {name: (3, pytest.approx(value)) for name, value in new.items()}
    single = of_mlflow(run).single
    assert {name: single[name] for name in new} == pytest.approx(new)
    assert summary["objective"]["name"] in tensorboard


def test_parameters_group_and_tags(run: Path) -> None:
    first, last = (of_wandb(folder) for folder in wandb_runs(run))
    tags = ["experiment:mine/first", "fold:1", "seed:7"]
    assert (first.group, first.tags) == (last.group, last.tags) == ("mine/first", tags)
    assert last.parameters["optimizer"]["lr"] == 1e-3 and last.parameters["split"]["fold"] == 1
    tensorboard = of_tensorboard(run / "tensorboard").parameters
    assert (tensorboard["optimizer/lr"], tensorboard["split/fold"], tensorboard["seed"]) == (1e-3, 1, 7)
    assert tensorboard["labels/experiment"] == "mine/first"
    assert "lr: 0.001" in (run / "csv" / "hparams.yaml").read_text()
    assert of_mlflow(run).parameters["optimizer/lr"] == "0.001"
    assert {*tags, "group:mine/first"} < set(of_mlflow(run).tags)
    assert not {"logger", "store"} & {name.partition("/")[0] for name in (*tensorboard, *last.parameters)}
    assert "cohort/n_participants" in tensorboard and "trainer/default_root_dir" not in tensorboard


def test_the_report_s_figures_are_logged_without_those_of_single_participants(run: Path) -> None:
    figures = {"report/training", "report/gap-by-age", "report/associations"}
    assert figures <= of_tensorboard(run / "tensorboard").figures
    assert (run / "figures" / "predicted.png").exists()
    assert "report/predicted" not in of_tensorboard(run / "tensorboard").figures  # 24 are too few for a density
    assert {f"{name}.png" for name in figures} <= of_mlflow(run).figures
    assert {
        path.partition("_")[0].removeprefix("media/images/") for path in of_wandb(wandb_runs(run)[-1]).figures
    } >= figures


def test_a_resumed_run_is_the_same_run_of_wandb(run: Path) -> None:
    first, last = wandb_runs(run)
    assert first.name.rpartition("-")[2] == last.name.rpartition("-")[2]
