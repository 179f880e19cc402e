"""What a config names by ``_target_`` is made, or refused with its key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.errors import InstantiationException

from brainage.config.allowed import check_targets
from brainage.config.instantiate import instance, made_logger
from brainage.errors import ConfigError

SOURCE = Path("run/config.yaml")


@pytest.mark.parametrize("value", [3, "adam", None, [1], {"lr": 0.1}])
def test_a_value_without_a_target_stays_as_it_is(value: Any) -> None:
    assert instance("optimizer", value) is value


def test_a_target_is_made_with_its_arguments() -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = instance("optimizer", {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.25})([parameter])
    assert isinstance(optimizer, torch.optim.SGD)
    assert optimizer.defaults["lr"] == 0.25


@pytest.mark.parametrize(
    ("value", "facts"),
    [
        ({"_target_": "torch.optim.Nothing"}, ["'torch.optim.Nothing'", "Nothing"]),
        ({"_target_": "fractions.Fraction", "speed": 3}, ["'fractions.Fraction'", "speed"]),
        ({"_target_": "no.such"}, ["'no.such'", "No module named 'no'"]),
    ],
)
def test_what_cannot_be_made_is_one_line_with_key_target_and_cause(value: dict[str, Any], facts: list[str]) -> None:
    with pytest.raises(ConfigError) as raised:
        instance("trainer.callbacks", value)
    message = str(raised.value)
    assert "\n" not in message
    assert all(fact in message for fact in ["`trainer.callbacks`", *facts])


@pytest.mark.parametrize(
    "target",
    ["torch.optim.AdamW", "torch.optim.lr_scheduler.StepLR", "pytorch_lightning.callbacks.LearningRateMonitor"],
)
def test_a_saved_config_may_name_classes_of_torch_and_lightning(target: str) -> None:
    config = {"trainer": {"callbacks": [{"_target_": target}]}}
    check_targets(config, SOURCE)
    with pytest.raises(ConfigError, match=re.escape(f"{target}s")):
        check_targets({"trainer": {"callbacks": [{"_target_": f"{target}s"}]}}, SOURCE)


@pytest.mark.parametrize(
    "target", ["os.system", "builtins.eval", "torch.load", "torch.optim.adam.Any", "torch.optim.Nothing"]
)
def test_a_saved_config_may_name_nothing_else(target: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check_targets({"a": [{"b": {"_target_": target}}]}, SOURCE)
    assert repr(target) in str(raised.value) and "run/config.yaml" in str(raised.value)


def test_a_saved_config_with_an_interpolation_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"run/config\.yaml.*refers to something else"):
        check_targets({"root": "${oc.env:HOME}"}, SOURCE)


def test_a_logger_may_not_upload_checkpoints() -> None:
    entry = {"_target_": "pytorch_lightning.loggers.WandbLogger", "log_model": "all"}
    with pytest.raises(ConfigError, match=r"`logger\.wandb\.log_model` must be false, but got 'all'"):
        made_logger("wandb", entry)


@pytest.mark.parametrize(
    ("name", "text", "package"),
    [
        ("tensorboard", "Neither `tensorboard` nor `tensorboardX` is available. Try either.", "TensorBoard"),
        ("mlflow", "Requirement 'mlflow>=1.0.0' not met. HINT: Try running `pip install -U 'mlflow>=1.0.0'`", "MLflow"),
    ],
)
def test_a_logger_without_its_package_is_one_message_that_names_the_extra(
    name: str, text: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **more: object) -> None:
        raise InstantiationException("Error in call to target") from ModuleNotFoundError(text)

    monkeypatch.setattr("brainage.config.instantiate.instantiate", fail)
    with pytest.raises(ConfigError, match=rf"`logger.{name}` needs {package}, .*brainage\[{name}\]"):
        instance(f"logger.{name}", {"_target_": "pytorch_lightning.loggers.Logger", "save_dir": "."})
