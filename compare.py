"""Compare finished runs on the test participants that they share."""

import hydra
from omegaconf import DictConfig

from brainage import command_configs, compare_command

command_configs.register()


@hydra.main(version_base="1.3", config_path="configs", config_name="compare")
def main(composed: DictConfig) -> None:
    """Compare."""
    compare_command.compare(composed)


if __name__ == "__main__":
    main()
