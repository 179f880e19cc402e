"""Opening and writing files of runs: atomically, and without following links; the folders of this installation."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from brainage.errors import BrainageError, OutputError

if TYPE_CHECKING:
    import pandas as pd

# The folder that contains the package; in a clone, the repository.
ROOT = Path(__file__).resolve().parents[2]
_PACKAGED = ROOT / "brainage" / "configs"
# The configs of this project: in a wheel they are part of the package.
CONFIGS = _PACKAGED if _PACKAGED.is_dir() else ROOT / "configs"
# A user's own configs, for every command: local/default.yaml has a machine's settings.
OWN_CONFIGS = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "brainage"


# Permissions of new folders by `outputs.mode`; files have the same without those to enter.
MODES = {"private": 0o700, "group": 0o750}
# Bytes that must fit into a new output folder.
_PROBE = 65_536
# What `use_mode` has set, and the user's own umask.
_state: dict[str, int] = {}

# To read, to append, and to create what must not exist.
_FLAGS = {"r": os.O_RDONLY, "a": os.O_WRONLY | os.O_APPEND | os.O_CREAT, "x": os.O_WRONLY | os.O_CREAT | os.O_EXCL}


def use_mode(name: str) -> None:
    """Create files and folders with the permissions of an `outputs.mode` from now on, whatever the user's umask."""
    _state["mode"] = MODES.get(name, MODES["private"])  # another name is an error once the config is checked
    umask = os.umask(0o777 & ~_state["mode"])
    _state.setdefault("umask", umask)


def make_folder(path: Path) -> None:
    """Create a folder of outputs, unless it exists; folders above it get the user's own permissions."""
    make_parents(path)
    path.mkdir(mode=_state.get("mode", 0o777), exist_ok=True)


def make_parents(path: Path) -> None:
    """Create the folders above a path, with the user's own permissions."""
    umask = os.umask(0o077)
    try:
        os.umask(_state.get("umask", umask))
        path.parent.mkdir(parents=True, exist_ok=True)
    finally:
        os.umask(umask)


def open_file(path: Path, mode: str = "r", *, limit: int | None = None, follow: bool = False, **text: Any) -> IO[Any]:
    """Open a file of a run, whose folder others may write to: no link is followed, and no pipe is waited for.

    With `follow`, links are followed: the file is the user's own.

    Raises an `OSError` if it is no regular file, or has more bytes than `limit`.
    """
    flags = _FLAGS[mode[0]] | (0 if follow else os.O_NOFOLLOW) | os.O_NONBLOCK | os.O_CLOEXEC

    def opened(name: str, _: int) -> int:
        try:
            descriptor = os.open(name, flags, 0o666 & _state.get("mode", 0o666))
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise OSError(errno.ELOOP, f"{path.name} is a link to another file") from None
            raise
        try:
            _check_regular(os.fstat(descriptor), path.name, limit)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    # With an opener, the descriptor is closed once, also where a signal raises as the file is made.
    return open(path, mode.replace("x", "w"), opener=opened, **text)


def _check_regular(found: os.stat_result, name: str, limit: int | None) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, f"{name} is no regular file")
    if limit is not None and found.st_size > limit:
        raise OSError(errno.EFBIG, f"{name} has {found.st_size:,} bytes; at most {limit:,} are read")


def refuse_links(*places: Path) -> None:
    """Raise an `OutputError` if one of these, or anything in it, is a link that leads out of its folder.

    The folders in `wandb` are not searched: W&B makes one for each start, with links to its cache.
    """
    for place in places:
        within = os.path.realpath(place.parent)
        for path in [place, *([] if place.is_symlink() else place.rglob("*"))]:
            if not path.is_symlink() or "wandb" in path.relative_to(place.parent).parts[:-2]:
                continue
            if os.path.commonpath([within, os.path.realpath(path)]) != within:
                raise OutputError(
                    f"`{path}` must be in the run's folder, but is a link to `{os.path.realpath(path)}`, where nothing "
                    "is written. Remove the link, or choose another folder."
                )


def partial_of(target: Path) -> Path:
    """Create an empty temporary file beside a file, under a name that cannot be guessed, and return its path."""
    partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}.partial")
    open_file(partial, "x").close()
    return partial


def remove_partials(folder: Path) -> None:
    """Remove the temporary files that a killed process has left."""
    for path in folder.glob(".*.partial"):
        if not path.is_dir():
            path.unlink(missing_ok=True)


def write_whole(target: Path, write: Callable[[Path], object]) -> None:
    """Write a file atomically: `write` receives a temporary path in the same folder, which is then renamed.

    Raises an `OutputError` if it cannot be written.
    """
    with as_output_error(target, ""):
        partial = partial_of(target)
        try:
            write(partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Write text atomically."""
    write_whole(target, lambda path: path.write_text(text, encoding="utf-8"))


def write_csv(target: Path, table: pd.DataFrame) -> None:
    """Write a table atomically, without its index; no cell of text is a formula in a spreadsheet."""
    texts = {name: table[name].map(cell_text) for name in table.columns if table[name].dtype.kind == "O"}
    write_whole(target, lambda path: table.assign(**texts).to_csv(path, index=False))


def cell_text(value: Any) -> Any:
    """Return a cell; text that a spreadsheet would evaluate gets an apostrophe, numbers such as -0.5 do not."""
    if not isinstance(value, str) or not value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return value
    with suppress(ValueError):
        float(value)
        return value
    return f"'{value}"


def ensure_writable(path: Path) -> None:
    """Create a folder; raise an `OutputError` if no file can be written there, as Hydra's configs will be."""
    with as_output_error(path):
        make_folder(path)
        probe = partial_of(path / "writable")
        try:
            probe.write_bytes(bytes(_PROBE))
        finally:
            probe.unlink()


@contextmanager
def as_output_error(path: Path, name: str = "hydra.run.dir=") -> Iterator[None]:
    """Raise an `OSError` as an `OutputError` with one message."""
    try:
        yield
    except BrainageError:
        raise
    except OSError as error:
        raise _output_error(f"{name}{path}", error) from None


@contextmanager
def full_disk_as_output_error(place: Path | str = "the output folder") -> Iterator[None]:
    """Raise an `OSError` of a full or read-only disk as an `OutputError`, whichever library met it.

    `place` is named where the error does not name its file.
    """
    try:
        yield
    except BrainageError:
        raise
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG):
            raise
        raise _output_error(str(error.filename or place), error) from None


def _output_error(name: str, error: OSError) -> OutputError:
    return OutputError(
        f"`{name}` cannot be written: {error.strerror or error}. Get permission or make room, or choose another place "
        "with hydra.run.dir=DIR (hydra.sweep.dir=DIR with --multirun, or --out DIR)."
    )
