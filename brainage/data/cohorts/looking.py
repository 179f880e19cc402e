"""Messages about files that were looked for and found, without the ids in their names."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from brainage.data.cohorts.finding import FileFinder, FoundFile, entities_of

_SHOWN = 3
# Fewer names may be those of single participants.
MIN_ALIKE = 3
_ENDING = re.compile(r"(\.(tsv|csv|json|txt|npy|mat|1D|nii|dr|zip|html))?(\.gz)?$")


def several_files(several: Mapping[str, Sequence[FoundFile]], n_found: int, root: Path, pattern: str) -> str:
    """Return the message that some of `n_found` participants have several files."""
    differing: Counter[str] = Counter()
    for files in several.values():
        values = defaultdict(set)
        for file in files:
            for key, value in entities_of(file.path.relative_to(root).as_posix()).items():
                values[key].add(value)
        differing.update(key for key, different in values.items() if len(different) > 1)
    participant, files = next(iter(several.items()))
    example = masked(files[0].path.relative_to(root).as_posix(), participant)
    example = re.sub(rf"(?<![A-Za-z])({'|'.join(differing) or '$'})-[^_/.]+", r"\1-*", example)
    keys = ", ".join(f"`{key}`" for key, _ in differing.most_common()) or "no entity of BIDS"
    most = max(map(len, several.values()))
    return (
        f"`cohort.pattern`: each participant must have one file, but {len(several)} of {n_found} have several, up "
        f"to {most}, such as `{example}`; they differ in {keys}. Write what chooses one into the pattern (got "
        f"`{pattern}`), such as `_ses-1_` or `_run-1_`; of sessions and runs, cohort.scans=first|all|longest chooses."
    )


def nothing_found(finder: FileFinder, participants: Sequence[str], dimension: int) -> str:
    """Return which path was looked for first, and what is there instead."""
    tried = "/".join(level.text for level in finder.pattern.levels(dimension)) + finder.pattern.extension
    participant, folder, names = finder.reached(participants, dimension)
    below = folder.relative_to(finder.root).as_posix()
    place = "it" if below == "." else f"`{masked(below, participant) if participant else '*'}/`"
    there = contents(names, participant)
    return (
        f"The first path looked for was `{tried}` in `cohort.root={finder.root}`, and {place} has {there}. "
        "cohort.pattern changes the path, and `brainage check` proposes patterns."
    )


def contents(names: Sequence[str], participant: str = "") -> str:
    """Return what names are in a folder, of one participant or of all, by what they have in common."""
    there = Counter(masked(name, participant) for name in names) if participant else _shapes(names)
    common = there.most_common(_SHOWN)
    shown = ", ".join(f"{count} x `{name}`" for name, count in common) or "nothing"
    n_more = len(names) - sum(count for _, count in common)
    return shown + (f" and {n_more} others" if n_more else "")


def masked(path: str, participant: str) -> str:
    """Return a path without the participant's id, and without numbers that may be dates or other ids."""
    return re.sub(r"\d{5,}", "*", path.replace(participant, "{participant_id}"))


def _shapes(names: Iterable[str]) -> Counter[str]:
    """Count names by what many have in common; the rest, which may be ids, is ``*``."""
    alike: dict[tuple[str, ...], list[list[str]]] = defaultdict(list)
    for name in names:
        stem = _ENDING.sub("", name)
        parts = re.split(r"([_./-])", stem)
        alike[(*parts[1::2], name.removeprefix(stem))].append(parts)
    shapes: Counter[str] = Counter()
    for (*_, ending), group in alike.items():
        columns = [{parts[i] for parts in group} for i in range(len(group[0]))]
        kept = [
            next(iter(column)) if i % 2 or (len(column) == 1 and len(group) >= MIN_ALIKE) else "*"
            for i, column in enumerate(columns)
        ]
        shapes["".join(kept).replace("/*", "/") + ending] += len(group)
    return shapes
