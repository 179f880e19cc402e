"""Write a simulated cohort as files: ``brainage simulate``."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brainage.data.cohorts.simulated import SimulatedCohort
from brainage.data.cohorts.simulated2 import SimulatedCohort2
from brainage.data.cohorts.simulated_files import LAYOUTS, UKB_LAYOUTS, write_cohort
from brainage.system.invocation import command_text
from brainage.system.session import exit_code_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the cohort; return 0, 2 for a user's mistake, or 130 or 143 if interrupted."""
    options = parse(arguments)
    return exit_code_of(lambda: _write(options), f"remove `{options.out}`, and run the command again.")


def _write(options: argparse.Namespace) -> int:
    given: dict[str, Any] = {"n_participants": options.participants, "seed": options.seed, "signal": options.signal}
    if options.t_r is not None:
        given["t_r"] = options.t_r
    cohort = SimulatedCohort2(**given, sites=options.sites) if options.version == 2 else SimulatedCohort(**given)
    overrides = write_cohort(
        cohort, options.out, options.layout, style=options.columns or "dash", extracted=options.extracted
    )
    print(f"Wrote {cohort.n_participants} participants to {options.out}")
    if overrides:
        print(f"Train on them with: {command_text('train', *overrides)}")
    else:
        print("Make series of the images with nilearn, as docs/series.md shows, and train on these.")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="brainage simulate", description="Write a simulated cohort as files.")
    parser.add_argument("--layout", choices=LAYOUTS, required=True, help="how the files are laid out")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new or an empty folder")
    parser.add_argument("--participants", type=int, required=True, metavar="N", help="participants with a scan")
    parser.add_argument("--seed", type=int, default=0, help="seed of the participants (default: 0)")
    parser.add_argument("--signal", type=float, default=1.0, help="strength of age in the series (default: 1)")
    parser.add_argument("--version", type=int, choices=(1, 2), default=1, help="of the generator (default: 1)")
    parser.add_argument("--t-r", type=float, metavar="SECONDS", help="repetition time, bids (default: 0.735)")
    parser.add_argument(
        "--sites", choices=("alike", "different"), default="alike", help="their repetition times, bids of version 2"
    )
    parser.add_argument("--columns", choices=("dash", "dot", "rap"), help="names of the columns, ukb (default: dash)")
    parser.add_argument("--extracted", action="store_true", help="folders instead of zip archives, ukb")
    options = parser.parse_args(arguments)
    if options.participants < 1:
        parser.error(f"`--participants` must be at least 1, but got {options.participants}.")
    if options.seed < 0:
        parser.error(f"`--seed` must not be negative, but got {options.seed}.")
    if not 0 <= options.signal < math.inf:
        parser.error(f"`--signal` must be 0 or more, but got {options.signal}.")
    if options.t_r is not None and not 0 < options.t_r < math.inf:
        parser.error(f"`--t-r` must be a number above 0, but got {options.t_r}.")
    if options.layout != "bids" and (options.t_r is not None or options.sites != "alike"):
        parser.error("`--t-r` and `--sites different` need `--layout bids`: other layouts have their own.")
    if options.version == 1 and options.sites != "alike":
        parser.error("`--sites different` needs `--version 2`.")
    if options.layout not in UKB_LAYOUTS and (options.columns or options.extracted):
        parser.error("`--columns` and `--extracted` need `--layout ukb` or `ukb_schaefer`.")
    return options
