"""Every network: found by its name, of the right shape, deterministic."""

from pathlib import Path

import pytest
import torch
import yaml

from brainage import models
from brainage.errors import ConfigError
from brainage.models.simple1dcnn import Simple1DCNN

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "model"


def test_every_network_has_a_config_and_every_config_a_network() -> None:
    configs = [yaml.safe_load(path.read_text()) for path in CONFIGS.glob("*.yaml")]
    assert models.names() == sorted(config["name"] for config in configs if "name" in config)  # others build on one


def test_an_unknown_network_gets_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="Did you mean `simple1dcnn`"):
        models.build("simpel1dcnn", {})


def test_an_argument_that_a_network_does_not_take_is_named() -> None:
    with pytest.raises(ConfigError, match="Simple1DCNN cannot be built.*colour"):
        models.build("simple1dcnn", {"in_channels": 3, "colour": "red"})


def test_simple1dcnn_is_as_published() -> None:
    network = Simple1DCNN(in_channels=25)
    # Flattened width 6,144 at 490 points, as published.
    assert {key: tuple(p.shape) for key, p in network.named_parameters()} == {
        "encoder.0.weight": (32, 25, 5),
        "encoder.0.bias": (32,),
        "encoder.3.weight": (64, 32, 5),
        "encoder.3.bias": (64,),
        "encoder.6.weight": (128, 64, 5),
        "encoder.6.bias": (128,),
        "encoder.9.weight": (256, 128, 5),
        "encoder.9.bias": (256,),
        "decoder.0.weight": (1, 6144),
        "decoder.0.bias": (1,),
    }
    assert network(torch.zeros(3, 25, 490)).shape == (3, 1)
