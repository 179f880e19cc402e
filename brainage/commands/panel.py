"""``brainage panel``: baselines and networks compared on the same random splits of one cohort."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from brainage.system.screen import log_to_screen
from brainage.system.session import exit_code_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a panel."""
    options = parse(arguments)
    log_to_screen()

    def work() -> int:
        from brainage.study import panel  # Hydra, pandas and matplotlib

        chosen = panel.choose_models(options.models, options.panel, options.reference)
        counts = options.splits, options.seeds
        panel.run_panel(
            panel.plan_panel(chosen, options.size, *counts, options.overrides, options.config_dir), options.out
        )
        return 0

    return exit_code_of(work, "the same command continues it; finished models are kept.")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of 1 or more, but got {text!r}")
    return int(text)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="brainage panel",
        description=__doc__,
        epilog="Models are those of configs/panel.yaml. A file for --panel has one line a model, such as "
        "`wide: model=variable1dcnn model.start_out=32`; names of configs/panel.yaml are replaced by it.",
    )
    parser.add_argument("--size", choices=("small", "full"), default="full", help="how much is done (default: full)")
    parser.add_argument("--out", type=Path, default=Path("outputs/panel"), help="default: outputs/panel")
    parser.add_argument("--models", metavar="A,B", help="names of models (default: all)")
    parser.add_argument("--panel", type=Path, metavar="FILE", help="YAML with further models")
    parser.add_argument("--reference", metavar="NAME", default="ridge_features", help="default: %(default)s")
    parser.add_argument("--splits", type=_positive, metavar="N", help="random splits (default: small 5, full 10)")
    parser.add_argument(
        "--seeds", type=_positive, metavar="N", help="of a network in each split (default: small 1, full 2)"
    )
    parser.add_argument("--config-dir", type=Path, metavar="FOLDER", help="choices of your own, FOLDER/GROUP/NAME.yaml")
    parser.add_argument("overrides", nargs="*", help="for every training, such as cohort=ukb cohort.root=DIR")
    return parser.parse_intermixed_args(arguments)  # options may follow overrides
