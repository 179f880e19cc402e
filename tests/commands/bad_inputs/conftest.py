"""Run bad inputs through the entrypoint that a user calls, inside this process for speed."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import runpy
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from brainage.data.store.layout import list_stores, load_store, stream_rows
from tests.commands.bad_inputs.cases import BIDS, IDS, Case, edit, write_cohorts
from tests.conftest import ROOT, Ended

Run = Callable[..., Ended]
Answer = Callable[[Case], Ended]


@pytest.fixture(scope="session")
def cohorts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of valid cohorts."""
    folder = tmp_path_factory.mktemp("cohorts")
    write_cohorts(folder)
    return folder


@pytest.fixture(scope="session")
def interrupted(cohorts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with an interrupted run in `run`: two epochs of four."""
    folder = tmp_path_factory.mktemp("interrupted") / "all"
    shutil.copytree(cohorts, folder)
    with pytest.MonkeyPatch.context() as patch, running():
        patch.chdir(folder)
        patch.setattr(sys, "argv", [str(ROOT / "train.py"), *BIDS, "trainer.max_epochs=2", "hydra.run.dir=run"])
        with contextlib.suppress(SystemExit):  # of a run that ended well
            runpy.run_path(sys.argv[0], run_name="__main__")
    edit("run/config.yaml", "max_epochs: 2", "max_epochs: 4")(folder)
    for name in ("summary.json", "predictions.csv"):
        (folder / "run" / name).unlink()
    return folder


@contextmanager
def running() -> Iterator[None]:
    """Reset what Hydra keeps in a process, before and after."""
    handlers, level = list(logging.root.handlers), logging.root.level
    GlobalHydra.instance().clear()
    try:
        with warnings.catch_warnings():
            # What `python -m` finds in this process, where tests imported it.
            warnings.filterwarnings("ignore", message=".*found in sys.modules", category=RuntimeWarning)
            yield
    finally:
        GlobalHydra.instance().clear()
        HydraConfig.instance().cfg = None
        for handler in logging.root.handlers:
            if handler not in handlers:
                handler.close()
        logging.root.handlers, logging.root.level = handlers, level


def run_here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> Ended:
    """Do what ``python WORDS`` does, inside this process."""
    capsys.readouterr()
    code: Any = 0
    with running():
        try:
            if words[0] == "-m":
                monkeypatch.setattr(sys, "argv", list(words[1:]))
                runpy.run_module(words[1], run_name="__main__", alter_sys=True)
            else:
                monkeypatch.setattr(sys, "argv", [str(ROOT / words[0]), *words[1:]])
                runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as stop:
            code = stop.code
    said = capsys.readouterr()
    return Ended(code or 0, said.out, said.err)


def whole_words(case: Case) -> tuple[str, ...]:
    return case.words if case.words[0] == "-m" else ("train.py", *case.words)


def content(folder: Path) -> dict[str, bytes]:
    """Return every file but logs and locks, which a command may always write."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in (".log", ".lock") and path.name != ".lock"
    }


def check_message(case: Case, ended: Ended) -> None:
    """Check that there is one message, the expected one, without ids."""
    assert ended.code == case.code, ended.text
    assert re.search(case.message, ended.err), ended.text
    assert "Traceback" not in ended.text
    if case.code == 2:
        assert ended.err.count("error: ") == 1
        told = ended.err[ended.err.index("error: ") :]
        assert told.count("\n") == 1, ended.err
    if case.code == 2 and "usage: " not in ended.err:
        assert ended.err.startswith("error: ")
    for person in IDS:
        assert person not in ended.text


def check_files(ended: Ended, folder: Path, before: dict[str, bytes]) -> None:
    """Check that no unfinished file and no result was written, stores are whole, and former files are unchanged."""
    after = content(folder)
    new = {name: data for name, data in after.items() if before.get(name) != data}
    assert not [name for name in before if name not in after]
    assert {name for name in new if name in before} == set()
    assert not [path for path in folder.rglob("*") if "partial" in path.name or "writable" in path.name]
    assert not [name for name in new if name.endswith(("predictions.csv", "metrics.csv", ".ckpt", "marker"))]
    for name, data in new.items():
        may_name_people = name.endswith(("splits.csv", "exclusions.csv", "index.txt"))
        assert may_name_people or not [person for person in IDS if person.encode() in data], name
    # Whatever folder a run began in has its summary, with just what was said.
    for name in new:
        if name.endswith("config.yaml") and ".hydra" not in name or name.endswith("splits.csv"):
            assert (folder / name).with_name("summary.json").is_file()
    for name in (name for name in new if name.endswith("summary.json")):
        summary = json.loads(new[name])
        assert summary["status"] in ("failed", "impossible")
        assert ended.err == f"error: {summary['reason']}\n"
    for store in (path for root in folder.rglob("store") if root.is_dir() for path in list_stores(root)):
        assert all(intact for _, _, intact in stream_rows(load_store(store)))


@pytest.fixture
def run_in(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``python WORDS`` inside this process, in a folder of this test or in a copy of another one."""

    def run(folder: Path, *words: str) -> Ended:
        if not folder.is_relative_to(tmp_path):
            folder = shutil.copytree(folder, tmp_path / "all")
        monkeypatch.chdir(folder)
        return run_here(capsys, monkeypatch, *words)

    return run


def answers(original: Path, run_in: Run, folder: Path) -> Answer:
    """Run a case in a copy of a folder; check that it gives one message and that files are as before."""

    def answer(case: Case) -> Ended:
        shutil.copytree(original, folder)
        if case.prepare is not None:
            case.prepare(folder)
        before = content(folder)
        ended = run_in(folder, *whole_words(case))
        check_message(case, ended)
        check_files(ended, folder, before)
        return ended

    return answer


@pytest.fixture
def answer(cohorts: Path, run_in: Run, tmp_path: Path) -> Answer:
    return answers(cohorts, run_in, tmp_path / "all")


@pytest.fixture
def answer_resumed(interrupted: Path, run_in: Run, tmp_path: Path) -> Answer:
    return answers(interrupted, run_in, tmp_path / "all")
