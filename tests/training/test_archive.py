"""Checkpoints that say more of their sizes than they have: refused before memory is allocated."""

from __future__ import annotations

import os
import pickle
import re
import tracemalloc
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from brainage.errors import CheckpointError
from brainage.training.weights import read_checkpoint

HUGE = 2**29


class Calls:
    """Is pickled as a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def saved(path: Path, **content: Any) -> Path:
    torch.save({"state_dict": nn.Linear(3, 2).state_dict(), "epoch": 1, **content}, path)
    return path


def rewritten(path: Path, change: Callable[[bytes], bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, part in parts.items():
            archive.writestr(name, change(part) if name.endswith("data.pkl") else part)


def more_numbers(path: Path) -> None:
    """Let the storage of six numbers have 2**29: torch itself would read beyond the file."""
    huge = b"J" + HUGE.to_bytes(4, "little")
    rewritten(saved(path), lambda data: re.sub(rb"(cpuq.)K\x06t", lambda found: found[1] + huge + b"t", data))


ATTACKS: dict[str, tuple[Callable[[Path], object], str]] = {
    "more numbers than bytes": (more_numbers, "another number of bytes"),
    "an expanded tensor": (
        lambda path: saved(path, state_dict={"weight": torch.zeros(1).expand(HUGE)}),
        "more numbers than the file",
    ),
    "an expanded tensor elsewhere": (
        lambda path: saved(path, other=[{"a": (torch.zeros(1).expand(HUGE),)}]),
        "more numbers than the file",
    ),
    "a tensor that is made": (lambda path: saved(path, other=Calls(torch.Tensor, HUGE)), "it calls torch.Tensor"),
    "a storage that is made": (
        lambda path: saved(path, other=Calls(torch.UntypedStorage, 2**31)),
        "it calls torch.storage.UntypedStorage",
    ),
    "bytes that are made": (lambda path: saved(path, other=Calls(bytearray, 2**31)), "it calls builtins.bytearray"),
    "a function": (lambda path: saved(path, other=Calls(os.getcwd)), "UnpicklingError"),
    "compressed records": (
        lambda path: rewritten(saved(path, other=torch.zeros(2**20)), bytes, zipfile.ZIP_DEFLATED),
        "compressed",
    ),
    "the older format": (
        lambda path: torch.save({"epoch": 1}, path, _use_new_zipfile_serialization=False),
        "BadZipFile",
    ),
    "another pickle": (lambda path: path.write_bytes(pickle.dumps(OrderedDict())), "BadZipFile"),
    "a sparse file": (lambda path: os.truncate(saved(path), 3 * 2**30), "BadZipFile"),
    "a pipe": (os.mkfifo, "no regular file"),
    "a link": (lambda path: path.symlink_to(saved(path.with_name("elsewhere"))), "is a link"),
    "another network": (lambda path: saved(path, state_dict=nn.Linear(3, 4).state_dict()), r"`weight` has the shape"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_checkpoint_that_asks_for_more_is_refused(name: str, tmp_path: Path) -> None:
    make, reason = ATTACKS[name]
    path = tmp_path / "last.ckpt"
    make(path)
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match=reason) as refused:
            read_checkpoint(path, nn.Linear(3, 2))
        assert tracemalloc.get_traced_memory()[1] < 50 * 2**20
    finally:
        tracemalloc.stop()
    assert "\n" not in str(refused.value) and str(path) in str(refused.value)


def test_a_checkpoint_far_larger_than_its_network_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "last.ckpt", other=torch.zeros(17 * 2**20))
    with pytest.raises(CheckpointError, match=r"at most [\d,]+ bytes, but it has 71,3"):
        read_checkpoint(path, nn.Linear(3, 2))


def test_what_lightning_writes_is_read_bit_for_bit(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    views = torch.arange(12.0).reshape(3, 4).T
    content = {
        "state_dict": {f"network.{key}": value for key, value in network.state_dict().items()},
        "optimizer_states": [
            {"state": {0: {"step": torch.tensor(1.0), "avg": views[1:]}}, "param_groups": [{"lr": 1}]}
        ],
        "parameter": nn.Parameter(torch.ones(2, dtype=torch.float64)),
        "kinds": [torch.float16, torch.Size([1, 2]), {1, 2}, b"bytes", 2 + 1j, OrderedDict(a=1)],
        "empty": torch.empty(0, 5),
    }
    found = read_checkpoint(saved(tmp_path / "last.ckpt", **content), network, "network.")
    assert list(found["state_dict"]) == list(network.state_dict())
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in found["state_dict"].items())
    assert torch.equal(found["optimizer_states"][0]["state"][0]["avg"], views[1:])
    assert torch.equal(found["parameter"], content["parameter"])
    assert found["kinds"] == content["kinds"] and found["empty"].shape == (0, 5)
