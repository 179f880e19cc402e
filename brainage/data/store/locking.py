"""The lock of a store that is written or removed, and file system errors as one message."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from brainage.errors import StoreError
from brainage.system.console import log


@contextmanager
def locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a store; the system releases it when a process is killed.

    Raises StoreError if the folder of all stores cannot be written or, unless `wait`, if another process has the lock.
    """
    root = folder.parent
    with writing(root):
        root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(root / f".{folder.name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if not wait:
                raise StoreError(
                    f"Another process is writing the store {folder}, and it may have participants who withdrew. Purge "
                    "again when that is done."
                ) from None
            log.info("Another process is writing the store %s; waiting for it.", folder)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def writing(root: Path) -> Iterator[None]:
    """Raise a full disk or missing permission as a StoreError."""
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(
            f"`store.root={root}` cannot be written: {error.strerror or error}. Nothing was left there. Make room or "
            "get permission, or choose another place with store.root=DIR."
        ) from None
