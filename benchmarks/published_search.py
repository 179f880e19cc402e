"""``train.py`` with the published search: all points are proposed, and infeasible ones fail when they start."""

import runpy
import sys
from collections.abc import Mapping
from typing import Any

from benchmarks.measure import ROOT
from brainage.sweep import sweeper


def _everything(self: sweeper.Sweep, point: Mapping[str, Any]) -> None:
    """Let every point be proposed."""


def _alike(self: sweeper.Sweep, point: Mapping[str, Any]) -> float:
    """Let no point come before another."""
    return 0.0


if __name__ == "__main__":
    sweeper.Sweep._check_possible = _everything  # type: ignore[method-assign]
    sweeper.Sweep._cost = _alike  # type: ignore[method-assign]
    sys.argv[0] = str(ROOT / "train.py")
    runpy.run_path(sys.argv[0], run_name="__main__")
