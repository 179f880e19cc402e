"""Atomic writing, and the folders of this installation."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from brainage.errors import OutputError

if TYPE_CHECKING:
    import pandas as pd

# The folder that contains the package; in a clone, the repository.
ROOT = Path(__file__).resolve().parents[2]
_PACKAGED = ROOT / "brainage" / "configs"
# The configs of this project: in a wheel they are part of the package.
CONFIGS = _PACKAGED if _PACKAGED.is_dir() else ROOT / "configs"
# A user's own configs, for every command: local/default.yaml has a machine's settings.
OWN_CONFIGS = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "brainage"


def write_whole(target: Path, write: Callable[[Path], object]) -> None:
    """Write a file atomically: `write` receives a temporary path in the same folder, which is then renamed."""
    partial = target.with_name(f".{target.name}.partial")
    try:
        write(partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Write text atomically."""
    write_whole(target, lambda path: path.write_text(text, encoding="utf-8"))


def write_csv(target: Path, table: pd.DataFrame) -> None:
    """Write a table atomically, without its index."""
    write_whole(target, lambda path: table.to_csv(path, index=False))


def ensure_writable(path: Path) -> None:
    """Create a folder; raise an `OutputError` if no file can be written there."""
    with as_output_error(path):
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()


@contextmanager
def as_output_error(path: Path) -> Iterator[None]:
    """Raise an `OSError` as an `OutputError` with one message."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"`hydra.run.dir={path}` cannot be written: {error.strerror or error}. Get permission or make room, or "
            "choose another place with hydra.run.dir=DIR (hydra.sweep.dir=DIR with --multirun)."
        ) from None
