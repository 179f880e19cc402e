"""Only feasible points are drawn, with their probabilities in the whole space."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.stats import chisquare, ks_2samp

from brainage.errors import SweepError
from brainage.models import geometry
from brainage.sweep.feasible import FeasibleSpace
from brainage.sweep.space import Space, parse_space
from tests.conftest import ROOT


def published(**others: str) -> Space:
    preset = yaml.safe_load(Path(ROOT / "configs" / "sweep" / "variable1dcnn.yaml").read_text())
    return parse_space({**preset["hydra"]["sweeper"]["params"], **others}, [])


def checked(**others: Any) -> Any:
    def check(point: Mapping[str, Any]) -> None:
        given = {key.removeprefix("model."): value for key, value in point.items() if key.startswith("model.")}
        geometry.check_arguments({"name": "variable1dcnn", "in_channels": 21, **others, **given})

    return check


def is_feasible(point: Mapping[str, Any], **others: Any) -> bool:
    """Return whether a network can be built, from its lengths and sizes layer by layer."""
    length, channels, parameters = others.get("n_times", 490), 21, 0
    kernel, dilation = point["model.kernel_size"], others.get("dilation", 1)
    out = point["model.start_out"]
    for _ in range(point["model.depth"]):
        for _ in range(2 if point["model.double_conv"] else 1):
            length -= dilation * (kernel - 1)
            parameters += channels * out * kernel + out + (2 * out if point["model.batch_norm"] else 0)
            channels, out = out, 2 * out
            if length < 1:
                return False
        if length < kernel:
            return False
        length = (length - kernel) // point["model.stride"] + 1
    return bool(parameters <= others.get("max_parameters", 5_000_000))


@pytest.mark.parametrize(
    "others",
    [{}, {"n_times": 100}, {"dilation": 3}, {"max_parameters": 20_000}, {"n_times": 30, "dilation": 2}],
    ids=str,
)
def test_only_feasible_points_are_drawn(others: dict[str, int]) -> None:
    feasible = FeasibleSpace(published(), checked(**others))
    rng = np.random.default_rng(5)
    assert all(is_feasible(feasible.draw(rng), **others) for _ in range(300))


@pytest.mark.more
def test_draws_are_distributed_as_the_published_space_restricted_to_feasible_points() -> None:
    """Against rejection sampling by another generator and another rule, value by value."""
    feasible, rng = FeasibleSpace(published(), checked()), np.random.default_rng(1)
    drawn = [feasible.draw(rng) for _ in range(2000)]
    other, expected = np.random.default_rng(2), []
    while len(expected) < 4000:
        point = {
            "model.kernel_size": int(other.integers(2, 16)),
            "model.depth": int(other.integers(1, 11)),
            "model.start_out": int(other.choice([8, 16, 32, 64, 128])),
            "model.stride": int(other.integers(2, 6)),
            "model.double_conv": bool(other.integers(2)),
            "model.batch_norm": bool(other.integers(2)),
            "model.conv_dropout": float(other.choice([0.0, 0.1, 0.2, 0.3, 0.4])),
            "model.final_dropout": float(other.choice([0.0, 0.4, 0.5, 0.6, 0.7])),
            "optimizer.lr": float(10 ** other.uniform(-6, -2)),
            "optimizer.weight_decay": float(other.choice([0.0, 1e-4, 1e-3, 1e-2, 1e-1])),
        }
        if is_feasible(point):
            expected.append(point)
    for key in expected[0]:
        if key == "optimizer.lr":
            assert ks_2samp([p[key] for p in drawn], [p[key] for p in expected]).pvalue > 1e-3
            continue
        counts, known = Counter(p[key] for p in drawn), Counter(p[key] for p in expected)
        assert set(counts) <= set(known)
        usual = [value for value in known if known[value] >= 20]
        observed = np.array([counts[value] for value in usual], dtype=float)
        theirs = np.array([known[value] for value in usual], dtype=float)
        # The expected counts are drawn too, twice as many: their own chance adds half of the variance.
        assert chisquare(observed, theirs * observed.sum() / theirs.sum()).statistic / 1.5 < 5 * len(usual) + 10, key


def test_a_space_with_few_feasible_points_is_enumerated_and_drawn_evenly() -> None:
    """Of 14 kernels, 10 depths, 4 strides and more, only the smallest networks have so few parameters."""
    feasible = FeasibleSpace(published(), checked(max_parameters=400), geometry.depends_on)
    rng = np.random.default_rng(0)
    drawn = [feasible.draw(rng) for _ in range(600)]
    assert all(is_feasible(point, max_parameters=400) for point in drawn)
    # One layer, 8 channels, kernel 2: 21 * 2 * 8 + 8 = 344 parameters, 360 with batch normalisation.
    assert {(p["model.kernel_size"], p["model.depth"], p["model.start_out"]) for p in drawn} == {(2, 1, 8)}
    assert {p["model.stride"] for p in drawn} == {2, 3, 4, 5}
    assert 240 < sum(p["model.batch_norm"] for p in drawn) < 360
    assert len({p["optimizer.lr"] for p in drawn}) == 600


def test_a_space_in_which_nothing_is_feasible_is_refused_with_a_reason() -> None:
    space = published(**{"model.kernel_size": "range(300,303)"})
    with pytest.raises(
        SweepError, match=r"no network can be built from any of .*`model.depth=1` is impossible with kernel"
    ):
        FeasibleSpace(space, checked(max_parameters=10**9), geometry.depends_on)


def test_log_integers_have_the_same_probabilities_when_enumerated_and_when_drawn() -> None:
    space = parse_space({"model.kernel_size": "tag(log,range(1,9))"}, [])

    feasible = FeasibleSpace(space, lambda point: None)
    points, weights = feasible._count()
    rng = np.random.default_rng(0)
    counts = Counter(feasible.draw(rng)["model.kernel_size"] for _ in range(20_000))
    for point, weight in zip(points, weights, strict=True):
        assert counts[point["model.kernel_size"]] / 20_000 == pytest.approx(weight, abs=0.02)


def test_multiplications_are_counted_as_by_hand() -> None:
    # 100 points, kernel 5: 96 out, 3 -> 4 channels; pooled over 5 with step 2: 46; 42 out, 4 -> 8 channels.
    model = {"name": "variable1dcnn", "in_channels": 3, "n_times": 100, "kernel_size": 5, "depth": 2, "start_out": 4}
    assert geometry.multiplications("variable1dcnn", {**model, "stride": 2}) == 96 * 3 * 4 * 5 + 42 * 4 * 8 * 5
