"""What all files of a cohort are like: orientation, shapes, lengths, names, missing channels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from brainage.config.groups.modality import ModalityConfig
from brainage.data.cohorts.looking import MIN_ALIKE
from brainage.data.survey.facts import Facts, Lines

# Share of files whose rows, or columns, must be as many as each other for them to be the channels.
_MOST = 0.9
# Difference in smoothness along rows and columns that no atlas makes.
_SMOOTHER = 0.2


@dataclass(frozen=True)
class Orientation:
    """Whether rows are channels, why, and whether another reading of the files is possible."""

    rows_are_channels: bool
    reason: str
    is_certain: bool = True


def orientation_of(found: Sequence[Facts], expected: ModalityConfig | None = None) -> Orientation:
    """Return what the rows of files are.

    It is what the expected modality says, if its channels are as many; or follows from names, or from time points
    that differ in number while channels do not. Otherwise it is not certain: series are smooth over time.
    """
    if expected is not None:
        rows_are_channels = expected.orientation == "rows_are_channels"
        channels = Counter(one.shape[0 if rows_are_channels else 1] for one in found)
        if channels[expected.dimension] >= _MOST * len(found):
            return Orientation(rows_are_channels, f"as {expected.name} has them")
    kinds = Counter(map(_named_axis, found))
    if kinds["columns"] > len(found) / 2:
        return Orientation(False, "the first line has names")
    if kinds["rows"] > len(found) / 2:
        return Orientation(True, "the first column has names")
    rows, columns = (_share_of_commonest([one.shape[axis] for one in found]) for axis in (0, 1))
    if columns >= _MOST > rows:
        return Orientation(False, "columns are as many in all files, rows are not")
    if rows >= _MOST > columns:
        return Orientation(True, "rows are as many in all files, columns are not")
    along_rows, along_columns = (median(getattr(one, axis).smoothness for one in found) for axis in ("rows", "columns"))
    if abs(along_rows - along_columns) > _SMOOTHER:
        smoother = "rows" if along_rows > along_columns else "columns"
        return Orientation(smoother == "rows", f"by their smoothness along {smoother} alone", is_certain=False)
    return Orientation(False, "neither names nor different lengths say it", is_certain=False)


def _named_axis(one: Facts) -> str:
    """Return which lines of a file have names of channels; of two, those whose names are not merely counted."""
    named = [axis for axis in ("rows", "columns") if getattr(one, axis).names is not None]
    if len(named) == 2:
        named = [axis for axis in named if not _are_counted(getattr(one, axis).names)]
    return named[0] if len(named) == 1 else ""


def _are_counted(names: Sequence[str]) -> bool:
    """Return whether names are the same word with rising numbers, as those of time points."""
    parts = [re.fullmatch(r"(\D*)(\d+)", name) for name in names]
    numbers = [int(part[2]) for part in parts if part is not None]
    same = len({part[1] for part in parts if part is not None}) == 1
    return same and numbers == list(range(numbers[0], numbers[0] + len(names)))


def _share_of_commonest(values: Sequence[int]) -> float:
    return Counter(values).most_common(1)[0][1] / len(values)


@dataclass(frozen=True)
class Series:
    """The files of participants that can be read.

    Parameters
    ----------
    facts : dict of str to Facts
        By participant.
    orientation : Orientation
        What rows are.
    """

    facts: Mapping[str, Facts]
    orientation: Orientation

    @classmethod
    def of(
        cls, facts: Mapping[str, Facts], expected: ModalityConfig | None = None, orientation: str | None = None
    ) -> Series:
        """Return the files, of which there must be one, with the given orientation, or that of `orientation_of`."""
        if orientation is not None:
            return cls(facts, Orientation(orientation == "rows_are_channels", "as given"))
        return cls(facts, orientation_of(list(facts.values()), expected))

    def channels(self, one: Facts) -> Lines:
        """Return a file's channels."""
        return one.rows if self.orientation.rows_are_channels else one.columns

    def n_times(self, one: Facts) -> int:
        """Return a file's time points."""
        return (one.columns if self.orientation.rows_are_channels else one.rows).n

    @cached_property
    def n_channels(self) -> int:
        """Channels of most files."""
        return Counter(self.channels(one).n for one in self.facts.values()).most_common(1)[0][0]

    @cached_property
    def _named(self) -> list[tuple[tuple[str, ...] | None, int]]:
        """Names of the files of `n_channels`, the commonest first, with their number."""
        named = (self.channels(one).names for one in self.facts.values() if self.channels(one).n == self.n_channels)
        return Counter(named).most_common()

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the channels in most files of `n_channels`; None if most have none."""
        return self._named[0][0]

    @property
    def may_show_names(self) -> bool:
        """Whether several participants share the names; others may contain an id."""
        return self._named[0][1] >= MIN_ALIKE

    def other_names(self) -> list[tuple[tuple[str, ...], int]]:
        """Return other names that several participants share, with their number; the same in another order are none."""
        own = set(self.names or ())
        found = [(names, n) for names, n in self._named[1:] if names is not None and n >= MIN_ALIKE]
        return [(names, n) for names, n in found if set(names) - own] if own else []

    def kind(self, one: Facts) -> str:
        """Return what sets a file's channels apart: ``usable``, or why it cannot be read with the others."""
        channels = self.channels(one)
        if channels.n != self.n_channels:
            return "transposed" if self.n_times(one) == self.n_channels else "another number of channels"
        if channels.names == self.names:
            return "usable"
        if channels.names is None or self.names is None:
            return "without names" if channels.names is None else "with names"
        same = sorted(channels.names) == sorted(self.names) and len(set(self.names)) == len(self.names)
        return "names in another order" if same else "other names"

    @cached_property
    def kinds(self) -> dict[str, str]:
        """The kind of each participant's file."""
        return {participant: self.kind(one) for participant, one in self.facts.items()}

    @cached_property
    def matching(self) -> dict[str, Facts]:
        """The files whose channels are those of the others, in any order."""
        usable = ("usable", "names in another order")
        return {participant: one for participant, one in self.facts.items() if self.kinds[participant] in usable}

    def shapes(self) -> list[tuple[int, list[int]]]:
        """Return each number of channels with the time points of its files, the commonest first."""
        lengths: dict[int, list[int]] = {}
        for one in self.facts.values():
            lengths.setdefault(self.channels(one).n, []).append(self.n_times(one))
        return sorted(lengths.items(), key=lambda pair: -len(pair[1]))

    def missing_channels(self) -> list[tuple[str, dict[str, int]]]:
        """Return channels that some matching files lack, by name or number, with counts of participants by kind."""
        counts: dict[str, Counter[str]] = {}
        for one in self.matching.values():
            channels = self.channels(one)
            for kind in ("constant", "empty", "partial"):
                for index in getattr(channels, kind):
                    label = channels.names[index] if channels.names and self.may_show_names else str(index + 1)
                    counts.setdefault(label, Counter())[kind] += 1
        return sorted(
            ((label, dict(found)) for label, found in counts.items()), key=lambda pair: -sum(pair[1].values())
        )

    def usable(self, n_times: int, max_missing: float = 0.0) -> set[str]:
        """Return the participants with `n_times` time points and at most this share of channels missing."""
        return {
            participant
            for participant, one in self.matching.items()
            if self.n_times(one) >= n_times and self.channels(one).n_missing <= max_missing * self.n_channels
        }


def choices_of_length(lengths: Sequence[int], most: int = 8) -> list[tuple[int, int]]:
    """Return choices of a length, rising, with the number of series that are as long; of many, evenly spread ones."""
    known, ordered = sorted(set(lengths)), sorted(lengths)
    if len(known) > most:
        places = [round(step * (len(ordered) - 1) / (most - 1)) for step in range(most)]
        known = sorted({ordered[place] for place in places})
    return [(length, sum(one >= length for one in lengths)) for length in known]


def proposed_length(lengths: Sequence[int], loss: float = 0.05) -> int:
    """Return the largest length that at most this share of series does not reach."""
    ordered = sorted(lengths)
    return ordered[int(loss * len(ordered))]
