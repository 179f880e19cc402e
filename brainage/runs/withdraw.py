"""Remove participants who withdrew consent from every store and from the tables of every run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from brainage.data.cohorts.withdrawn import mark_withdrawn, withdrawn_of
from brainage.data.store.layout import list_stores, list_unfinished, unfinished_folder
from brainage.data.store.purge import purge_store, remove_unfinished
from brainage.errors import BrainageError, CohortError
from brainage.runs.purge_tables import purge_table, purge_unfinished_table, run_tables

T = TypeVar("T")


@dataclass(frozen=True)
class Withdrawal:
    """Ids that were found; rewritten stores and tables, and what they lost; deleted stores; and errors.

    Damaged and unfinished stores are deleted. A store or table with an error is unchanged.
    `n_listed` ids were given, and earlier purges had marked `n_marked_before` of them. `links` lead out of the outputs
    and are not followed.
    """

    n_listed: int
    participants: frozenset[str]
    n_stores: int
    n_rows: int
    n_excluded: int
    n_damaged: int
    n_unfinished: int
    n_files: int
    n_lines: int
    n_marked_before: int
    links: tuple[Path, ...]
    errors: tuple[str, ...]


def withdraw(root: Path, outputs: Path, ids: frozenset[str], *, allow_unmatched: bool = False) -> Withdrawal:
    """Remove participants from the stores in `root` and from the tables below `outputs`, as far as possible.

    The ids are marked in `root`, so that no command uses these participants again.

    Raises
    ------
    CohortError
        None of them was found, now or by an earlier purge.
    """
    unfinished, errors = _each(remove_unfinished, _in(root, list_unfinished(root)))
    stores, store_errors = _each(partial(purge_store, ids=ids), _in(root, list_stores(root)))
    # First, because a process may complete them.
    partials, partial_errors = _each(partial(purge_unfinished_table, ids=ids), run_tables(outputs).unfinished)
    found = run_tables(outputs)
    tables, table_errors = _each(partial(purge_table, ids=ids), found.tables)
    tables += partials
    participants = frozenset[str]().union(*(store.participants for store in stores), *tables)
    errors = [*errors, *store_errors, *partial_errors, *table_errors]
    n_damaged = sum(store.damaged for store in stores)
    unmatched = ids and not participants and not (n_damaged or any(unfinished) or partials or errors)
    if unmatched and not allow_unmatched and not withdrawn_of([root], ids):
        raise CohortError(_unmatched(root, outputs, len(ids)))
    purged = [store for store in stores if store.participants and not store.damaged]
    n_rows = sum(store.n_rows for store in purged)
    return Withdrawal(
        n_listed=len(ids),
        participants=participants,
        n_stores=len(purged),
        n_rows=n_rows,
        n_excluded=sum(len(store.participants) for store in purged) - n_rows,
        n_damaged=n_damaged,
        n_unfinished=sum(unfinished),
        n_files=sum(bool(removed) for removed in tables),
        n_lines=sum(map(len, tables)),
        n_marked_before=mark_withdrawn(root, ids),
        links=tuple(sorted({*_links(root), *found.links})),
        errors=tuple(errors),
    )


def _unmatched(root: Path, outputs: Path, n_ids: int) -> str:
    missing = [f"`{folder}` does not exist" for folder in (root, outputs) if not folder.is_dir()]
    return (
        f"`--ids` must name participants of the stores in `{root}` or of the runs in `{outputs}`, but none of its "
        f"{n_ids} ids is there. They may be of another application, or without their leading zeros: compare one of "
        "them with a run's `splits.csv`. If the list is right, add --allow-unmatched to exclude them from future runs."
        + (f" Note that {' and '.join(missing)}." if missing else "")
    )


def _each(work: Callable[[Path], T], paths: Iterable[Path]) -> tuple[list[T], list[str]]:
    """Call `work` with each path; return the results and the messages of errors."""
    results: list[T] = []
    errors: list[str] = []
    for path in paths:
        try:
            results.append(work(path))
        except BrainageError as error:
            errors.append(str(error))
    return results, errors


def _links(root: Path) -> list[Path]:
    places = [*list_stores(root), *map(unfinished_folder, list_unfinished(root))]
    return [path.parent.resolve() / path.name for path in places if path.is_symlink()]


def _in(root: Path, stores: Iterable[Path]) -> list[Path]:
    """Return the stores that are in their folder themselves, and no links to others."""
    names = {link.name for link in _links(root)}
    return [folder for folder in stores if names.isdisjoint((folder.name, unfinished_folder(folder).name))]
