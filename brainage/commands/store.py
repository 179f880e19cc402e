"""Look after stores: list them, compare them with their checksums, remove people who withdrew.

It is the command ``python -m brainage.data.store``.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from brainage.data.store.layout import (
    DamagedStoreError,
    list_stores,
    list_unfinished,
    load_store,
    map_store,
    read_index,
    stream_rows,
    unfinished_folder,
)
from brainage.errors import MissingPathError
from brainage.runs.withdraw import TABLES, purge
from brainage.system.console import bytes_text, show_table, track
from brainage.system.session import exit_code_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Manage stores.

    Parameters
    ----------
    arguments : sequence of str or None, default=None
        The command line without the program's name; None takes the process's own.

    Returns
    -------
    int
        The exit code: 0 if done, 1 if a store is damaged or somebody could not be removed everywhere, 2 for a user's
        mistake, 130 or 143 if interrupted.
    """
    options = _parse(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)

    def work() -> int:
        root = _existing(options.root, "--root", "outputs/store")
        if options.verb == "list":
            return _list(root)
        if options.verb == "verify":
            return _verify(root)
        return purge(root, _existing(options.outputs, "--outputs", "outputs"), options.ids)

    return exit_code_of(work, "every store and table is as it was or done. Run the command again.")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="brainage store", description="Manage stores of time series.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--root", type=Path, metavar="DIR", help="folder of the stores (default: outputs/store)")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="list|verify|purge")
    verbs.add_parser("list", parents=[common], help="show what stores there are")
    verbs.add_parser("verify", parents=[common], help="read every row and compare it with its checksum")
    purging = verbs.add_parser(
        "purge", parents=[common], help="remove people who withdrew, from stores and runs' tables"
    )
    purging.add_argument("--ids", type=Path, required=True, metavar="FILE", help="who withdrew, one id a line")
    purging.add_argument("--outputs", type=Path, metavar="DIR", help=f"folder of the runs, whose {', '.join(TABLES)} "
                       "are purged (default: outputs)")  # fmt: skip
    return parser.parse_args(arguments)


def _existing(folder: Path | None, option: str, default: str) -> Path:
    """Return a folder; one that was asked for by name must exist."""
    if folder is None:
        return Path(default)
    if not folder.is_dir():
        raise MissingPathError(f"`{option} {folder}` must be an existing folder. Name one, or leave it out: {default}.")
    return folder


def _list(root: Path) -> int:
    rows = [row for folder in list_stores(root) if (row := _listed(folder)) is not None]
    rows += [
        (folder.name, "", "", "", _size(unfinished_folder(folder)), _made(unfinished_folder(folder)), "unfinished")
        for folder in list_unfinished(root)
    ]
    if not rows:
        print(f"There is no store in `{root}`.")
        return 0
    header = ("fingerprint", "participants", "excluded", "shape", "size", "made", "state")
    show_table(f"Stores in {root}", header, rows)
    return 0


def _listed(folder: Path) -> tuple[str, ...] | None:
    """Return a store's line; None where it has just been removed."""
    counts, state = ("", "", ""), "whole"
    try:
        index = read_index(folder)
        shape = " x ".join(map(str, index["shape"]))
        counts = (str(len(index["participant_ids"])), str(len(index["excluded"])), shape)
        load_store(folder)
    except FileNotFoundError:
        return None
    except DamagedStoreError:
        state = "damaged"
    return (folder.name, *counts, _size(folder), _made(folder), state)


def _size(folder: Path) -> str:
    size = 0
    for path in folder.glob("*"):
        try:
            size += path.stat().st_size
        except FileNotFoundError:  # removed meanwhile
            continue
    return bytes_text(size)


def _made(folder: Path) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(folder.stat().st_mtime))
    except FileNotFoundError:
        return ""


def _verify(root: Path) -> int:
    n_damaged = 0
    for folder in list_stores(root):
        try:
            found = _verified(folder)
        except FileNotFoundError:  # removed meanwhile
            continue
        n_damaged += found is not None
        print(f"{folder.name}: {found or 'whole'}")
    for folder in list_unfinished(root):
        print(f"{folder.name}: unfinished; it is being made, or was left by a process that was killed")
    if n_damaged:
        print(
            f"error: stores must be what was written, but {n_damaged} of those in `{root}` "
            f"{'is' if n_damaged == 1 else 'are'} damaged. Remove their folders: the next run makes them again.",
            file=sys.stderr,
        )
    return 1 if n_damaged else 0


def _verified(folder: Path) -> str | None:
    """Read every row of a store; return what is wrong."""
    try:
        store = map_store(folder, read_index(folder))
        n_rows = len(store.participant_ids)
        rows = track(stream_rows(store), n_rows, f"{folder.name}: rows compared")
        n_bad = sum(not fits for _, _, fits in rows)
    except DamagedStoreError:
        return "damaged: its index or its array is not what was written"
    return f"damaged: {n_bad} of {n_rows} rows do not fit their checksums" if n_bad else None
