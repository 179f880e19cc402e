"""Reading saved configs: what is not a config of this version is one message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from brainage.config.saved import has_interpolation, read_config, training_summary
from brainage.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Restore it"),
        ("- 1", "it has no keys"),
        ("modality: [", "Restore it"),
        ("seed: 1", "Missing key split"),
    ],
    ids=["empty", "list", "not YAML", "no groups"],
)
def test_a_file_that_is_no_saved_config_is_one_message(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"`.*config.yaml` must be the config of a run of this version") as raised:
        read_config(tmp_path / "config.yaml")
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [({"a": [{"b": "${c}"}]}, True), ({"${a}": 1}, True), ({"a": ["$c", 3, None]}, False)],
)
def test_interpolations_are_found_in_keys_and_values(value: object, expected: bool) -> None:
    assert has_interpolation(value) is expected


def test_a_saved_config_fetches_nothing(composed: Callable[..., DictConfig], tmp_path: Path) -> None:
    config = composed("cohort=abide", "cohort.root=x", "cohort.download=true", "modality=cc200")
    assert config.cohort.download
    OmegaConf.save(config, tmp_path / "config.yaml", resolve=True)
    assert not read_config(tmp_path / "config.yaml").cohort.download


def test_how_a_network_was_trained_is_one_line() -> None:
    config = OmegaConf.create(
        {
            "recipe": {"name": "none"},
            "optimizer": {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.5},
            "scheduler": None,
            "batch_size": 4,
            "model": {"output_bias": "mean_age"},
        }
    )
    line = training_summary(OmegaConf.to_container(config))  # type: ignore[arg-type]
    assert line == "recipe none, SGD (lr=0.5), no scheduler, batches of 4, last bias from mean age"
