"""Which code made a result: versions of packages, the commit."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess

from brainage.system.files import ROOT

# Packages whose version can change a number.
_PACKAGES = ("brainage", "torch", "pytorch-lightning", "hydra-core", "numpy", "pandas")


def versions() -> dict[str, str | None]:
    """Return the versions of packages that can change results; None for one that is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def commit() -> str | None:
    """Return the commit of this code, marked ``-dirty`` if files differ from it; None outside a clone."""
    if not (ROOT / ".git").exists():
        return None
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip() or None
