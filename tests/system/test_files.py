"""Files and folders as they are written: tables without formulas, and who may read them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainage.data.connectivity import connectivity
from brainage.data.store.purge import purge_store
from brainage.errors import OutputError
from brainage.system import files
from brainage.system.files import cell_text, make_folder, open_file, refuse_links, use_mode, write_csv, write_text
from tests.data.store.scans import FakeScan, make


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "-"])
def test_text_that_a_spreadsheet_evaluates_gets_an_apostrophe(text: str) -> None:
    assert cell_text(text) == f"'{text}"


@pytest.mark.parametrize("value", ["-0.5", "+1e3", "-inf", "p-1", "", "a=b", -0.5, None])
def test_numbers_and_other_texts_are_unchanged(value: object) -> None:
    assert cell_text(value) == value


def test_a_written_table_has_no_formulas(tmp_path: Path) -> None:
    table = pd.DataFrame({"variable": ["=HYPERLINK(1)", "speed", None], "r": [-0.5, 0.25, None]})
    write_csv(tmp_path / "a.csv", table)
    assert (tmp_path / "a.csv").read_text().splitlines() == ["variable,r", "'=HYPERLINK(1),-0.5", "speed,0.25", ","]


def test_the_folders_that_wandb_makes_are_not_searched_for_links(tmp_path: Path) -> None:
    logs = tmp_path / "run" / "wandb" / "offline-run-1" / "logs"
    logs.mkdir(parents=True)
    (logs / "debug-core.log").symlink_to(tmp_path.parent / "cache")
    refuse_links(tmp_path / "run", tmp_path / "run" / "wandb")
    (tmp_path / "run" / "wandb" / "debug.log").symlink_to(tmp_path.parent / "profile")
    for place in (tmp_path / "run", tmp_path / "run" / "wandb"):
        with pytest.raises(OutputError, match=r"wandb/debug.log` must be in the run's folder"):
            refuse_links(place)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture(params=[0o000, 0o022, 0o077], ids="umask {:03o}".format)
def umask(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A user's umask, before a command has set a mode."""
    monkeypatch.setattr(files, "_state", {})
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.parametrize(("name", "file", "folder"), [("private", 0o600, 0o700), ("group", 0o640, 0o750)])
def test_outputs_have_their_mode_whatever_the_umask_and_folders_above_have_the_users(
    name: str, file: int, folder: int, umask: int, tmp_path: Path
) -> None:
    use_mode(name)
    run = tmp_path / "above" / "run"
    make_folder(run)
    write_text(run / "splits.csv", "")
    open_file(run / "train.log", "a").close()
    (run / "of_a_library").mkdir()
    (run / "of_a_library" / "file").touch()
    store = make(tmp_path / "above" / "store", {"a": FakeScan(1)})
    paths = [run / "splits.csv", run / "train.log", run / "of_a_library" / "file", *store.folder.iterdir()]
    assert [mode(path) for path in paths] == [file] * 6
    assert [mode(path) for path in (run, run / "of_a_library", store.folder)] == [folder] * 3
    assert [mode(path) for path in (run.parent, store.folder.parent)] == [0o777 & ~umask] * 2


@pytest.mark.parametrize("umask", [0o022], indirect=True)
def test_without_a_mode_the_users_umask_decides(umask: int, tmp_path: Path) -> None:
    make_folder(tmp_path / "bundle")
    write_text(tmp_path / "bundle" / "README.md", "")
    assert (mode(tmp_path / "bundle"), mode(tmp_path / "bundle" / "README.md")) == (0o755, 0o644)


@pytest.mark.parametrize("umask", [0o022], indirect=True)
def test_an_existing_store_keeps_its_mode(umask: int, tmp_path: Path) -> None:
    scans = {"a": FakeScan(1), "b": FakeScan(2)}
    folder = make(tmp_path, scans).folder
    use_mode("private")
    store = make(tmp_path, scans)
    connectivity(store, np.arange(2), [0, 1], "correlation")
    assert {path.name.partition("-")[0]: mode(path) for path in (folder, *folder.iterdir())} == {
        folder.name: 0o755,
        "index.txt": 0o644,
        "series.npy": 0o644,
        "moments.npy": 0o644,
        "connectivity": 0o644,
    }
    purge_store(folder, {"a"})
    (purged,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert purged != folder
    assert {mode(path) for path in purged.iterdir()} == {0o644} and mode(purged) == 0o755
