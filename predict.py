"""Predict the age of new participants with trained networks."""

import hydra
from omegaconf import DictConfig

from brainage import command_configs, config_reading, predict_command

command_configs.register()


@hydra.main(version_base="1.3", config_path="configs", config_name="predict")
def main(composed: DictConfig) -> None:
    """Predict."""
    predict_command.predict(composed)


if __name__ == "__main__":
    import sys

    sys.argv = config_reading.quote_query(sys.argv)
    main()
