"""``brainage store list|verify``."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from brainage.data.store import layout as store_files
from brainage.data.store.layout import DamagedStoreError, load_store
from tests.conftest import Command
from tests.data.store.scans import (
    PEOPLE,
    FakeScan,
    flip_a_byte,
    flip_behind_its_time,
    make,
    truncate_the_index,
    without,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "outputs" / "store"


def test_list_shows_what_there_is(root: Path, store_command: Command) -> None:
    whole, damaged = make(root, PEOPLE), make(root, without(1))
    truncate_the_index(damaged)
    (root / ".0123456789abcdef.partial").mkdir()
    (root / "notes").mkdir()
    ended = store_command("list")
    assert ended.code == 0
    lines = {line.split()[0]: line.split() for line in ended.out.splitlines()[1:]}
    assert list(lines["fingerprint"]) == ["fingerprint", "participants", "excluded", "shape", "size", "made", "state"]
    assert lines[whole.fingerprint][1:8] == ["8", "2", "8", "x", "3", "x", "7"]
    assert lines[whole.fingerprint][9] == "kB"
    assert lines[whole.fingerprint][-1] == "whole"
    assert lines[damaged.fingerprint][-1] == "damaged"
    assert lines["0123456789abcdef"][-1] == "unfinished"
    assert "notes" not in lines


@pytest.mark.parametrize("verb", ["list", "verify"])
def test_no_store_is_no_mistake_but_a_folder_that_was_named_must_exist(verb: str, store_command: Command) -> None:
    assert store_command(verb).code == 0
    ended = store_command(verb, "--root", "elsewhere")
    assert ended.code == 2
    assert (
        ended.err == "error: `--root elsewhere` must be an existing folder. Name one, or leave it out: outputs/store.\n"
    )


def test_verify_reads_every_row_and_counts_the_bad_ones(root: Path, store_command: Command) -> None:
    whole, damaged, cut = make(root, PEOPLE), make(root, without(1)), make(root, without(2))
    assert store_command("verify").code == 0
    flip_behind_its_time(damaged, 0)
    flip_behind_its_time(damaged, 5)
    truncate_the_index(cut)
    ended = store_command("verify", "--root", str(root))
    assert ended.code == 1
    assert f"{whole.fingerprint}: whole\n" in ended.out
    assert f"{damaged.fingerprint}: damaged: 2 of 7 rows do not match their checksums\n" in ended.out
    assert f"{cut.fingerprint}: damaged: its index or its array is not what was written\n" in ended.out
    assert "2 of those in" in ended.err
    assert "the next run writes them again" in ended.err


def test_verify_notices_every_flipped_bit_of_a_row_and_of_the_header(root: Path) -> None:
    store = make(root, {"a": FakeScan(1)})
    path, status = store.folder / "series.npy", (store.folder / "series.npy").stat()
    original = path.read_bytes()
    rng = np.random.default_rng(0)
    positions = [*range(128), *rng.integers(128, len(original), 30)]
    for position in positions:
        data = bytearray(original)
        data[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(data)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        with pytest.raises(DamagedStoreError, match="is damaged"):
            store_files.verify(load_store(store.folder), [0])


@pytest.mark.parametrize("arguments", [(), ("purge",), ("remove",), ("list", "--ids", "x")])
def test_a_command_line_that_is_none_exits_with_2(arguments: tuple[str, ...], store_command: Command) -> None:
    assert store_command(*arguments).code == 2


@pytest.mark.parametrize("harm", [flip_a_byte, truncate_the_index])
def test_list_calls_a_store_damaged_that_the_next_run_would_make_again(
    harm: object, root: Path, store_command: Command
) -> None:
    harm(make(root, PEOPLE))  # type: ignore[operator]
    ended = store_command("list")
    assert ended.code == 0
    assert ended.out.split()[-1] == "damaged"
