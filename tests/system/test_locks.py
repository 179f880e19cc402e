"""Locks, with and without ``flock``: who has one is named, and the wait for it ends."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import socket
from pathlib import Path

import pytest

from brainage.data.store import locking
from brainage.errors import BrainageError, OutputError, StoreError, SweepError
from brainage.runs.folder import RunFolder
from brainage.sweep import results
from brainage.system.locks import acquire


@pytest.fixture
def without_flock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system like Lustre mounted without locks."""

    def missing(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", missing)


def left_by(owner: str, path: Path) -> Path:
    """Leave the lock of a process that was killed, on another host."""
    path.write_text(owner)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    return path


def test_a_lock_is_released_at_the_end_of_its_block(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with acquire(path, "`run`", OutputError), pytest.raises(OutputError, match=r"^`run` must belong to one process"):
        acquire(path, "`run`", OutputError)
    with acquire(path, "`run`", OutputError):
        pass


@pytest.mark.usefixtures("without_flock")
def test_without_flock_a_lock_names_its_process_and_is_removed(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with acquire(path, "`run`", OutputError), pytest.raises(OutputError, match="one process at a time") as raised:
        acquire(path, "`run`", OutputError)
    assert f"process {os.getpid()} on {socket.gethostname()} (since 20" in str(raised.value)
    assert not path.exists()


@pytest.mark.usefixtures("without_flock")
@pytest.mark.parametrize(
    ("left", "owner"),
    [("4711\nnode7\n", "process 4711 on node7 (since 2001-09-"), ("", "another process (since 2001-09-")],
    ids=["named", "empty"],
)
def test_without_flock_the_lock_of_a_run_killed_elsewhere_is_explained(left: str, owner: str, tmp_path: Path) -> None:
    path = left_by(left, tmp_path / ".lock")
    with pytest.raises(OutputError, match="must belong to one process at a time") as raised:
        RunFolder(tmp_path)
    assert owner in str(raised.value)
    assert f"If it no longer runs, remove `{path}`" in str(raised.value)
    path.unlink()
    with RunFolder(tmp_path):
        pass


@pytest.mark.usefixtures("without_flock")
@pytest.mark.parametrize(("kind", "error"), [("store", StoreError), ("sweep", SweepError)])
def test_without_flock_the_lock_of_a_process_killed_elsewhere_is_not_waited_for_without_end(
    kind: str,
    error: type[BrainageError],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    module, name, lock = {
        "store": (locking, ".0123456789abcdef.lock", lambda: locking.locked(tmp_path / "0123456789abcdef")),
        "sweep": (results, ".lock", lambda: results.locked(tmp_path)),
    }[kind]
    monkeypatch.setattr(module, "_PATIENCE", 0.06)
    path = left_by("4711\nnode7\n", tmp_path / name)
    with caplog.at_level(logging.INFO), pytest.raises(error, match=r"process 4711 on node7") as raised, lock():
        pass
    assert "has waited 0.001 minutes" in str(raised.value)
    assert f"remove `{path}`" in str(raised.value)
    # Said before the wait, and not only after it.
    assert "belongs to process 4711 on node7 (since 2001-09-09" in caplog.text
    assert "waiting for it, 0.001 minutes at most" in caplog.text
