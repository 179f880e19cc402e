"""Participants who withdrew are removed from stores and from the tables of runs."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from omegaconf import DictConfig

from brainage.commands.explain import explain
from brainage.commands.predict import predict
from brainage.data.cohorts.withdrawn import withdrawn_of
from brainage.data.store import layout as store_files
from brainage.data.store.layout import load_store
from brainage.data.store.locking import locked
from brainage.runs import purge_tables
from brainage.runs.folder import lock_folder
from brainage.runs.job import run_job
from tests.conftest import FAST, Command, run_here
from tests.data.store.scans import (
    N_TIMES,
    PEOPLE,
    CountedScan,
    FakeScan,
    flip_behind_its_time,
    make,
    truncate_the_index,
    without,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "outputs" / "store"


def withdraw(folder: Path, *numbers: int) -> str:
    (folder / "withdrawn.csv").write_text("eid\n" + "".join(f"sub-secret-p{i}\n" for i in numbers))
    return "withdrawn.csv"


def test_purge_writes_the_store_that_a_run_without_these_participants_would_write(
    root: Path, tmp_path: Path, store_command: Command
) -> None:
    before = make(root, PEOPLE)
    other_times, unconcerned = make(root, PEOPLE, n_times=5), make(root, without(3, 4, 5))
    ended = store_command("purge", "--ids", withdraw(tmp_path, 3, 4, 99))
    assert ended.code == 0, ended.text
    assert "Participants: 2 of the 3 in `withdrawn.csv` found." in ended.out
    assert "2 purged of 2 rows and 2 exclusions." in ended.out
    assert ended.err == ""
    # No store has an old name, and each is bit for bit a store that is written without these participants.
    fresh = {n_times: make(tmp_path / "fresh", without(3, 4), n_times) for n_times in (N_TIMES, 5)}
    purged = {path.name for path in root.iterdir() if path.is_dir()}
    assert purged == {fresh[N_TIMES].fingerprint, fresh[5].fingerprint, unconcerned.fingerprint}
    assert not {before.fingerprint, other_times.fingerprint} & purged
    for store in fresh.values():
        there = load_store(root / store.fingerprint)
        store_files.verify(there, range(7))
        assert (there.folder / "series.npy").read_bytes() == (store.folder / "series.npy").read_bytes()
        indices = [store_files.read_index(folder) for folder in (there.folder, store.folder)]
        assert [index.pop("written")[0] for index in indices] == [(store.folder / "series.npy").stat().st_size] * 2
        assert indices[0] == indices[1]
    assert not any(b"secret-p4" in path.read_bytes() for path in root.rglob("*") if path.is_file())


def test_after_a_purge_a_run_without_these_participants_reads_nothing_and_one_with_them_reads_all(
    root: Path, tmp_path: Path, store_command: Command
) -> None:
    log = tmp_path / "log"
    scans = {f"secret-p{i}": CountedScan(i, log=str(log)) for i in range(5)}
    make(root, scans)
    store_command("purge", "--ids", withdraw(tmp_path, 2))
    log.unlink()
    kept = {person: scan for person, scan in scans.items() if person != "secret-p2"}
    assert make(root, kept).participant_ids == tuple(kept)
    assert not log.exists()
    assert make(root, scans).participant_ids == tuple(scans)
    assert log.read_text() == "read\n" * 5


def test_a_second_purge_finds_no_participant_and_says_so(root: Path, tmp_path: Path, store_command: Command) -> None:
    make(root, PEOPLE)
    ids = withdraw(tmp_path, 1)
    assert store_command("purge", "--ids", ids).code == 0
    files = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    again = store_command("purge", "--ids", ids)
    assert (again.code, again.err) == (0, "")
    assert "An earlier purge had marked 1 of them as withdrawn." in again.out
    assert {path: path.read_bytes() for path in files} == files


def test_a_purge_that_was_killed_before_the_old_store_went_is_completed(
    root: Path, tmp_path: Path, store_command: Command
) -> None:
    old, new = make(root, PEOPLE), make(root, without(1))
    inode = (new.folder / "series.npy").stat().st_ino
    assert store_command("purge", "--ids", withdraw(tmp_path, 1)).code == 0
    assert not old.folder.exists()
    assert (new.folder / "series.npy").stat().st_ino == inode


def test_a_store_of_withdrawn_participants_only_is_deleted(root: Path, tmp_path: Path, store_command: Command) -> None:
    make(root, {"secret-p1": FakeScan(1), "secret-p3": FakeScan(-1)})
    ended = store_command("purge", "--ids", withdraw(tmp_path, 1, 3))
    assert "1 purged of 1 rows and 1 exclusions." in ended.out
    assert [path for path in root.iterdir() if path.is_dir()] == []


def test_a_store_may_have_excluded_participants_only(root: Path, tmp_path: Path, store_command: Command) -> None:
    make(root, without(3))
    store_command("purge", "--ids", withdraw(tmp_path, 0, 1, 2, 4, 5, 6, 8, 9))
    rest = make(root, {"secret-p7": FakeScan(-7)})
    assert rest.participant_ids == ()
    assert list(rest.excluded) == ["secret-p7"]


@pytest.mark.parametrize("row", [None, 2])
def test_a_damaged_store_is_purged_by_deleting_it(
    row: int | None, root: Path, tmp_path: Path, store_command: Command
) -> None:
    store = make(root, PEOPLE)
    if row is None:
        truncate_the_index(store)
    else:
        flip_behind_its_time(store, row)
    ended = store_command("purge", "--ids", withdraw(tmp_path, 1))
    assert ended.code == 0
    assert "Deleted there: 1 damaged and 0 unfinished stores" in ended.out
    assert [path for path in root.iterdir() if path.is_dir()] == []


def test_damage_in_the_row_of_a_withdrawn_participant_is_removed_with_it(
    root: Path, tmp_path: Path, store_command: Command
) -> None:
    store = make(root, PEOPLE)
    flip_behind_its_time(store, 1)
    assert "1 purged of 1 rows" in store_command("purge", "--ids", withdraw(tmp_path, 1)).out


def test_unfinished_leftovers_are_deleted_unless_another_process_writes_there(
    root: Path, tmp_path: Path, store_command: Command
) -> None:
    for name in ("0123456789abcdef", "fedcba9876543210"):
        (root / f".{name}.partial").mkdir(parents=True)
        (root / f".{name}.partial" / "series.npy").write_bytes(b"half")
    ids = withdraw(tmp_path, 1)
    with locked(root / "fedcba9876543210"):
        ended = store_command("purge", "--ids", ids)
    assert ended.code == 1
    assert "0 damaged and 1 unfinished stores" in ended.out
    assert "fedcba9876543210, which may have participants who withdrew, must belong to one process" in ended.err
    assert [path.name for path in root.glob(".*.partial")] == [".fedcba9876543210.partial"]
    assert store_command("purge", "--ids", ids).code == 0
    assert list(root.glob(".*.partial")) == []


TABLES = {
    "splits.csv": "participant_id,split\nsecret-p1,train\nsecret-p2,val\n",
    "predictions.csv": "participant_id,split,age,predicted_age,bag\r\nsecret-p2,val,5e1,50.10,0.1\r\nsecret-p1,,1,2,1",
    "exclusions.csv": 'reason,participant_id\n"a ""b"",\nc",secret-p1\n"d\n,e",secret-p22\n\n',
    "pooled_predictions.csv": '\ufeffparticipant_id,age\nsub-secret-p1,1\n"secret-p1",2\nsecret-p11,3\n',
}


PURGED = {
    "splits.csv": "participant_id,split\nsecret-p2,val\n",
    "predictions.csv": "participant_id,split,age,predicted_age,bag\r\nsecret-p2,val,5e1,50.10,0.1\r\n",
    "exclusions.csv": 'reason,participant_id\n"d\n,e",secret-p22\n\n',
    "pooled_predictions.csv": "\ufeffparticipant_id,age\nsecret-p11,3\n",
}


def test_tables_of_runs_lose_the_rows_and_nothing_else(tmp_path: Path, store_command: Command) -> None:
    run = tmp_path / "outputs" / "train" / "2026-01-01" / "10-00-00-abcdef"
    elsewhere = tmp_path / "scratch" / "0"
    run.mkdir(parents=True)
    elsewhere.mkdir(parents=True)
    (tmp_path / "outputs" / "multirun").symlink_to(tmp_path / "scratch")
    (tmp_path / "outputs" / "again").symlink_to(run)
    for name, text in TABLES.items():
        for folder in (run, elsewhere):
            (folder / name).write_bytes(text.encode())
    (run / "predictions.csv").chmod(0o640)
    (run / "notes.csv").write_text(TABLES["splits.csv"])
    ended = store_command("purge", "--ids", withdraw(tmp_path, 1))
    assert ended.code == 0, ended.text
    assert "Participants: 1 of the 1" in ended.out
    assert "4 files purged of 5 rows." in ended.out
    assert {name: (run / name).read_bytes().decode() for name in TABLES} == PURGED
    # A link out of the folder is named, and what is there stays as it is.
    assert {name: (elsewhere / name).read_bytes().decode() for name in TABLES} == TABLES
    assert ended.err.count("leads elsewhere and is not followed") == 1
    assert "outputs/multirun" in ended.err
    assert (run / "predictions.csv").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in run.iterdir()) == sorted([*TABLES, "notes.csv"])


def test_a_table_without_these_participants_is_not_touched(tmp_path: Path, store_command: Command) -> None:
    table = tmp_path / "outputs" / "splits.csv"
    table.parent.mkdir()
    table.write_text(TABLES["splits.csv"])
    before = table.stat()
    store_command("purge", "--ids", withdraw(tmp_path, 5))
    assert (table.stat().st_mtime_ns, table.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


@pytest.mark.parametrize("text", ["eid;split\nsecret-p1;train\n", 'participant_id\n"secret-p1\n', "\nsecret-p1\n"])
def test_a_table_that_cannot_be_parsed_is_named_and_the_rest_is_purged(
    text: str, tmp_path: Path, store_command: Command
) -> None:
    outputs = tmp_path / "outputs"
    (outputs / "a").mkdir(parents=True)
    (outputs / "a" / "splits.csv").write_text(text)
    (outputs / "splits.csv").write_text(TABLES["splits.csv"])
    ended = store_command("purge", "--ids", withdraw(tmp_path, 1))
    assert ended.code == 1
    assert (
        f"`{outputs / 'a' / 'splits.csv'}` must be a comma separated table with a column `participant_id`" in ended.err
    )
    assert "1 stores or tables could not be purged" in ended.err
    assert (outputs / "a" / "splits.csv").read_text() == text
    assert (outputs / "splits.csv").read_text() == PURGED["splits.csv"]


@pytest.mark.parametrize("name", [".splits.csv.partial", ".splits.csv.0123abcd.partial"])
def test_an_unfinished_table_is_deleted_once_no_process_can_be_writing_it(
    name: str, root: Path, tmp_path: Path, store_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge_tables, "ABANDONED_AFTER", 0.3)
    make(root, PEOPLE)
    folders = {folder: tmp_path / "outputs" / folder for folder in ("old", "new", "ahead", "killed", "running")}
    for folder in folders.values():
        folder.mkdir()
        (folder / name).write_text("participant_id,split\nsecret-p1,tr")
    os.utime(folders["old"] / name, (0, 0))
    os.utime(folders["ahead"] / name, (2**32, 2**32))  # by the clock of another machine
    (folders["killed"] / ".lock").touch()
    with lock_folder(folders["running"], ""):
        ended = store_command("purge", "--ids", withdraw(tmp_path, 1))
    assert {key for key, folder in folders.items() if (folder / name).exists()} == {"running"}
    assert ended.code == 1
    assert "1 stores or tables could not be purged" in ended.err
    assert "1 purged of 1 rows" in ended.out
    assert "4 files purged of 4 rows" in ended.out


@pytest.mark.parametrize("text", ["participant_id,split\nsecret-p1,train\n", 'participant_id,split\n"secret-p1'])
def test_participants_who_are_in_an_unfinished_table_only_are_marked(
    text: str, tmp_path: Path, store_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge_tables, "ABANDONED_AFTER", 0.0)
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / ".predictions.csv.0123.partial").write_text(text)
    assert store_command("purge", "--ids", withdraw(tmp_path, 1)).code == 0
    assert withdrawn_of(["outputs/store"], ["secret-p1", "secret-p2"]) == {"secret-p1"}
    assert list((tmp_path / "outputs").glob(".*.partial")) == []


def test_a_table_that_is_completed_meanwhile_is_purged(
    tmp_path: Path, store_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    unfinished = tmp_path / "outputs" / ".splits.csv.0123.partial"
    unfinished.parent.mkdir()
    unfinished.write_text(TABLES["splits.csv"])
    monkeypatch.setattr(purge_tables.time, "sleep", lambda seconds: unfinished.rename(tmp_path / "outputs/splits.csv"))
    assert store_command("purge", "--ids", withdraw(tmp_path, 1)).code == 0
    assert (tmp_path / "outputs" / "splits.csv").read_text() == PURGED["splits.csv"]


def test_stores_behind_links_are_named_and_stay(root: Path, tmp_path: Path, store_command: Command) -> None:
    store = make(tmp_path / "elsewhere", PEOPLE)
    make(root, without(5))
    (root / store.fingerprint).symlink_to(store.folder)
    (root / ".0123456789abcdef.partial").symlink_to(tmp_path / "elsewhere")
    before = {path: path.read_bytes() for path in store.folder.iterdir()}
    ended = store_command("purge", "--ids", withdraw(tmp_path, 1))
    assert ended.code == 0, ended.text
    assert ended.err.count("leads elsewhere and is not followed") == 2
    assert "1 purged of 1 rows" in ended.out
    assert {path: path.read_bytes() for path in store.folder.iterdir()} == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "The list of ids `list` cannot be read: No such file or directory"),
        (b"eid,age\nsecret-p1,50\n", "Line 1 of `list` is not one id"),
        (b"secret-p1\nsecret-p2 secret-p3\n", "Line 2 of `list` is not one id"),
        (b"\x89PNG\xff\xfe", "The list of ids `list` is not UTF-8 text"),
    ],
)
def test_a_list_that_is_none_is_refused_before_anything_is_removed(
    content: bytes | None, message: str, root: Path, tmp_path: Path, store_command: Command
) -> None:
    store = make(root, PEOPLE)
    if content is not None:
        (tmp_path / "list").write_bytes(content)
    ended = store_command("purge", "--ids", "list")
    assert ended.code == 2
    assert message in ended.err
    assert store.folder.exists()


def test_an_empty_list_removes_no_participant(root: Path, tmp_path: Path, store_command: Command) -> None:
    make(root, PEOPLE)
    ended = store_command("purge", "--ids", withdraw(tmp_path))
    assert (ended.code, ended.err) == (0, "")


def test_a_list_that_matches_nobody_is_an_error_unless_it_is_expected(tmp_path: Path, store_command: Command) -> None:
    ids = withdraw(tmp_path, 1)
    ended = store_command("purge", "--ids", ids)
    assert ended.code == 2
    assert "none of its 1 ids" in ended.err
    assert "Note that `outputs/store` does not exist and `outputs` does not exist." in ended.err
    assert not (tmp_path / "outputs").exists()
    assert store_command("purge", "--ids", ids, "--allow-unmatched").code == 0
    assert withdrawn_of(["outputs/store"], ["secret-p1", "secret-p2"]) == {"secret-p1"}


def test_fingerprints_lose_the_lines_that_the_split_loses(tmp_path: Path) -> None:
    splits, fingerprints = tmp_path / "splits.csv", tmp_path / "fingerprints.csv"
    splits.write_text("participant_id,split\n7,train\n8,val\n9,test\n")
    fingerprints.write_text("age,series\naa,bb\ncc,dd\nee,ff\n")
    assert purge_tables.purge_table(splits, {"8"}) == ["8"]
    assert splits.read_text() == "participant_id,split\n7,train\n9,test\n"
    assert fingerprints.read_text() == "age,series\naa,bb\nee,ff\n"
    # A process that was killed between the two is completed.
    splits.write_text("participant_id,split\n7,train\n8,val\n9,test\n")
    purge_tables.purge_table(splits, {"8"})
    assert fingerprints.read_text() == "age,series\naa,bb\nee,ff\n"


@pytest.mark.more
def test_tables_by_row_follow_the_rows_of_predictions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predictions, halves = tmp_path / "predictions.csv", tmp_path / "halves.csv"
    ids, before = (
        "participant_id,split\n7,train\n8,test\n9,test\n",
        "row,scan\n2,half-1\n2,half-2\n3,half-1\n3,half-2\n",
    )
    predictions.write_text(ids)
    halves.write_text(before)
    halves.chmod(0o600)

    def killed(path: Path, *_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(purge_tables, "write_whole", killed)
        purge_tables.purge_table(predictions, {"7"})
    assert (predictions.read_text(), halves.read_text()) == (ids, before)
    assert purge_tables.purge_table(predictions, {"7"}) == ["7"] and purge_tables.purge_table(halves, {"7"}) == []
    assert halves.read_text() == "row,scan\n1,half-1\n1,half-2\n2,half-1\n2,half-2\n"
    purge_tables.purge_table(predictions, {"8"})
    assert halves.read_text() == "row,scan\n1,half-1\n1,half-2\n" and halves.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["halves.csv", "predictions.csv"]
    # Killed between the two, the table has a name of the unfinished ones, which a purge deletes.
    left = tmp_path / ".halves.csv.purged.partial"
    halves.rename(left)
    assert purge_tables.run_tables(tmp_path).unfinished == [left]


@pytest.mark.usefixtures("undrawn")
def test_no_command_uses_purged_participants_again(
    tmp_path: Path, store_command: Command, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "brainage")
    small = (*FAST, "model.depth=1", "model.start_out=2", "report.n_resamples=100")

    def said_by(work: Callable[[DictConfig], object], verb: str, folder: str, *words: str) -> str:
        caplog.clear()
        assert run_here(work, verb, tmp_path / "outputs" / folder, *words) == 0
        return caplog.text

    said_by(run_job, "train", "first", *small)
    (tmp_path / "withdrawn").write_text("sim000003\nsim000011\n")
    ended = store_command("purge", "--ids", "withdrawn")
    assert (ended.code, ended.err) == (0, "")
    resumed = said_by(run_job, "train", "first", "resume=outputs/first", "trainer.max_epochs=2")
    assert "Participants withdrew since this run began: it is continued with the other 38" in resumed
    cohort, steps = ("cohort=simulated", "cohort.n_participants=40"), ("n_windows=1", "n_steps=2", *small[-1:])
    for again in (
        said_by(run_job, "train", "second", *small),
        said_by(predict, "predict", "p", "run=outputs/first", *cohort, *small[-1:]),
        said_by(explain, "explain", "e", "run=outputs/first", "rows=all", "participants=2", *steps),
    ):
        assert "2 participants of the table withdrew" in again
    assert len(pd.read_csv(tmp_path / "outputs" / "p" / "predictions.csv")) == 38
    for path in (tmp_path / "outputs").rglob("*"):
        assert not path.is_file() or b"sim000003" not in path.read_bytes(), path
