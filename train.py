"""Train a network: from participants' files to predictions. ``python train.py --help`` lists the choices."""

import sys

from brainage.help import answer_help, refuse_bare_words, refuse_unknown_experiment

if __name__ == "__main__":
    # Before anything is imported that takes a moment.
    answer_help(sys.argv)
    refuse_bare_words(sys.argv)
    refuse_unknown_experiment(sys.argv)

import hydra  # noqa: E402
from omegaconf import DictConfig  # noqa: E402

from brainage import config_reading, pipeline  # noqa: E402

config_reading.register()


@hydra.main(version_base="1.3", config_path="configs", config_name="train")
def main(composed: DictConfig) -> float | None:
    """Run one job and return its objective."""
    return pipeline.train(composed)


if __name__ == "__main__":
    sys.argv = config_reading.quote_query(sys.argv)
    main()
