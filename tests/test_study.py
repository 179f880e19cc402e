"""The study as ``make study`` runs it: one page, kept steps, and going on after it was stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from brainage.errors import StudyError
from brainage.study import running
from brainage.study.__main__ import main
from brainage.study.index import write_index
from brainage.study.steps import FINALS, GRIDS, SWEEPS, steps
from tests.conftest import ROOT

# The smallest that goes through every stage.
TINY = (
    *("cohort.n_participants=100", "trainer.max_epochs=1", "trainer=cpu", "report.n_resamples=100", "seed=1"),
    "model.max_parameters=5000000",
)


def test_every_experiment_of_the_three_stages_is_a_step() -> None:
    for stage, names in (("manual_search", GRIDS), ("hyperparameter_sweep", SWEEPS), ("final_models", FINALS)):
        assert {path.stem for path in (ROOT / "experiments" / stage).glob("*.yaml")} == set(names)


def test_another_cohort_is_taken_whole(tmp_path: Path) -> None:
    def people(*overrides: str) -> list[str]:
        return [word for word in steps("full", tmp_path, overrides)[0].words if word.startswith("cohort")]

    assert people() == ["cohort.n_participants=5902"]
    assert people("cohort.n_participants=70") == ["cohort.n_participants=70"]
    assert people("cohort=bids", "cohort.root=x") == ["cohort=bids", "cohort.root=x"]


def test_a_grid_has_the_jobs_that_hydra_would_make() -> None:
    words = ("train.py", "--multirun", "experiment=manual_search/depth")
    assert running._grid(words) == [(f"model.depth={depth}",) for depth in (2, 3, 5, 6, 8)]


def test_another_size_or_other_overrides_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "study"
    out.mkdir()
    plan = {"size": "small", "overrides": ["seed=3"], "done": {}}
    (out / "study.json").write_text(json.dumps(plan))
    before = (out / "study.json").read_bytes()
    assert main(["--out", str(out), "--size", "full", "seed=3"]) == 2
    assert "holds a study of size small with seed=3, but got size full with seed=3." in capsys.readouterr().err
    assert main(["--out", str(out)]) == 2
    assert "but got size small with no overrides. Repeat the first" in capsys.readouterr().err
    assert (out / "study.json").read_bytes() == before
    (out / "study.json").write_text("{")
    assert main(["--out", str(out)]) == 2
    assert "must tell what was begun, but cannot be read" in capsys.readouterr().err


def test_a_step_that_fails_is_named_with_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "ROOT", tmp_path)
    (tmp_path / "train.py").write_text("import sys; print('no such table', file=sys.stderr); sys.exit(2)")
    with pytest.raises(
        StudyError, match=r"the command train.py --multirun experiment=manual_search/learning_rate ended"
    ):
        running.run_study("small", tmp_path / "out", ())
    assert "no such table" in (tmp_path / "out" / "logs" / "manual_search-learning_rate.log").read_text()
    assert json.loads((tmp_path / "out" / "study.json").read_text())["done"] == {}


def test_the_index_links_every_report_that_is_there(tmp_path: Path) -> None:
    todo = steps("small", tmp_path, ())
    first = todo[0]
    first.folder.mkdir(parents=True)
    (first.folder / "report.html").write_text("x")
    (first.folder / "summary.csv").write_text(
        "overrides,status,val/mse,val/mae,test/mae\noptimizer.lr=<i>1 seed=1,finished,41.5,5.0,5.25\n"
    )
    html = write_index(tmp_path, "small", todo, {first.label: 60.0}).read_text()
    assert "1 of 11 steps are done, in 1.0 minutes." in html and "Reduced: 600 simulated participants" in html
    assert html.count("<li><a href=") == 1 and 'href="manual_search/learning_rate/report.html"' in html
    assert "optimizer.lr=&lt;i&gt;1" in html and "41.50" in html


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_a_study_that_was_stopped_goes_on_and_keeps_what_is_finished(signum: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "brainage.study", "--out", str(tmp_path / "study"), *TINY]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    # In the middle of the second grid.
    second = tmp_path / "study" / "manual_search" / "kernel_size"
    while not (second / "1" / "checkpoints" / "last.ckpt").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signum)
    process.communicate(timeout=120)
    time.sleep(2)
    kept = {path: path.read_bytes() for path in (tmp_path / "study").glob("manual_search/learning_rate/*/summary.json")}
    kept[second / "0" / "summary.json"] = (second / "0" / "summary.json").read_bytes()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 11: manual_search/learning_rate: finished, kept" in done.stdout
    assert all(path.read_bytes() == content for path, content in kept.items())
    html = (tmp_path / "study" / "index.html").read_text()
    assert html.count("<li><a href=") == 11 and "11 of 11 steps are done" in html
    if signum == signal.SIGTERM:
        assert process.returncode == 143
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 0 and again.stdout.count("finished, kept") == 11
