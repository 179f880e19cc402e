"""Train a network: from participants' files to predictions. ``python train.py --help`` lists the choices."""

import sys

from brainage.commands.startup import answer_first

if __name__ == "__main__":
    answer_first(sys.argv)

import hydra  # noqa: E402
from omegaconf import DictConfig  # noqa: E402

from brainage.config import hydra as config_reading
from brainage.runs import train as pipeline  # noqa: E402

config_reading.register()


@hydra.main(version_base="1.3", config_path="configs", config_name="train")
def main(composed: DictConfig) -> float | None:
    """Run one job and return its objective."""
    return pipeline.train(composed)


if __name__ == "__main__":
    sys.argv = config_reading.quote_query(sys.argv)
    main()
