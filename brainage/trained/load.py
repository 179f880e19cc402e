"""Read a trained network from a run or a bundle."""

from __future__ import annotations

from pathlib import Path

from brainage.trained.bundle import MANIFEST, read_bundle
from brainage.trained.from_run import read_network_of_run
from brainage.trained.network import Trained


def read_trained(folder: Path, key: str) -> Trained:
    """Read a network from a finished run or a bundle; nothing in the folder is executed.

    Parameters
    ----------
    folder : Path
        The run's or the bundle's folder.
    key : str
        Its key on the command line; ``bundle`` accepts bundles only.

    Raises
    ------
    MissingPathError, EvaluationError, ConfigError, CheckpointError, BundleError
        It is neither, or is damaged.
    """
    if key == "bundle" or (folder / MANIFEST).exists():
        return read_bundle(folder, key)
    return read_network_of_run(folder, key)
