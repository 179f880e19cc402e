"""The table of a cohort: one file, or several that are joined by id."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from pathlib import Path

import pandas as pd

from brainage.data.cohorts.columns import STANDARD_COLUMNS, standard_table, warn_of_commas
from brainage.data.cohorts.ids import ID_NAMES
from brainage.data.cohorts.own_columns import OwnColumns
from brainage.data.cohorts.tables import read_columns, read_header
from brainage.errors import CohortError
from brainage.system.console import log, printable


@dataclass(frozen=True)
class CohortTable:
    """One or several files with a header each, which together are the table of a cohort.

    Several have a column of ids each, and no other column in common. A participant who is missing in a file has no
    values there.
    """

    paths: tuple[Path, ...]
    own: OwnColumns = OwnColumns()

    @property
    def label(self) -> str:
        """The table's name in messages."""
        return " and ".join(f"`{path}`" for path in self.paths)

    @property
    def names(self) -> list[str]:
        """The columns of all files, without the ids of all but the first.

        Raises CohortError if one of several files has no ids, or two have another column in common.
        """
        first, *others = self._headers
        if not others:
            return first
        bare = [[name for name in header if name != id_name] for header, id_name in self._with_id_names()]
        for (path, own), (other_path, other) in itertools.combinations(zip(self.paths, bare, strict=True), 2):
            if shared := [f"`{printable(name)}`" for name in own if name and name in other]:
                more = f" and {len(shared) - 5} more" if len(shared) > 5 else ""
                raise CohortError(
                    f"`cohort.phenotypes`: the tables `{path}` and `{other_path}` must have no column in common but "
                    f"the ids, but both have {', '.join(shared[:5])}{more}. Remove or rename the column in one of them."
                )
        return [*first, *itertools.chain.from_iterable(bare[1:])]

    def read(
        self, sources: Mapping[str, str], phenotypes: Sequence[str], parse: Callable[[pd.Series], pd.Series]
    ) -> pd.DataFrame:
        """Read the standard columns, given each one's name in a file, and phenotypes.

        Ages are NaN if there are none. The index is the line number or, of several files, ``FILE:LINE``.
        """
        if len(self.paths) == 1:
            table = self._read(self.paths[0], sources, phenotypes, parse)
        else:
            parts = []
            for path, (header, id_name) in zip(self.paths, self._with_id_names(), strict=True):
                own = {standard: name for standard, name in sources.items() if name in header}
                wanted = [name for name in phenotypes if name in header]
                parts.append(self._read(path, {**own, "participant_id": id_name}, wanted, parse))
            table = self._joined(parts)[[*(name for name in STANDARD_COLUMNS if name in sources), *phenotypes]]
        return table if "age" in table else table.assign(age=math.nan)

    @cached_property
    def _headers(self) -> list[list[str]]:
        return [read_header(path) for path in self.paths]

    def _with_id_names(self) -> list[tuple[list[str], str]]:
        """Return each file's header and the name of its column of ids."""
        found = []
        id_names = dict.fromkeys((self.own.names.get("participant_id", ID_NAMES[0]), *ID_NAMES))
        for path, header in zip(self.paths, self._headers, strict=True):
            if not (names := [name for name in id_names if name in header]):
                raise CohortError(
                    f"`{path}` must have a column of ids to be joined with the other tables of `cohort.phenotypes`, "
                    f"but has none of {', '.join(f'`{name}`' for name in id_names)}. Add it, or name it with "
                    "cohort.columns.participant_id=NAME."
                )
            found.append((header, names[0]))
        return found

    def _joined(self, parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
        """Join by id, with the participants of all files."""
        ids = [set(part["participant_id"]) for part in parts]
        for path, own in zip(self.paths[1:], ids[1:], strict=True):
            if not own & ids[0]:
                raise CohortError(
                    f"`cohort.phenotypes`: `{path}` must have participants in common with `{self.paths[0]}`, but none "
                    f"of its {len(own)} ids is there. One of the two may be of another application, or without leading "
                    "zeros."
                )
        everyone, in_all = len(set.union(*ids)), len(set.intersection(*ids))
        log.info("%d tables are joined by id: %d participants, %d of them in all", len(parts), everyone, in_all)
        lines = [
            part.assign(**{_line(number): [f"{path}:{line}" for line in part.index]})
            for number, (path, part) in enumerate(zip(self.paths, parts, strict=True))
        ]
        table = reduce(lambda one, other: one.merge(other, on="participant_id", how="outer"), lines)
        first = table[[_line(number) for number in range(len(parts))]].bfill(axis=1).iloc[:, 0]
        return table.set_index(pd.Index(first))

    def _read(
        self, path: Path, sources: Mapping[str, str], phenotypes: Sequence[str], parse: Callable[[pd.Series], pd.Series]
    ) -> pd.DataFrame:
        text = read_columns(path, [*sources.values(), *phenotypes])
        columns = {standard: text[name] for standard, name in sources.items()}
        table = standard_table(columns, f"`{path}`", self.own.sexes)
        warn_of_commas(text[list(phenotypes)], f"`{path}`")
        return table.assign(**{name: parse(text[name]) for name in phenotypes})


def _line(number: int) -> str:
    return f"\0line {number}"  # no column of a file: a header contains no NUL
