"""A panel from its trainings to its page; the trainings themselves are replaced by files that they would leave."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest

from brainage.commands.panel import main
from brainage.study import runner
from tests.conftest import wait_until

# Errors in years by model: in validation, and in test participants by seed of the network.
ERRORS = {
    "ridge_features": (4.0, (3.0,)),
    "mean_age": (6.0, (6.0,)),
    "variable1dcnn": (3.0, (5.0, -1.0)),  # the mean of both seeds is wrong by 2
    "mean_mlp": (3.5, (1.0, 1.0)),
    "simple1dcnn": (5.0, (5.0, 5.0)),
}
UNSUITABLE = {
    "status": "failed",
    "error": "CohortError",
    "reason": "`model=ridge_motion` needs `head_motion`.",
    "metrics": {},
}


class Trainings:
    """Replaces the commands of steps; `n` validation and `n` test participants are in each split."""

    def __init__(self, n: int = 12) -> None:
        self.n, self.words = n, list[Sequence[str]]()

    def __call__(self, words: Sequence[str], log_file: Path, note: Path) -> int:
        self.words.append(words)
        log_file.parent.mkdir(parents=True, exist_ok=True)
        log_file.write_text("$ brainage train\nas it ended\n")
        given = dict(word.split("=", 1) for word in words if "=" in word)
        folder = Path(given["hydra.sweep.dir"].strip("'"))
        model = given["model"]
        jobs = [(split, seed) for split in _range(given["split.seed"]) for seed in _range(given["seed"])]
        for number, (split, seed) in enumerate(jobs):
            self._write(folder / str(number), model, split, seed, 2.5 if "recipe.shuffle_time" in given else 0.0)
        (folder / "summary.csv").touch()
        (folder / "speed.json").write_text('{"milliseconds": 1.25}')
        return 1 if model in ("ridge_motion", "site_mean") else 0

    def _write(self, job: Path, model: str, split: int, seed: int, more: float) -> None:
        (job / ".hydra").mkdir(parents=True)
        (job / ".hydra" / "overrides.yaml").write_text(json.dumps([f"split.seed={split}", f"seed={seed}"]))
        summary = {
            **{"status": "finished", "reason": None, "n": {"train": 8 * self.n, "val": self.n, "test": self.n}},
            **{"model": {"name": model, "parameters": 211}, "seconds": {"fit": 3.0}, "metrics": {}},
        }
        (job / "summary.json").write_text(json.dumps(UNSUITABLE if model == "ridge_motion" else summary))
        val, test = ERRORS.get(model, (9.0, (9.0,)))
        off = {"val": val, "test": test[(seed - 43) % len(test)] + split / 10 + more}
        rows = [(f"planted{number:02d}", part, 60, 60 + off[part]) for part in off for number in self._ids(part)]
        table = pd.DataFrame(rows, columns=["participant_id", "split", "age", "predicted_age"])
        table.to_csv(job / "predictions.csv", index=False)

    def _ids(self, part: str) -> range:
        return range(self.n) if part == "val" else range(self.n, 2 * self.n)


pytestmark = pytest.mark.usefixtures("undrawn")


def _range(text: str) -> range:
    return range(*map(int, re.findall(r"\d+", text)))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Trainings]:
    """Run a panel of some models on three splits."""

    def command(models: str, *words: str, n: int = 12, code: int = 0) -> Trainings:
        trainings = Trainings(n)
        monkeypatch.setattr(runner, "run_command", trainings)
        counts = ("--size", "small", "--splits", "3", "--seeds", "2")
        assert main(["--out", str(tmp_path / "panel"), *counts, "--models", models, *words]) == code
        return trainings

    return command


@pytest.mark.more
def test_the_page_ranks_by_validation_error_and_tests_the_mean_of_the_seeds(
    run: Callable[..., Trainings], tmp_path: Path
) -> None:
    trainings = run("mean_mlp,variable1dcnn")
    table = pd.read_csv(tmp_path / "panel" / "panel.csv", index_col="model")
    # Not mean_mlp, whose test error is lower.
    assert table.index.tolist() == ["variable1dcnn", "mean_mlp", "ridge_features"]
    assert table.loc["variable1dcnn", "test_mae"] == pytest.approx(2.1)  # splits add 0, 0.1, 0.2
    assert table.loc["mean_mlp", "minus_best"] == pytest.approx(-1.0)
    assert table.loc["mean_mlp", "minus_reference"] == pytest.approx(-2.0)
    assert table.loc["mean_mlp", ["n_splits", "n_seeds", "n_train", "n_test"]].tolist() == [3, 2, 96, 12]
    assert table.loc["mean_mlp", ["parameters", "milliseconds", "seconds"]].tolist() == [211, 1.25, 3.0]
    html = (tmp_path / "panel" / "index.html").read_text()
    assert "Lowest validation error: variable1dcnn, whose test MAE is 2.10" in html
    assert "n_test/n_train = 0.125, df = 2" in html
    links = re.findall(r'<li><a href="([^"]+)"', html)
    assert "models/mean_mlp/report.html" in links
    # The two networks with the lowest validation error, one seed.
    order = [words for words in trainings.words if "recipe.shuffle_time=true" in words]
    assert [next(word for word in words if word.startswith("model=")) for words in order] == [
        "model=variable1dcnn",
        "model=mean_mlp",
    ]
    assert all({"split.seed=range(3)", "seed=range(43,44)"} <= set(words) for words in order)
    # Seed 43 alone is wrong by 5.1, and by 2.5 years more on shuffled series.
    assert re.search(r"variable1dcnn.*5\.10.*7\.60.*\+2\.50", html.partition("Use of the order of time</h2>")[2], re.S)
    order_csv = pd.read_csv(tmp_path / "panel" / "order.csv", index_col="network")
    assert order_csv.loc["variable1dcnn", ["in_order_mae", "shuffled_mae", "difference"]].tolist() == pytest.approx(
        [5.1, 7.6, 2.5]
    )
    written = html + "".join(
        (tmp_path / "panel" / name).read_text() for name in ("panel.csv", "errors.csv", "order.csv", "panel.json")
    )
    assert "planted" not in written


@pytest.mark.more
def test_a_model_that_the_cohort_does_not_suit_is_listed_with_the_reason(
    run: Callable[..., Trainings], tmp_path: Path
) -> None:
    run("ridge_motion")
    html = (tmp_path / "panel" / "index.html").read_text()
    assert "1 of 2 models are compared" in html and "3 of 3 trainings did not finish. " in html
    assert "needs `head_motion`" in html
    assert pd.read_csv(tmp_path / "panel" / "panel.csv")["model"].tolist() == ["ridge_features"]


@pytest.mark.more
def test_the_reference_has_to_suit_the_cohort(
    run: Callable[..., Trainings], capsys: pytest.CaptureFixture[str]
) -> None:
    run("mean_age", "--reference", "ridge_motion", code=1)
    assert "step models/ridge_motion: brainage train ended with 1" in capsys.readouterr().err


@pytest.mark.more
def test_finished_models_are_kept_others_are_added_and_none_is_changed(
    run: Callable[..., Trainings], capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(run("mean_age").words) == 2
    assert run("mean_age").words == []
    assert ["model=simple1dcnn" in words for words in run("mean_age,simple1dcnn").words] == [True, True]
    run("mean_age", "batch_size=7", code=2)
    message = capsys.readouterr().err
    assert "contains a panel with models/" in message and "batch_size=7" in message and message.count("\n") == 1


@pytest.mark.more
def test_a_model_whose_results_are_gone_is_trained_again(run: Callable[..., Trainings], tmp_path: Path) -> None:
    run("mean_age")
    (tmp_path / "panel" / "models" / "mean_age" / "summary.csv").unlink()
    for job in (tmp_path / "panel" / "models" / "mean_age").glob("[0-9]/.hydra"):
        job.parent.rename(job.parent.with_name(f"old{job.parent.name}"))
    again = run("mean_age").words
    assert ["model=mean_age" in words for words in again] == [True]


def test_errors_of_fewer_than_ten_participants_are_not_shown(run: Callable[..., Trainings], tmp_path: Path) -> None:
    run("mean_age", n=9)
    table = pd.read_csv(tmp_path / "panel" / "panel.csv")
    assert table[["val_mae", "test_mae", "minus_best", "minus_reference"]].isna().all(axis=None)
    assert pd.read_csv(tmp_path / "panel" / "errors.csv")[["val_mae", "test_mae"]].isna().all(axis=None)
    html = (tmp_path / "panel" / "index.html").read_text()
    assert "Test errors are not shown" in html and "3.00" not in html.partition("What was run")[0]


@pytest.mark.slow
def test_a_killed_panel_continues_in_the_middle_of_a_training(tmp_path: Path) -> None:
    tiny = (
        "cohort.n_participants=100",
        "trainer.max_epochs=150",
        "patience=1000",
        "trainer=cpu",
        "--splits",
        "2",
        "--models",
        "mean_mlp",
    )
    command = [sys.executable, "-m", "brainage", "panel", "--size", "small", "--reference", "mean_age", *tiny]
    job = tmp_path / "outputs" / "panel" / "models" / "mean_mlp" / "1"
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: (job / "checkpoints" / "last.ckpt").exists() or process.poll() is not None, seconds=300)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    kept = (job.parent / "0" / "summary.json").read_bytes()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 2: models/mean_age: finished, kept" in done.stdout and "1 of 1: order/mean_mlp: done" in done.stdout
    assert (job.parent / "0" / "summary.json").read_bytes() == kept
    assert "Resuming after epoch" in (tmp_path / "outputs" / "panel" / "logs" / "models-mean_mlp.log").read_text()
    table = pd.read_csv(tmp_path / "outputs" / "panel" / "panel.csv")
    assert table["test_mae"].notna().all() and (table["milliseconds"] > 0).all()
    html = (tmp_path / "outputs" / "panel" / "index.html").read_text()
    assert "2 of 2 models are compared" in html and "Use of the order of time" in html
