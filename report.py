"""Tell again what predictions mean: of a finished run, of pooled folds, or of a table made elsewhere."""

import hydra
from omegaconf import DictConfig

from brainage import command_configs, report_command

command_configs.register()


@hydra.main(version_base="1.3", config_path="configs", config_name="report")
def main(composed: DictConfig) -> None:
    """Report."""
    report_command.report(composed)


if __name__ == "__main__":
    main()
