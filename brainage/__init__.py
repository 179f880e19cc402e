"""Brain age from resting-state fMRI component time series with lightweight 1D-CNNs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brainage.api.analysis import analyze, read_predictions
    from brainage.api.bundles import Bundle, load_bundle
    from brainage.api.regressor import BrainAgeRegressor
    from brainage.api.runs import LoadedRun, load_run
    from brainage.api.training import train

__version__ = "0.1.0"

__all__ = [
    "BrainAgeRegressor",
    "Bundle",
    "LoadedRun",
    "analyze",
    "load_bundle",
    "load_run",
    "read_predictions",
    "train",
]

# Where each name is; imported at its first use, because a command must not wait for torch.
_MODULES = {
    "BrainAgeRegressor": "regressor",
    "Bundle": "bundles",
    "LoadedRun": "runs",
    "analyze": "analysis",
    "load_bundle": "bundles",
    "load_run": "runs",
    "read_predictions": "analysis",
    "train": "training",
}


def __getattr__(name: str) -> Any:
    """Import a name at its first use.

    ``brainage.multirun`` is named by runs of version 0.1 in their ``.hydra/hydra.yaml``.
    """
    if name == "multirun":
        return import_module("brainage.runs.multirun")
    if name in _MODULES:
        return getattr(import_module(f"brainage.api.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
