"""Compare finished runs on the test participants that they share."""

import sys

from brainage.commands.startup import answer_first

if __name__ == "__main__":
    answer_first(sys.argv, __doc__)

import hydra  # noqa: E402
from omegaconf import DictConfig  # noqa: E402

from brainage.commands import compare as compare_command  # noqa: E402
from brainage.config import commands as command_configs

command_configs.register()


@hydra.main(version_base="1.3", config_path="configs", config_name="compare")
def main(composed: DictConfig) -> None:
    """Compare."""
    compare_command.compare(composed)


if __name__ == "__main__":
    main()
