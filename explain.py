"""Explain a trained network: which components and times its predictions rest on."""

import hydra
from omegaconf import DictConfig

from brainage import command_configs, config_reading, explain_command

command_configs.register()


@hydra.main(version_base="1.3", config_path="configs", config_name="explain")
def main(composed: DictConfig) -> None:
    """Explain."""
    explain_command.explain(composed)


if __name__ == "__main__":
    import sys

    sys.argv = config_reading.quote_query(sys.argv)
    main()
