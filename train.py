"""Train a network: from participants' files to predictions. ``python train.py --help`` lists the choices."""

import sys

import hydra
from omegaconf import DictConfig

from brainage import config, pipeline

config.register()


@hydra.main(version_base="1.3", config_path="configs", config_name="train")
def main(composed: DictConfig) -> float | None:
    """Run one job and return its objective."""
    return pipeline.train(composed)


if __name__ == "__main__":
    sys.argv = config.quote_query(sys.argv)
    main()
