"""Brain age from resting-state fMRI component time series with lightweight 1D-CNNs."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Resolve ``brainage.multirun``, which runs of version 0.1 name in their ``.hydra/hydra.yaml``."""
    if name == "multirun":
        from brainage.runs import multirun

        return multirun
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
