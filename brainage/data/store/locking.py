"""The lock of a store that is written or removed, and file system errors as one message."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from brainage.errors import StoreError
from brainage.system.files import make_parents
from brainage.system.locks import acquire

# How long to wait, in seconds, for another process that writes the same store.
_PATIENCE = 6 * 3600.0


@contextmanager
def locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a store.

    Raises StoreError if the folder of all stores cannot be written, or if another process has the lock, at once unless
    `wait`.
    """
    root = folder.parent
    with writing(root):
        make_parents(folder)
        lock = acquire(
            root / f".{folder.name}.lock",
            f"The store {folder}" if wait else f"The store {folder}, which may have participants who withdrew,",
            StoreError,
            wait=_PATIENCE if wait else 0.0,
            doing="writing it",
        )
    with lock:
        yield


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
