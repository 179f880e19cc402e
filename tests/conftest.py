"""What many tests share: running the command as users do, and running a job inside this process."""

from __future__ import annotations

import gc
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from brainage.commands import store
from brainage.config.hydra import register
from brainage.runs import job as jobs
from tests.composing import compose_job, forget_job
from tests.forked import FORKS, run_python

ROOT = Path(__file__).resolve().parents[1]

# Two workers (pyproject.toml) on two cores: threads beyond that would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Lines are not wrapped to the tests' terminal. readline, which pytest imports, sets its width for new processes.
os.environ.pop("COLUMNS", None)
os.unsetenv("COLUMNS")

# A run that is over in a moment: a few people, one small batch.
FAST = ("cohort.n_participants=40", "trainer.max_epochs=1", "batch_size=8", "trainer=cpu")

register()


def every_third(cases: Iterable[Any]) -> list[Any]:
    """Return the cases of a table for `parametrize`; two of three are marked ``more``: the gate runs them too."""
    return every(3, cases)


def every(step: int, cases: Iterable[Any]) -> list[Any]:
    """Return the cases of a table; all but the first, the ``step + 1``-th and so on are marked ``more``."""
    return [
        case
        if number % step == 0 or hasattr(case, "marks")
        else pytest.param(*(case if isinstance(case, tuple) else [case]), marks=[pytest.mark.more])
        for number, case in enumerate(cases)
    ]


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
    Environment variables and options of Python but ``-W error`` need a new process.
    """
    commands = {path.name for path in ROOT.glob("*.py")}
    words = [str(ROOT / word) if word in commands else word for word in arguments]
    if not environment and (words[0] in ("-m", "-W") or words[0].endswith(".py")):
        return Started(folder, *words).wait()
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


class Started:
    """A command that runs, in a fork."""

    def __init__(self, folder: Path, *words: str) -> None:
        self._outputs = tempfile.TemporaryDirectory()
        self.out, self.err = (Path(self._outputs.name) / name for name in ("out", "err"))
        self.process = FORKS.Process(target=run_python, args=([*words], folder, self.out, self.err))
        self.process.start()

    def send_signal(self, signum: int) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, signum)

    def wait(self, seconds: float = 240) -> Ended:
        """Return how it ended; kill it and raise a `TimeoutError` if it does not end in time."""
        with self._outputs:
            self.process.join(seconds)
            if self.process.exitcode is None:
                self.process.kill()
                raise TimeoutError(f"a command did not end in {seconds} s")
            return Ended(self.process.exitcode, self.out.read_text(), self.err.read_text())


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
    folder.mkdir(parents=True, exist_ok=True)
    try:
        work(compose_job(verb, overrides, folder))
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        forget_job()
    return 0


def train_here(folder: Path, *overrides: str) -> Path:
    """Train inside this process, without figures, and return the run's folder, which is this one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("brainage.reporting.figure._saved", lambda canvas, kind, dpi: b"")
        assert (
            run_here(jobs.run_job, "train", folder, "trainer=cpu", f"store.root={folder.parent / 'store'}", *overrides)
            == 0
        )
    return folder


@contextmanager
def files_of_at_most(n_bytes: int) -> Iterator[None]:
    """Let no file of this process grow larger: writing fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def wait_until(condition: Callable[[], object], seconds: float = 120) -> None:
    """Check a condition again and again until it holds; fail if it does not hold after some seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"the condition did not hold within {seconds} s"
        time.sleep(0.005)


@pytest.fixture
def composed(tmp_path: Path) -> Iterator[Callable[..., DictConfig]]:
    """Compose ``train.yaml`` with overrides, as a job that would write into ``tmp_path/run0``, then ``run1``, ..."""
    numbers = itertools.count()
    yield lambda *overrides: compose_job("train", overrides, tmp_path / f"run{next(numbers)}")
    forget_job()


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make reports without drawing their figures, which takes most of the time of a small command."""
    monkeypatch.setattr("brainage.reporting.figure._saved", lambda canvas, kind, dpi: b"")


@pytest.fixture(scope="module", autouse=True)
def own_redaction() -> Iterator[None]:
    """Let no module's participants be redacted in the messages of another one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("brainage.system.redaction._registered", set())
        yield


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


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
