"""What many tests share: running the command as users do, and running a job inside this process."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

from brainage.commands import store
from brainage.config.hydra import register
from brainage.runs import job as jobs
from tests.forked import run_python

ROOT = Path(__file__).resolve().parents[1]

# Two workers (pyproject.toml) on two cores: threads beyond that would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A run that is over in a moment: a few people, one small batch.
FAST = ("cohort.n_participants=40", "trainer.max_epochs=1", "batch_size=8", "trainer=cpu")

register()


@dataclass(frozen=True)
class Ended:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


Command = Callable[..., Ended]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run ``python ARGUMENTS`` in an empty folder, as a user would."""

    def run(*arguments: str, **environment: str) -> Ended:
        return run_command(tmp_path, *arguments, **environment)

    return run


def run_command(folder: Path, *arguments: str, **environment: str) -> Ended:
    """Run ``python ARGUMENTS`` in a folder; the project's own commands are found wherever that is.

    Scripts and modules run in a fork of a process that has imported the package, because the import takes seconds.
    Options of Python and environment variables need a new process.
    """
    commands = {path.name for path in ROOT.glob("*.py")}
    words = [str(ROOT / word) if word in commands else word for word in arguments]
    if not environment and (words[0] == "-m" or words[0].endswith(".py")):
        return _run_in_fork(folder, words)
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, **environment},
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


# One server of forks for a whole test process: also for tests that start processes themselves.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.forked"])


def _run_in_fork(folder: Path, words: list[str]) -> Ended:
    with tempfile.TemporaryDirectory() as outputs:
        out, err = Path(outputs) / "out", Path(outputs) / "err"
        process = FORKS.Process(target=run_python, args=(words, folder, out, err))
        process.start()
        process.join(240)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"{words} did not end in 240 s")
        return Ended(process.exitcode, out.read_text(), err.read_text())


@pytest.fixture
def store_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Call ``brainage store`` in an empty folder, in this process; check that its output names no participant."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Ended:
        try:
            code = store.main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        assert "secret" not in said.out + said.err
        return Ended(code, said.out, said.err)

    return run


def run_here(work: Callable[[DictConfig], object], verb: str, folder: Path, *overrides: str) -> int:
    """Do a command's work inside this process, in a folder; return its exit code."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        job = compose(verb, list(overrides), return_hydra_config=True)
        folder.mkdir(parents=True, exist_ok=True)
        with open_dict(job):
            job.hydra.runtime.output_dir = str(folder)
            job.hydra.mode = "RUN"
            HydraConfig.instance().set_config(job)
            del job["hydra"]
        try:
            work(job)
        except SystemExit as end:
            return int(end.code or 0)
        finally:
            HydraConfig.instance().cfg = None
    return 0


def train_here(folder: Path, *overrides: str) -> Path:
    """Train inside this process, without figures, and return the run's folder, which is this one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("brainage.reporting.figure._png", lambda canvas: b"")
        assert (
            run_here(jobs.run_job, "train", folder, "trainer=cpu", f"store.root={folder.parent / 'store'}", *overrides)
            == 0
        )
    return folder


def wait_until(condition: Callable[[], object], seconds: float = 120) -> None:
    """Check a condition again and again until it holds; fail if it does not hold after some seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"the condition did not hold within {seconds} s"
        time.sleep(0.005)


@pytest.fixture
def composed(tmp_path: Path) -> Iterator[Callable[..., DictConfig]]:
    """Compose ``train.yaml`` with overrides, as a job that would write into ``tmp_path/run0``, then ``run1``, ..."""
    GlobalHydra.instance().clear()
    numbers = itertools.count()

    def compose_with(*overrides: str) -> DictConfig:
        job = compose("train", list(overrides), return_hydra_config=True)
        with open_dict(job):
            job.hydra.runtime.output_dir = str(tmp_path / f"run{next(numbers)}")
            job.hydra.mode = "RUN"
            HydraConfig.instance().set_config(job)
            del job["hydra"]
        return job

    with initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        yield compose_with
    HydraConfig.instance().cfg = None


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make reports without drawing their figures, which takes most of the time of a small command."""
    monkeypatch.setattr("brainage.reporting.figure._png", lambda canvas: b"")


@pytest.fixture
def run_job(composed: Callable[..., DictConfig], tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Run a job inside this process; return its summary."""

    def run(*overrides: str) -> dict[str, Any]:
        job = composed(f"store.root={tmp_path / 'store'}", *overrides)
        jobs.run_job(job)
        folder = Path(HydraConfig.get().runtime.output_dir)
        summary: dict[str, Any] = json.loads((folder / "summary.json").read_text())
        return summary

    return run
