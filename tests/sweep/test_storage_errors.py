"""A storage that is locked, damaged or gone: one message that fits the kind of storage."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.exceptions import StorageInternalError

from brainage.errors import SweepError
from brainage.sweep import storage
from brainage.sweep.command import _carried_out
from brainage.sweep.storage import StudyTerms, open_storage, open_study

SERVER = ("server", "user", "password")


def locked(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("BEGIN EXCLUSIVE")
    KEPT.append(connection)


def nonsense(path: Path) -> None:
    path.write_bytes(b"nonsense" * 1000)


def shortened(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:30_000])


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


KEPT: list[sqlite3.Connection] = []


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (locked, r"is locked by another program\. Close what has it open.*same command again"),
        (nonsense, r"is no SQLite database.*damaged\. Restore a copy.*hydra.sweeper.study_name=NAME"),
        (shortened, r"is damaged\. Restore a copy.*hydra.sweeper.study_name=NAME"),
        (folder, r"cannot be opened\. Check that it is a file"),
    ],
)
def test_a_file_is_never_called_a_server(
    spoil: Callable[[Path], None], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(storage._ENGINE_OPTIONS, "sqlite", {"connect_args": {"timeout": 0.01}})
    path = tmp_path / "study.db"
    open_storage(f"sqlite:///{path}").engine.dispose()
    spoil(path)
    with pytest.raises(SweepError, match=rf"`hydra.sweeper.storage=sqlite:///{path}` {message}") as raised:
        open_storage(f"sqlite:///{path}")
    assert not [word for word in SERVER if word in str(raised.value)]
    while KEPT:
        KEPT.pop().close()


def test_a_file_that_is_damaged_while_a_sweep_runs_is_the_same_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "study.db"
    opened = open_storage(f"sqlite:///{path}")
    opened.engine.dispose()
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 8192 + path.read_bytes()[12_288:])

    class Sweep:
        url = f"sqlite:///{path}"

        def run(self, command: list[str]) -> int:
            open_study(opened, "name", StudyTerms({}, ["minimize"], {}))
            return 0

    with pytest.raises(StorageInternalError):
        Sweep().run([])
    assert _carried_out(Sweep(), []) == 1  # type: ignore[arg-type]
    assert f"error: `hydra.sweeper.storage=sqlite:///{path}` is damaged. Restore" in capsys.readouterr().err
