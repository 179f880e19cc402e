"""Keys of keyed hashes, each in a file that only its owner can read."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from brainage.system.files import make_parents


def read_key(path: Path) -> bytes | None:
    """Return a key; None if there is none. May raise OSError."""
    with suppress(FileNotFoundError):
        return path.read_bytes()
    return None


def make_key(path: Path) -> bytes:
    """Return a key, made with mode 0600 if there is none; empty if its file is empty. May raise OSError."""
    make_parents(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with suppress(FileExistsError), os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(secrets.token_bytes(32))
    return path.read_bytes()
