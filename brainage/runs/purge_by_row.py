"""Remove participants from the tables of a run that name rows of ``predictions.csv`` instead of ids."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import compress, count
from pathlib import Path

from brainage.system.files import open_file, write_whole

# Their first column, `row`, counts from 1. Earlier versions wrote ids there.
BY_ROW = ("scans.csv", "halves.csv")


def is_by_row(path: Path) -> bool:
    """Return whether a table names rows; it need not exist."""
    with suppress(FileNotFoundError), open_file(path, "rb") as file:
        return path.name in BY_ROW and bool(file.readline().startswith(b"row,"))
    return False


@contextmanager
def renumbered(predictions: Path, stays: Sequence[bool]) -> Iterator[None]:
    """Rewrite `predictions` in the context: the tables beside it then name its rows that stay by their new numbers.

    In the meantime they have other names. If the process is killed, the next purge deletes them: they are never read
    beside predictions with other rows.
    """
    numbers = dict(zip(compress(count(1), stays), count(1), strict=False))
    paths = [path for name in BY_ROW if is_by_row(path := predictions.with_name(name))]
    aside = {path: path.with_name(f".{path.name}.purged.partial") for path in paths}
    for path, other in aside.items():
        path.rename(other)
    try:
        yield
    except BaseException:
        for path, other in aside.items():
            other.rename(path)
        raise
    for path, other in aside.items():
        write_whole(path, lambda partial, other=other: _write(partial, other, numbers))  # type: ignore[misc]
        other.unlink()


def _write(partial: Path, table: Path, numbers: Mapping[int, int]) -> None:
    with open_file(table, "rb") as file:
        head, *lines = file.readlines()
    split = [line.partition(b",") for line in lines]
    kept = [
        str(numbers[int(number)]).encode() + comma + rest
        for number, comma, rest in split
        if number.isdigit() and int(number) in numbers
    ]
    partial.write_bytes(head + b"".join(kept))
    shutil.copymode(table, partial)
