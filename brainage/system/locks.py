"""Locks between processes, also on file systems without ``flock``: who has one, since when, and how it is released.

With ``flock`` the system releases the lock of a process that died. Without it, the lock is a file that names its
process and host (filelock's `SoftFileLock`), and only a process on that host can see that the owner died.
"""

from __future__ import annotations

import re
import warnings
from datetime import datetime
from pathlib import Path

from filelock import AcquireReturnProxy, BaseFileLock, FileLock, SoftFileLock, Timeout

from brainage.errors import BrainageError
from brainage.system.console import log
from brainage.system.files import open_file

# Seconds between two looks at a lock that another process has.
_PAUSE = 0.5


def acquire(
    path: Path, what: str, error: type[BrainageError], *, wait: float = 0.0, doing: str = "using it"
) -> AcquireReturnProxy[BaseFileLock]:
    """Acquire a lock, to be used as a context manager; it is released at the end of the process at the latest.

    Parameters
    ----------
    path : Path
        The lock's file; its folder exists.
    what, doing : str
        What is locked, and what its owner does with it, for messages.
    error : type
        The class of the error if another process has the lock.
    wait : float, default=0.0
        How long to wait for it, in seconds.

    Raises
    ------
    BrainageError
        Another process has the lock, `error`.
    OSError
        The file cannot be written.
    """
    lock: BaseFileLock = FileLock(path)
    with warnings.catch_warnings():
        # filelock warns that there is no flock; the messages below say what follows from it.
        warnings.filterwarnings("ignore", "flock not supported", UserWarning)
        try:
            return lock.acquire(timeout=0)
        except Timeout:
            owner, step = _owner(lock, path)
        if wait:
            log.info("%s belongs to %s; waiting for it, %s at most. %s", what, owner, _duration(wait), step)
            try:
                return lock.acquire(timeout=wait, poll_interval=_PAUSE)
            except Timeout:
                owner, step = _owner(lock, path)
    waited = f" This process has waited {_duration(wait)} for it." if wait else ""
    raise error(f"{what} must belong to one process at a time, but {owner} is {doing}.{waited} {step}")


def _owner(lock: BaseFileLock, path: Path) -> tuple[str, str]:
    """Return the owner of a lock, and what to do."""
    step = "Wait until it ends, or stop it."
    if not isinstance(lock, SoftFileLock):
        return "another process", step
    step = f"{step} If it no longer runs, remove `{path}`: there is no flock here, so a killed process leaves it."
    try:
        with open_file(path, limit=1024) as file:
            since = datetime.fromtimestamp(path.stat().st_mtime)
            found = re.match(r"(\d+)\n([\w.-]+)\n", file.read())
    except (OSError, ValueError):
        return "another process", step
    name = f"process {found[1]} on {found[2]}" if found else "another process"
    return f"{name} (since {since:%Y-%m-%d %H:%M:%S})", step


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:g} hours" if seconds >= 3600 else f"{seconds / 60:g} minutes"
