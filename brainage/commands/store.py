"""List stores, verify them, and remove participants who withdrew: ``brainage store list|verify|purge``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from brainage.data.cohorts.ids import read_ids
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
from brainage.runs.purge_tables import TABLES
from brainage.runs.withdraw import Withdrawal, withdraw
from brainage.system.console import bytes_text, show_table, track
from brainage.system.screen import log_to_screen
from brainage.system.session import exit_code_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Manage stores."""
    options = parse(arguments)
    log_to_screen()
    return exit_code_of(
        lambda: _run(options), "each store and table is complete, changed or not. Run the command again."
    )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="brainage store", description="Manage stores of time series.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--root", type=Path, metavar="DIR", help="folder of the stores (default: outputs/store)")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="list|verify|purge")
    verbs.add_parser("list", parents=[common], help="list the stores")
    verbs.add_parser("verify", parents=[common], help="compare every row with its checksum")
    about = "remove participants who withdrew from stores and from the tables of runs"
    purging = verbs.add_parser("purge", parents=[common], help=about)
    purging.add_argument(
        "--ids", type=Path, required=True, metavar="FILE", help="who withdrew: one id a line, or a table"
    )
    about = f"folder of the runs, whose {', '.join(TABLES)} are purged (default: outputs)"
    purging.add_argument("--outputs", type=Path, metavar="DIR", help=about)
    about = "accept a list of which no id is found; its participants are excluded from future runs"
    purging.add_argument("--allow-unmatched", action="store_true", help=about)
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace) -> int:
    root = _existing(options.root, "--root", "outputs/store")
    if options.verb == "list":
        return _list(root)
    if options.verb == "verify":
        return _verify(root)
    outputs = _existing(options.outputs, "--outputs", "outputs")
    done = withdraw(root, outputs, read_ids(options.ids), allow_unmatched=options.allow_unmatched)
    return _show_purge(done, root, outputs, options.ids)


def _existing(folder: Path | None, option: str, default: str) -> Path:
    """Return a folder; unlike the default, one that was given must exist."""
    if folder is None:
        return Path(default)
    if not folder.is_dir():
        raise MissingPathError(f"`{option} {folder}` must be an existing folder. Name one, or leave it out: {default}.")
    return folder


def _list(root: Path) -> int:
    rows = [_listed(folder) for folder in list_stores(root)]
    for folder in list_unfinished(root):
        rows.append((folder.name, "", "", "", *_size_and_time(unfinished_folder(folder)), "unfinished"))
    if rows:
        header = ("fingerprint", "participants", "excluded", "shape", "size", "made", "state")
        show_table(f"Stores in {root}", header, rows)
    else:
        print(f"There is no store in `{root}`.")
    return 0


def _shape(index: Mapping[str, Any]) -> str:
    """Return participants x channels x time points; time points from the fewest to the most."""
    lengths = index.get("lengths")
    if not lengths:
        return " x ".join(map(str, index["shape"]))
    times = "-".join(map(str, sorted({min(lengths), max(lengths)})))
    return f"{len(lengths)} x {index['settings'][0]} x {times}"


def _listed(folder: Path) -> tuple[str, ...]:
    counts, state = ("", "", ""), "whole"
    try:
        index = read_index(folder)
        shape = _shape(index)
        counts = (str(len(index["participant_ids"])), str(len(index["excluded"])), shape)
        load_store(folder)
    except DamagedStoreError:
        state = "damaged"
    except FileNotFoundError:  # another process has removed it
        state = "removed"
    return (folder.name, *counts, *_size_and_time(folder), state)


def _size_and_time(folder: Path) -> tuple[str, str]:
    try:
        size = sum(path.stat().st_size for path in folder.glob("*"))
        return bytes_text(size), time.strftime("%Y-%m-%d %H:%M", time.localtime(folder.stat().st_mtime))
    except FileNotFoundError:  # another process has removed or renamed it
        return "", ""


def _verify(root: Path) -> int:
    n_damaged = 0
    for folder in list_stores(root):
        try:
            found = _verified(folder)
        except FileNotFoundError:  # another process has removed it
            continue
        n_damaged += found is not None
        print(f"{folder.name}: {found or 'whole'}")
    for folder in list_unfinished(root):
        print(f"{folder.name}: unfinished; a process is writing it, or was killed")
    if n_damaged:
        print(
            f"error: stores must be what was written, but {n_damaged} of those in `{root}` "
            f"{'is' if n_damaged == 1 else 'are'} damaged. Remove their folders: the next run writes them again.",
            file=sys.stderr,
        )
    return 1 if n_damaged else 0


def _verified(folder: Path) -> str | None:
    """Compare every row of a store with its checksum; return the damage, or None."""
    try:
        store = map_store(folder, read_index(folder))
        n_rows = len(store.participant_ids)
        rows = track(stream_rows(store), n_rows, f"{folder.name}: rows compared")
        n_bad = sum(not intact for _, _, intact in rows)
    except DamagedStoreError:
        return "damaged: its index or its array is not what was written"
    return f"damaged: {n_bad} of {n_rows} rows do not match their checksums" if n_bad else None


def _show_purge(done: Withdrawal, root: Path, outputs: Path, ids_file: Path) -> int:
    for error in done.errors:
        print(f"error: {error}", file=sys.stderr)
    for link in done.links:
        print(
            f"warning: `{link}` leads elsewhere and is not followed; purge what is there with --root and --outputs",
            file=sys.stderr,
        )
    print(f"Participants: {len(done.participants)} of the {done.n_listed} in `{ids_file}` found.")
    if done.n_marked_before:
        print(f"An earlier purge had marked {done.n_marked_before} of them as withdrawn.")
    print(f"Stores in `{root}`: {done.n_stores} purged of {done.n_rows} rows and {done.n_excluded} exclusions.")
    if done.n_damaged or done.n_unfinished:
        print(
            f"Deleted there: {done.n_damaged} damaged and {done.n_unfinished} unfinished stores; a run that needs one "
            "writes it again."
        )
    print(f"Tables in `{outputs}`: {done.n_files} files purged of {done.n_lines} rows.")
    if done.errors:
        print(
            f"error: {len(done.errors)} stores or tables could not be purged and are as they were; see above. Correct "
            "that, and run the command again.",
            file=sys.stderr,
        )
        return 1
    print(
        f"Commands that use stores in `{root}` exclude these participants from now on. A run that is still in progress "
        "writes its participants at its end: purge again after it."
    )
    return 0
