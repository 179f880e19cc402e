"""Settings of jobs of SLURM."""

from __future__ import annotations

from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from brainage.config.groups.launcher import SlurmConfig
from brainage.errors import ConfigError
from brainage.system.files import CONFIGS


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"timeout_min": 0}, r"`hydra\.launcher\.timeout_min` must be 1 or more, but got 0"),
        ({"max_num_timeout": -1}, r"`hydra\.launcher\.max_num_timeout` must be 0 or more, but got -1"),
        ({"mem_gb": 0}, r"`hydra\.launcher\.mem_gb` must be a number above 0, but got 0"),
        ({"cpus_per_task": None}, r"`hydra\.launcher\.cpus_per_task` must be 1 or more, but got None"),
        ({"timeout_min": 2, "signal_delay_s": 120}, r"signal_delay_s` must be at most 119 with this time limit, but"),
    ],
)
def test_a_setting_that_breaks_a_rule_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SlurmConfig(**given)


def test_the_schema_and_the_file_have_the_same_keys_and_defaults() -> None:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        composed = compose("train", ["hydra/launcher=submitit_slurm"], return_hydra_config=True).hydra.launcher
    assert {key: value for key, value in composed.items() if not key.startswith("_")} == vars(SlurmConfig())
