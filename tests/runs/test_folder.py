"""A run's folder: locked, written whole, never overwritten by another run."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd
import pytest

from brainage.errors import OutputError
from brainage.runs.folder import RunFolder, ensure_unused, read_summary


def test_a_folder_belongs_to_one_run_at_a_time(tmp_path: Path) -> None:
    with (
        RunFolder(tmp_path / "run"),
        pytest.raises(OutputError, match=r"/run` must belong to one process at a time"),
    ):
        RunFolder(tmp_path / "run")
    with RunFolder(tmp_path / "run"):
        pass  # the lock was released


def test_files_are_written_under_their_names_and_nothing_else_is_left(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run") as folder:
        folder.write_text("notes.txt", "one")
        folder.write_text("notes.txt", "two")
        folder.write_csv("table.csv", pd.DataFrame({"a": [1, 2]}))
    assert (tmp_path / "run" / "notes.txt").read_text() == "two"
    assert (tmp_path / "run" / "table.csv").read_text() == "a\n1\n2\n"
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert left - {".lock"} == {"notes.txt", "table.csv"}


def test_a_summary_is_standard_json_without_nan(tmp_path: Path) -> None:
    with RunFolder(tmp_path) as folder:
        folder.write_summary({"status": "failed", "metrics": {"val": {"mse": math.inf, "mae": 2.5}}})

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    summary = json.loads((tmp_path / "summary.json").read_text(), parse_constant=refuse)
    assert summary["metrics"] == {"val": {"mse": None, "mae": 2.5}}
    assert read_summary(tmp_path) == summary


@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", '{"status": 3}'])
def test_a_summary_that_is_none_is_read_as_none(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "summary.json").write_text(text)
    assert read_summary(tmp_path) is None


def test_an_earlier_summary_holds_until_a_resumed_run_begins(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text('{"status": "interrupted"}')
    with RunFolder(tmp_path) as folder:
        folder.resume()
        assert folder.keeps_summary
        folder.begin("seed: 1\n")
        assert not folder.keeps_summary
    assert (tmp_path / "config.yaml").read_text() == "seed: 1\n"
    assert not (tmp_path / "summary.json").exists()


@pytest.mark.parametrize("name", ["metrics.csv", "checkpoints/last.ckpt", "0/splits.csv"])
def test_a_folder_with_a_run_or_a_multiruns_jobs_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()
    with pytest.raises(OutputError) as raised:
        ensure_unused(tmp_path)
    assert f"hydra.run.dir={tmp_path}" in str(raised.value)
    assert f"`{name}`" in str(raised.value)


def test_a_folder_with_the_log_of_a_refused_command_is_unused(tmp_path: Path) -> None:
    (tmp_path / "train.log").touch()
    ensure_unused(tmp_path / "missing")
    ensure_unused(tmp_path)
    with RunFolder(tmp_path) as folder:
        folder.write_csv("metrics.csv", pd.DataFrame({"epoch": [0]}))
    with pytest.raises(OutputError, match=r"metrics\.csv"):
        ensure_unused(tmp_path)
