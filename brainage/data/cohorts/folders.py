"""Looking for scans in folders: a folder that the system cannot read is not one without scans."""

from __future__ import annotations

import errno
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from brainage.errors import MissingPathError

T = TypeVar("T")

# Seconds before folders that could not be read are read again.
PAUSE = 1.0

_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL})


def check_root(root: Path) -> None:
    """Raise MissingPathError unless the folder of the participants' files exists."""
    if not os.path.isdir(root):  # noqa: PTH112 (Path.is_dir raises where the folder above cannot be entered)
        raise MissingPathError(
            f"`cohort.root` must be a folder, but `{root}` is none. Name the folder of the participants' files with "
            "`cohort.root=DIR`."
        )


def look_into(root: Path, paths: Iterable[Path], look: Callable[[Path], T]) -> dict[Path, T]:
    """Return what `look` returns for each path at or below `root` that exists.

    What fails otherwise is tried once more. If it fails again, MissingPathError names no path, which may have an id.
    """
    paths = list(dict.fromkeys(paths))
    found: dict[Path, T] = {}
    failed = _look(paths, look, found)
    if failed:
        time.sleep(PAUSE)
        failed = _look(failed, look, found)
    if failed:
        reasons = ", ".join(f"{count} x {reason}" for reason, count in Counter(failed.values()).most_common())
        raise MissingPathError(
            f"`cohort.root={root}`: {len(failed)} of {len(paths)} folders of participants' files cannot be read "
            f"({reasons}), and their participants must not be missing unnoticed. Get permission to read and enter them "
            f"(`find {root} -type d -not -readable -o -type d -not -executable` lists them) or wait until the disk "
            "answers, and run again; or list these participants in a file for cohort.exclude_ids=FILE."
        )
    return found


def _look(paths: Iterable[Path], look: Callable[[Path], T], found: dict[Path, T]) -> dict[Path, str]:
    """Add what is found; return the reason for each path that failed."""
    failed: dict[Path, str] = {}
    for path in paths:
        try:
            found[path] = look(path)
        except OSError as error:
            if error.errno not in _ABSENT:
                failed[path] = error.strerror or type(error).__name__
    return failed


@dataclass(frozen=True)
class Listing:
    """What is in a folder: sorted names of files, of folders, and of those folders that are neither links nor hidden.

    Broken links, such as those of a tree whose content was not fetched, and links to folders outside the cohort's are
    not in it.
    """

    files: Sequence[str] = ()
    folders: Sequence[str] = ()
    plain_folders: Sequence[str] = ()


def list_folder(folder: Path, root: Path) -> Listing:
    """List a folder below a cohort's folder."""
    with os.scandir(folder) as listed:
        entries = sorted(listed, key=lambda entry: entry.name)
    files = [entry.name for entry in entries if is_kind(entry.is_file)]
    own = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    links = [entry.name for entry in entries if entry.is_symlink() and _is_folder_below(entry, root)]
    return Listing(files, sorted([*own, *links]), [name for name in own if not name.startswith(".")])


def _is_folder_below(link: os.DirEntry[str], root: Path) -> bool:
    # Path.resolve raises where a link leads to itself.
    return is_kind(link.is_dir) and Path(os.path.realpath(link.path)).is_relative_to(os.path.realpath(root))


def is_kind(question: Callable[[], bool]) -> bool:
    """Return what `is_file` or `is_dir` of an entry says, and true if the system cannot say it: reading will."""
    try:
        return question()
    except OSError:
        return True
