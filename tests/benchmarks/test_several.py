"""Networks that are trained together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks import several
from benchmarks.search_oracles import cost, space
from benchmarks.several import HEADER, SMALLEST, Trained, grouped, in_turn, largest, rows, stacked, train
from brainage.models import geometry
from brainage.models.variable1dcnn import Variable1DCNN
from brainage.sweep.feasible import FeasibleSpace
from tests.sweep.test_feasible import checked

POOLED = {
    "in_channels": 5,
    "kernel_size": 3,
    "depth": 2,
    "start_out": 4,
    "stride": 2,
    "double_conv": True,
    "batch_norm": True,
    "n_times": 60,
    "readout": "global_average",
}
FLAT = {**POOLED, "readout": "flatten", "double_conv": False, "batch_norm": False}


def predictions_after_steps(
    way: Callable[..., list[Trained]], arguments: dict[str, object], *, one_batch: bool
) -> tuple[Tensor, Tensor]:
    """Return the ages that three networks predict before and after three steps of training, of shape (3, 7)."""
    torch.manual_seed(1)
    networks = [Variable1DCNN(**arguments) for _ in range(3)]  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(2)
    series, ages = torch.randn(3, 7, 5, 60, generator=generator), 50 + torch.randn(3, 7, generator=generator)
    given = slice(0, 1) if one_batch else slice(None)
    if way is in_turn and one_batch:
        series, ages, given = series[:1].expand(3, -1, -1, -1), ages[:1].expand(3, -1), slice(None)
    trained = way(networks, one_batch=one_batch)

    def predicted() -> Tensor:
        parts = series[given].chunk(len(trained))
        with torch.no_grad():
            return torch.cat([one.forward(part) for one, part in zip(trained, parts, strict=True)])

    before = predicted()
    for _ in range(3):
        train(trained, series[given], ages[given])
    return before, predicted()


@pytest.mark.parametrize("one_batch", [False, True], ids=["own batches", "one batch"])
@pytest.mark.parametrize("arguments", [POOLED, FLAT], ids=["pooled", "flat"])
@pytest.mark.parametrize("way", [stacked, grouped])
def test_networks_trained_together_learn_what_each_learns_by_itself(
    way: Callable[..., list[Trained]], arguments: dict[str, object], one_batch: bool
) -> None:
    before, after = predictions_after_steps(way, arguments, one_batch=one_batch)
    alone_before, alone_after = predictions_after_steps(in_turn, arguments, one_batch=one_batch)
    assert before.shape == (3, 7)
    torch.testing.assert_close(before, alone_before, rtol=0, atol=1e-5)
    assert (alone_after - alone_before).abs().min() > 1e-4
    torch.testing.assert_close(after, alone_after, rtol=0, atol=2e-5)


def test_no_network_of_the_search_space_is_smaller_than_the_smallest() -> None:
    point = {f"model.{key}": value for key, value in SMALLEST.items() if key != "in_channels"}
    feasible = FeasibleSpace(space(), checked(n_times=490), geometry.depends_on)
    drawn = [cost(feasible.draw(np.random.default_rng([3, number]))) for number in range(200)]
    assert cost(point) <= min(drawn)
    larger = [{**point, f"model.{key}": value} for key, value in (("kernel_size", 3), ("start_out", 16))]
    assert all(cost(point) < cost(other) for other in larger)


def test_all_cases_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several, "_NETWORKS", {"smallest": SMALLEST})
    monkeypatch.setattr(several, "_BATCHES", (4,))
    monkeypatch.setattr(several, "_NUMBERS", (2, 3))
    monkeypatch.setattr(several, "features", lambda: "avx2, amx_bf16")
    threads = torch.get_num_threads()
    found = list(rows(torch.device("cpu")))
    assert torch.get_num_threads() == threads
    assert [(len(row), *row[:4]) for row in found] == [
        (len(HEADER), "smallest", "4", n, precision) for n in ("2", "3") for precision in ("float32", "bfloat16")
    ]
    assert all(float(value) > 0 for row in found for value in row[4:] if value != "-")
    assert [row.count("-") for row in found] == [0, 2, 0, 2]


def test_without_instructions_for_bfloat16_only_float32_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several, "_NETWORKS", {"smallest": SMALLEST})
    monkeypatch.setattr(several, "_BATCHES", (4,))
    monkeypatch.setattr(several, "_NUMBERS", (2,))
    monkeypatch.setattr(several, "features", lambda: "avx2")
    assert [row[3] for row in rows(torch.device("cpu"))] == ["float32"]


def test_the_largest_ratio_of_each_network_is_named() -> None:
    found = [
        ["a", "64", "2", "float32", "9.0", "0.90", "1.10", "0.95", "1.55"],
        ["a", "64", "2", "bfloat16", "8.0", "-", "1.16", "-", "1.80"],
        ["b", "64", "2", "float32", "99.0", "0.30", "0.52", "0.35", "0.60"],
    ]
    assert list(largest(found)) == [
        "- a: at most 1.16 times as fast with own batches, 1.80 with one batch.",
        "- b: at most 0.52 times as fast with own batches, 0.60 with one batch.",
    ]


def test_autocast_does_not_act_on_convolutions_in_vmap() -> None:
    series, weights = torch.ones(2, 3, 4, 9), torch.ones(2, 5, 4, 2)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.nn.functional.conv1d(series[0], weights[0]).dtype is torch.bfloat16
        assert torch.func.vmap(torch.nn.functional.conv1d)(series, weights).dtype is torch.float32
