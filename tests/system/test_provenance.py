"""The commit of the code, read without writing to the clone."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from brainage.system import provenance


def git(folder: Path, *words: str) -> str:
    own = ("-c", "user.name=a", "-c", "user.email=a@b")
    return subprocess.run(["git", *own, *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def test_the_commit_of_a_clone_says_whether_files_differ_and_leaves_the_index_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    assert provenance.commit() is None
    git(tmp_path, "init", "-q")
    (tmp_path / "a.py").write_text("1")
    git(tmp_path, "add", "a.py")
    git(tmp_path, "commit", "-qm", "first")
    os.utime(tmp_path / "a.py", (1, 1))  # git would write the new time to its index
    (tmp_path / "untracked").touch()
    before = (tmp_path / ".git" / "index").read_bytes()
    assert provenance.commit() == git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "a.py").write_text("2")
    assert provenance.commit() == f"{git(tmp_path, 'rev-parse', 'HEAD')}-dirty"
    assert (tmp_path / ".git" / "index").read_bytes() == before
