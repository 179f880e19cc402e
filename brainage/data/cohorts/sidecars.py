"""Repetition times in the JSON files of a BIDS-like tree, by the inheritance principle of BIDS."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brainage.data.store.formats import EXTENSIONS
from brainage.system.console import log
from brainage.system.reading import read_json, reason_of

# Entities that tell apart the files of one run, which has one repetition time.
_DERIVED = frozenset(["space", "cohort", "den", "res", "desc", "seg", "atlas", "stat", "label", "hemi", "echo", "part"])


@dataclass(frozen=True)
class _Name:
    """A name of BIDS: ``sub-01_task-rest_bold`` has two entities and a suffix; those of `_DERIVED` are left out."""

    stem: str
    entities: dict[str, str]
    suffix: str


@dataclass(frozen=True)
class _Listing:
    """The JSON files of a folder, and those with names of BIDS by participant (or ``""``) and suffix."""

    stems: frozenset[str]
    shared: dict[tuple[str, str], list[_Name]] = field(default_factory=lambda: defaultdict(list))


def t_r_of_files(root: Path, paths: Iterable[Path]) -> dict[Path, float | None]:
    """Return the repetition time, in seconds, of each file below `root`; None where unknown. See `_Sidecars`.

    What cannot be read is logged.
    """
    sidecars = _Sidecars(root)
    found = {path: sidecars.t_r(path) for path in paths}
    sidecars.warn()
    return found


class _Sidecars:
    """The metadata of files below a folder.

    A JSON file describes the files at and below its own folder whose names have all its entities, such as
    ``task-rest``, and whose suffix it has: theirs, or ``bold``. Entities that do not change the repetition time, such
    as ``space``, do not count. The file of the nearest folder comes first, in a folder the one with the most entities.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._listed: dict[Path, _Listing] = {}
        self._read: dict[Path, float | None] = {}
        self._broken: Counter[str] = Counter()

    def t_r(self, path: Path) -> float | None:
        """Return the repetition time, in seconds, of a file; None where unknown."""
        folder, stem = path.parent, _stem(path)
        while True:
            for sidecar in self._describing(folder, stem):
                if (t_r := self._t_r_in(sidecar)) is not None:
                    return t_r
            if folder in (self._root, folder.parent):
                return None
            folder = folder.parent

    def warn(self) -> None:
        """Warn of the files that could not be read."""
        if self._broken:
            reasons = ", ".join(f"{count} x {reason}" for reason, count in self._broken.most_common())
            log.warning(
                "`cohort.root`: %d JSON files beside series are ignored (%s): the repetition times that they have are "
                "not known. Correct them, or use cohort.t_r=SECONDS.",
                *(self._broken.total(), reasons),
            )

    def _describing(self, folder: Path, stem: str) -> Iterator[Path]:
        """Yield the sidecars in a folder that describe a file, the closest first."""
        if folder not in self._listed:
            self._listed[folder] = _listing(folder)
        listed, own = self._listed[folder], _parsed(stem)
        if stem in listed.stems:
            yield folder / f"{stem}.json"
        if own is not None:
            places = set(itertools.product(("", own.entities.get("sub", "")), (own.suffix, "bold")))
            known = itertools.chain.from_iterable(listed.shared.get(place, ()) for place in places)
            shared = [one for one in known if one.entities.items() <= own.entities.items()]
            shared.sort(key=lambda one: (-len(one.entities), one.suffix != own.suffix, one.stem))
            yield from (folder / f"{one.stem}.json" for one in shared)

    def _t_r_in(self, path: Path) -> float | None:
        if path not in self._read:
            self._read[path] = None
            try:
                self._read[path] = _t_r_of(read_json(path, follow=True))
            except (OSError, ValueError) as error:
                self._broken[reason_of(error) if isinstance(error, OSError) else "not valid"] += 1
        return self._read[path]


def _listing(folder: Path) -> _Listing:
    """Return the sidecars of a folder."""
    with suppress(OSError):  # a folder that only leads to others need not be readable
        stems = [path.name.removesuffix(".json") for path in folder.iterdir() if path.name.endswith(".json")]
        found = _Listing(frozenset(stems))
        for name in map(_parsed, stems):
            if name is not None:
                found.shared[name.entities.get("sub", ""), name.suffix].append(name)
        return found
    return _Listing(frozenset())


def _stem(path: Path) -> str:
    """Return a file's name without its extension, which may have several dots."""
    extension = next((end for end in sorted(EXTENSIONS, key=len, reverse=True) if path.name.endswith(end)), path.suffix)
    return path.name.removesuffix(extension)


def _parsed(stem: str) -> _Name | None:
    """Return a name's parts if it is as BIDS has it; the suffix may be missing."""
    parts = stem.split("_")
    suffix = "" if "-" in parts[-1] else parts.pop()
    if not all("-" in part for part in parts):
        return None
    pairs = (part.split("-", 1) for part in parts)
    return _Name(stem, {key: value for key, value in pairs if key not in _DERIVED}, suffix)


def _t_r_of(values: Any) -> float | None:
    """Return the repetition time in metadata; raise ValueError if it is none."""
    if not isinstance(values, dict):
        raise ValueError("no keys")
    if "RepetitionTime" in values:
        return _positive(values["RepetitionTime"])
    frequency = values.get("SamplingFrequency")
    return None if frequency is None or isinstance(frequency, str) else 1 / _positive(frequency)


def _positive(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError("no number above 0")
    return float(value)
