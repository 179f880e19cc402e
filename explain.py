"""Explain a trained network: which components and times its predictions rest on."""

import sys

from brainage.commands.startup import answer_first

if __name__ == "__main__":
    answer_first(sys.argv, __doc__)

import hydra  # noqa: E402
from omegaconf import DictConfig  # noqa: E402

from brainage.commands import explain as explain_command  # noqa: E402
from brainage.config import commands as command_configs
from brainage.config import hydra as config_reading

command_configs.register()


@hydra.main(version_base="1.3", config_path="configs", config_name="explain")
def main(composed: DictConfig) -> None:
    """Explain."""
    explain_command.explain(composed)


if __name__ == "__main__":
    sys.argv = config_reading.quote_query(sys.argv)
    main()
