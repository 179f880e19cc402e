"""``trainer.precision=auto``: the rule, what is written, and training in bfloat16, which this processor may emulate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from brainage.config.hydra import parse
from brainage.config.saved import read_config
from brainage.models.variable1dcnn import Variable1DCNN
from brainage.runs.job import config_text
from brainage.runs.precision import precision_of, with_precision
from brainage.training.module import AgeRegressor
from tests.conftest import FAST

ZEN4, AMX, OLD = {"avx2", "avx512_bf16"}, {"amx_bf16"}, {"avx2", "avx512f"}
LARGE = ("model.kernel_size=6", "model.depth=1", "model.start_out=64", "model.stride=4", "model.double_conv=true")
SMALL = ("model.kernel_size=11", "model.depth=1", "model.start_out=8", "model.stride=2", "model.double_conv=false")


@pytest.mark.parametrize(
    ("words", "features", "has_gpu", "expected"),
    [
        (LARGE, ZEN4, False, "bf16-mixed"),
        (LARGE, AMX, False, "bf16-mixed"),
        (LARGE, OLD, False, "32-true"),
        (LARGE, (), False, "32-true"),
        (SMALL, ZEN4, False, "32-true"),
        (LARGE, ZEN4, True, "32-true"),
        ((*LARGE, "trainer.accelerator=cpu"), ZEN4, True, "bf16-mixed"),
        ((*LARGE, "trainer.accelerator=gpu"), ZEN4, False, "32-true"),
        (("model=ridge_connectivity",), ZEN4, False, "32-true"),
    ],
)
def test_the_rule_is_of_processor_and_network(
    words: tuple[str, ...], features: Any, has_gpu: bool, expected: str, composed: Callable[..., DictConfig]
) -> None:
    assert precision_of(parse(composed(*words)), features, has_gpu=has_gpu) == expected


def test_published_experiments_and_given_precisions_stay(composed: Callable[..., DictConfig], tmp_path: Path) -> None:
    for words, expected in (
        (("experiment=final_models/ica100",), None),
        (("trainer.precision=bf16-true",), "bf16-true"),
        (("trainer=cpu",), None),
    ):
        config = with_precision(composed(*words), tmp_path, None)
        assert OmegaConf.select(config, "trainer.precision") == expected


def test_jobs_share_the_precision_of_the_first_and_earlier_ones_keep_theirs(
    composed: Callable[..., DictConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of(job: str, *words: str, features: set[str]) -> Any:
        monkeypatch.setattr("brainage.runs.precision._processor_features", lambda: features)
        monkeypatch.setattr("brainage.runs.precision._has_gpu", lambda: False)
        return with_precision(composed(*words), tmp_path / job, tmp_path).trainer.precision

    assert of("0", *LARGE, features=ZEN4) == "bf16-mixed"
    assert of("1", *SMALL, features=ZEN4) == "bf16-mixed"
    assert of("2", *LARGE, features=OLD) == "bf16-mixed"
    for job, saved in (("3", "null"), ("4", "32-true")):
        (tmp_path / job).mkdir()
        (tmp_path / job / "config.yaml").write_text(config_text(composed(*LARGE, f"trainer.precision={saved}")))
        assert of(job, *LARGE, features=ZEN4) == (None if saved == "null" else saved)
    assert of("5", "model.depth=40", features=ZEN4) == "auto"  # infeasible, which the job says
    assert sorted(path.name for path in tmp_path.iterdir()) == [".precision", "3", "4"]


def test_the_last_layer_and_validation_are_in_float32() -> None:
    network = Variable1DCNN(in_channels=3, kernel_size=3, depth=1, start_out=4, stride=2, n_times=30)
    series, seen = torch.randn(5, 3, 30), []
    network.encoder[0].register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        assert network(series).dtype == torch.float32
        AgeRegressor(network, optimizer=torch.optim.SGD).validation_step((series, torch.zeros(5)), 0)
    assert seen == [torch.bfloat16, torch.float32]


@pytest.mark.more
def test_a_run_in_bfloat16_is_close_to_float32_and_says_so(
    run_job: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrawn: None
) -> None:
    monkeypatch.setattr("brainage.runs.precision._has_gpu", lambda: False)
    words = [word for word in FAST if not word.startswith("trainer=")]
    summaries = []
    for features in (OLD, ZEN4):
        monkeypatch.setattr("brainage.runs.precision._processor_features", lambda found=features: found)
        summaries.append(run_job(*words, *LARGE, "trainer.accelerator=auto"))
    written = [read_config(tmp_path / f"run{number}" / "config.yaml").trainer.precision for number in (0, 1)]
    assert written == ["32-true", "bf16-mixed"]
    first, second = (summary["metrics"]["val"]["mae"] for summary in summaries)
    assert first != second and second == pytest.approx(first, abs=0.3)
    assert all(weight.dtype == torch.float32 for weight in _weights(tmp_path / "run1"))


def _weights(run: Path) -> list[torch.Tensor]:
    state = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    return [value for value in state.values() if value.is_floating_point()]
