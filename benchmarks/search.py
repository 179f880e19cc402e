"""Searches replayed on recorded trainings: ``python -m benchmarks.search record`` and ``replay``."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.search_record import record


def main() -> None:
    """Record a piece of the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record", help="train random networks, and add them to the table")
    recording.add_argument("--folder", type=Path, default=Path("outputs/bench/search"), help="where they are trained")
    recording.add_argument("--pieces", type=int, nargs="+", default=list(range(20)), help="pieces (default: 0 to 19)")
    recording.add_argument("--timeout", default="12h", help="time of each part of a piece, such as 20m (default: 12h)")
    options = parser.parse_args()
    for piece in options.pieces:
        record(options.folder, piece, options.timeout)


if __name__ == "__main__":
    main()
