"""Which code made a result: versions of packages, the commit."""

from __future__ import annotations

import importlib.metadata
import platform
import re
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
        # `git describe --dirty` would write to the clone's index, and leave its lock there on a full disk.
        status = subprocess.run(
            ["git", "--no-optional-locks", "status", "--porcelain=v2", "--branch", "--untracked-files=no"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    lines = status.stdout.splitlines()
    name = next((line.split()[-1] for line in lines if re.match("# branch.oid [0-9a-f]", line)), None)
    return f"{name}-dirty" if name and any(not line.startswith("#") for line in lines) else name
