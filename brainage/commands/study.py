"""``brainage study``: the three stages of the published study, one after the other."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from brainage.study.plan import SIZES
from brainage.system.screen import log_to_screen
from brainage.system.session import exit_code_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a study."""
    options = parse(arguments)
    log_to_screen()

    def work() -> int:
        from brainage.study.runner import run_study  # Hydra, pandas and matplotlib

        run_study(options.size, options.out, options.overrides)
        return 0

    return exit_code_of(work, "the same command continues it; finished steps are kept.")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="brainage study", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="small", help="how much is done (default: small)")
    parser.add_argument("--out", type=Path, default=Path("outputs/study"), help="default: outputs/study")
    parser.add_argument("overrides", nargs="*", help="for every training, such as cohort=ukb cohort.root=DIR")
    return parser.parse_intermixed_args(arguments)  # options may follow overrides
