"""The files below a folder, and patterns of paths that many participants have in common."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from brainage.data.cohorts.finding import MAX_FOLDERS
from brainage.data.cohorts.folders import list_folder, look_into
from brainage.data.cohorts.looking import MIN_ALIKE
from brainage.data.store.formats import EXTENSIONS
from brainage.data.survey.other_names import shared_patterns
from brainage.errors import ConfigError

_DEPTH = 8
# Entities of BIDS that tell scans of a participant apart.
_SCANS = ("ses-", "run-", "acq-", "dir-", "echo-")
# Words of names that are no series of parcels.
_NO_SERIES = re.compile(
    r"confounds|desc-(?!denoised)\w*(motion|qc|outliers)|_(events|motion|outliers|physio|scans|sessions|qc|design|relmat|"
    r"desc|blood|participants|alff|reho)\.|stat-(coverage|reho|alff|\w*correlation)",
    re.IGNORECASE,
)
_SERIES = re.compile(r"time_?series|ptseries|timecourse|roi", re.IGNORECASE)


@dataclass(frozen=True)
class Proposal:
    """A pattern, the participants who have such a file, and whether some have several."""

    pattern: str
    n_participants: int
    has_several: bool = False


def files_below(root: Path) -> list[str]:
    """Return the paths of files of known formats below a folder, relative to it; hidden folders are left out."""
    found: list[str] = []
    folders, n_folders = [root], 1
    for _ in range(_DEPTH):
        listings = look_into(root, folders, lambda folder: list_folder(folder, root))
        for folder, listing in listings.items():
            place = folder.relative_to(root)
            found += [(place / name).as_posix() for name in listing.files if name.endswith(EXTENSIONS)]
        folders = [folder / name for folder, listing in listings.items() for name in listing.plain_folders]
        n_folders += len(folders)
        if n_folders > MAX_FOLDERS:
            raise ConfigError(
                f"`cohort.root={root}` must not have more than {MAX_FOLDERS:,} folders where the files are not known. "
                "Name a folder further down, or write cohort.pattern=PATH."
            )
    return sorted(found)


def ids_in_names(paths: Iterable[str]) -> set[str]:
    """Return the ids in the names of BIDS, ``sub-<id>``."""
    return {match[1] for path in paths if (match := _SUBJECT.search(path))}


_SUBJECT = re.compile(r"(?:^|/)sub-([^_/.]+)")


def proposals(paths: Sequence[str], ids: Collection[str]) -> list[Proposal]:
    """Return patterns of the files that most participants have, series by their name first.

    Parameters
    ----------
    paths : sequence of str
        Files, as `files_below` returns them.
    ids : collection of str
        Ids of the table, which tell where in other names than those of BIDS the id is.
    """
    # Braces and * have a meaning in patterns, and ${ in configs.
    series = [path for path in paths if not _NO_SERIES.search(path) and not set(path) & set("{}*")]
    found = list(_of_bids(series))
    if not found:
        found = [Proposal(*one) for one in shared_patterns(series, ids)]
    found = [one for one in found if one.n_participants >= MIN_ALIKE]
    most = max((one.n_participants for one in found), default=0)
    found = [one for one in found if one.n_participants >= most / 2]
    return sorted(found, key=lambda one: (not _SERIES.search(one.pattern), -one.n_participants, _natural(one.pattern)))


def _natural(text: str) -> list[tuple[bool, int, str]]:
    """Return a key that sorts formats as they are tried, and numbers by their size."""
    extension = _extension(text)
    rank = [(True, EXTENSIONS.index(extension), "")]
    return rank + [
        (not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in re.split(r"(\d+)", text)
    ]


def _extension(path: str) -> str:
    return max((end for end in EXTENSIONS if path.endswith(end)), key=len)


@dataclass(frozen=True)
class _Kind:
    """What files of BIDS have in common: the folder above all, whether participants have folders, and the name."""

    above: str
    in_folders: bool
    tokens: tuple[str, ...]
    extension: str


def _of_bids(paths: Sequence[str]) -> Iterator[Proposal]:
    files: dict[_Kind, dict[str, list[list[str]]]] = defaultdict(lambda: defaultdict(list))
    for path in paths:
        if (subject := _SUBJECT.search(path)) is None:
            continue
        above, rest = path[: subject.start()], path[subject.start() :].removeprefix("/")
        extension = _extension(path)
        tokens = rest.rpartition("/")[2].removesuffix(extension).split("_")
        kept = tuple(token for token in tokens if not token.startswith(("sub-", *_SCANS)))
        if kept:
            files[_Kind(above, "/" in rest, kept, extension)][subject[1]].append(tokens)
    for kind, found in files.items():
        names = [tokens for several in found.values() for tokens in several]
        others = [other for other in files if other != kind and other.extension == kind.extension]
        pattern = _pattern(
            kind, names, is_shared=any(other.tokens[-len(kind.tokens) :] == kind.tokens for other in others)
        )
        yield Proposal(pattern, len(found), any(len(several) > 1 for several in found.values()))


def _pattern(kind: _Kind, names: Sequence[list[str]], *, is_shared: bool) -> str:
    """Return the pattern of files; where the end of the name is shared by others, it has all entities."""
    if is_shared and len({tuple(token.partition("-")[0] for token in name) for name in names}) == 1:
        tokens = [token.partition("-")[0] + "-*" if token.startswith(_SCANS) else token for token in names[0]]
        name = "_".join("sub-{participant_id}" if token.startswith("sub-") else token for token in tokens)
        return _placed(kind, name)
    text = kind.tokens[0]
    for before, token in zip(kind.tokens, kind.tokens[1:], strict=False):
        adjacent = all(name[name.index(before) + 1] == token for name in names)
        text += f"_{token}" if adjacent else f"*_{token}"
    has_subject = any(token.startswith("sub-") for token in names[0])
    if not kind.in_folders:
        return _placed(kind, f"sub-{{participant_id}}_*{text}")
    return _placed(kind, f"*_{text}" if has_subject else text)


def _placed(kind: _Kind, name: str) -> str:
    above = f"{kind.above}/" if kind.above else ""
    if not kind.in_folders:
        return f"{above}{name}{kind.extension}"
    if not above and name.startswith("*"):
        return f"{name}{kind.extension}"
    return f"{above}sub-{{participant_id}}/**/{name}{kind.extension}"
