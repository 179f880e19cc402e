"""The study as users run it: a failed step is named, and a stopped study continues."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock

from brainage.commands.study import main
from brainage.errors import StudyStepError
from brainage.study import runner
from brainage.study.plan import Step, study_steps
from tests.conftest import wait_until

# The smallest study with every stage.
TINY = ("cohort.n_participants=100", "trainer.max_epochs=3", "trainer=cpu", "report.n_resamples=100", "seed=1")


def overrides_of(job: Path) -> list[str]:
    words: list[str] = yaml.safe_load((job / ".hydra" / "overrides.yaml").read_text())
    return words


class Commands:
    """Replaces the commands of steps: writes the log, and the summaries that a training would leave."""

    def __init__(self, code: int, said: str = "", summaries: Sequence[dict[str, Any]] = ()) -> None:
        self.code, self.said, self.summaries = code, said, summaries
        self.words: list[Sequence[str]] = []
        self.step: Step | None = None

    def __call__(self, words: Sequence[str], log_file: Path, note: Path) -> int:
        self.words.append(words)
        log_file.parent.mkdir(parents=True, exist_ok=True)
        log_file.write_text(f"$ brainage {' '.join(words)}\n{self.said}\n")
        if self.step is not None and self.summaries:
            for number, summary in enumerate(self.summaries):
                job = self.step.folder / str(number)
                (job / ".hydra").mkdir(parents=True, exist_ok=True)
                (job / ".hydra" / "overrides.yaml").touch()
                (job / "summary.json").write_text(json.dumps(summary))
            self.step.result.touch()
        return self.code


def run_with(monkeypatch: pytest.MonkeyPatch, commands: Commands, step: Step, tmp_path: Path) -> None:
    commands.step = step
    monkeypatch.setattr(runner, "run_command", commands)
    runner.run_step(step, tmp_path)


@pytest.mark.parametrize("code", [2, 3])
def test_a_step_that_fails_is_named_with_its_log_and_its_time_is_recorded(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "check_composes", lambda steps: None)
    monkeypatch.setattr(runner, "run_command", Commands(code, "no such table"))
    assert main(["--out", str(tmp_path / "out")]) == 1
    message = capsys.readouterr().err
    assert f"step manual_search/learning_rate: brainage train ended with {code}" in message
    assert f"`{tmp_path / 'out' / 'logs' / 'manual_search-learning_rate.log'}` are: no such table" in message
    record = json.loads((tmp_path / "out" / "study.json").read_text())
    assert record["done"] == {} and set(record["seconds"]) == {"manual_search/learning_rate"}


FINISHED = {"status": "finished", "reason": None}
DIVERGED_RUN = {
    "status": "failed",
    "error": "DivergedError",
    "reason": "Training diverged: the validation loss was never a finite number.",
}
INFEASIBLE = {"status": "impossible", "reason": "The sequence runs out."}
FAILED = {"status": "failed", "reason": "`cohort.root=x` does not exist."}


@pytest.mark.parametrize("summary", [DIVERGED_RUN, INFEASIBLE])
def test_a_grid_with_jobs_that_diverged_or_are_infeasible_is_done(
    summary: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = study_steps("small", tmp_path / "out", ())[0]
    run_with(monkeypatch, Commands(1, summaries=[FINISHED, summary]), grid, tmp_path)
    assert grid.has_result()


@pytest.mark.parametrize(("summaries", "code"), [([FINISHED, FAILED], 1), ([], 1), ([FINISHED], 2)])
def test_a_grid_that_failed_otherwise_ends_the_study_with_its_last_lines(
    summaries: list[dict[str, Any]], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = study_steps("small", tmp_path / "out", ())[0]
    with pytest.raises(StudyStepError, match="are: no root"):
        run_with(monkeypatch, Commands(code, "no root", summaries), grid, tmp_path)


def test_a_final_model_that_failed_ends_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    final = study_steps("small", tmp_path / "out", ())[8]
    with pytest.raises(StudyStepError, match="step final_models/ica25: brainage train ended with 1"):
        run_with(monkeypatch, Commands(1), final, tmp_path)


def test_a_grid_keeps_its_folder_a_final_model_without_a_checkpoint_starts_in_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = study_steps("small", tmp_path / "out", ())
    for step, kept in ((steps[0], True), (steps[8], False), (steps[10], False)):
        step.folder.mkdir(parents=True)
        (step.folder / "left").touch()
        commands = Commands(0)
        run_with(monkeypatch, commands, step, tmp_path)
        assert (step.folder / "left").exists() == kept
        assert commands.words == [step.command()]


def test_a_study_in_use_by_another_process_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "check_composes", lambda steps: None)
    with FileLock(tmp_path / ".lock"):
        assert main(["--out", str(tmp_path)]) == 2
    assert f"`--out {tmp_path}` must belong to one process at a time" in capsys.readouterr().err


def stop_at(checkpoint: Path, process: subprocess.Popen[str], signum: int) -> tuple[str, str]:
    """Send a study a signal in the middle of a training; return what it printed."""
    wait_until(lambda: checkpoint.exists() or process.poll() is not None, seconds=300)
    assert process.poll() is None, process.communicate()
    process.send_signal(signum)
    return process.communicate(timeout=120)


@pytest.mark.slow
def test_an_interrupted_study_continues_and_keeps_finished_steps(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "brainage", "study", "--out", str(tmp_path / "study"), *TINY]
    grids = tmp_path / "study" / "manual_search"
    second = grids / "kernel_size"
    stops = (
        (signal.SIGKILL, second / "1"),
        (signal.SIGINT, grids / "depth" / "0"),
        (signal.SIGTERM, grids / "components" / "1"),
    )
    kept: dict[Path, bytes] = {}
    for signum, job in stops:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        _, err = stop_at(job / "checkpoints" / "last.ckpt", process, signum)
        assert process.returncode == (-9 if signum == signal.SIGKILL else 128 + signum)
        assert ("the same command continues it" in err) == (signum != signal.SIGKILL)
        kept.update({path: path.read_bytes() for path in grids.glob("learning_rate/*/summary.json")})
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 11: manual_search/learning_rate: finished, kept" in done.stdout
    assert len(kept) == 5 and all(path.read_bytes() == content for path, content in kept.items())
    html = (tmp_path / "study" / "index.html").read_text()
    links = re.findall(r'<li><a href="([^"]+)"', html)
    assert len(links) == 11 and "11 of 11 steps are done" in html
    assert all((tmp_path / "study" / link).is_file() for link in links)
    statuses = [json.loads((second / str(n) / "summary.json").read_text())["status"] for n in range(5)]
    assert statuses == ["finished"] * 5  # also the job that was interrupted
    # A job may have been stopped after its last epoch, which is then not trained again.
    logs = [tmp_path / "study" / "logs" / f"manual_search-{job.parent.name}.log" for _, job in stops]
    assert any("Resuming after epoch" in log.read_text() for log in logs)
    sizes = (3, 5, 7, 10, 15)
    assert [overrides_of(second / str(n))[0] for n in range(5)] == [f"model.kernel_size={size}" for size in sizes]
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 0 and again.stdout.count("finished, kept") == 11
