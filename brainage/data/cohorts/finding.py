"""Finding the files of participants that a pattern stands for."""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from brainage.data.cohorts.folders import Listing, list_folder, look_into
from brainage.data.cohorts.patterns import ANY_DEPTH, Level, PathPattern
from brainage.data.store.formats import EXTENSIONS
from brainage.errors import CohortError, ConfigError

# Folders that `**` may list: ten of 100,000 participants.
MAX_FOLDERS = 1_000_000
_NOTHING = Listing()

# The folders, or the files, of each participant.
_Paths = dict[str, list[Path]]


@dataclass(frozen=True)
class FoundFile:
    """A file of a participant.

    Parameters
    ----------
    path : Path
        Where it is.
    session, run : str or None
        The values of the entities ``ses`` and ``run`` in its path below the cohort's folder.
    """

    path: Path
    session: str | None
    run: str | None

    @property
    def label(self) -> str:
        """Session and run."""
        entities = {"ses": self.session, "run": self.run}
        return "_".join(f"{key}-{value}" for key, value in entities.items() if value is not None)


@dataclass
class FileFinder:
    """Finds files below a folder by a pattern; each folder is listed once.

    Wildcards follow no link to a folder that leads out of the root, and ``**`` enters neither links nor hidden
    folders.
    """

    root: Path
    pattern: PathPattern
    _listings: dict[Path, Listing] = field(default_factory=dict)

    def find(self, participants: Iterable[str], dimension: int) -> dict[str, list[FoundFile]]:
        """Return the files of each participant who has any, in the order of the numbers in their paths.

        Those with the pattern's own extension come before those with others; of a participant, all have the same one.
        """
        names = [name for name in participants if _is_file_name(name)]
        *above, last = self.pattern.levels(dimension)
        n_shared = next((i for i, level in enumerate(above) if level.has_id), len(above))
        folders = dict.fromkeys(names, self._shared(above[:n_shared]))
        for level in above[n_shared:]:
            folders = self._folders_at(folders, level)
        files = self._files_at(folders, last)
        self._check_owners(files)
        return {
            name: [self._found(path) for path in sorted(files[name], key=_natural)] for name in names if files[name]
        }

    def ids(self) -> set[str]:
        """Return the ids in the names of folders or files at the first level that has ids, of any dimension."""
        levels = self.pattern.levels()
        number = next(i for i, level in enumerate(levels) if level.has_id)
        is_last = number == len(levels) - 1
        folders = self._shared(levels[:number])
        self._list(folders)
        listings = [self._listings.get(folder, _NOTHING) for folder in folders]
        names = (name for listing in listings for name in (listing.files if is_last else listing.folders))
        # The file may have another extension than the pattern.
        return levels[number].ids_of(names, r"(?:\.[A-Za-z.]+)?" if is_last else "")

    def reached(self, participants: Sequence[str], dimension: int) -> tuple[str, Path, list[str]]:
        """Return the deepest folder on the way to any file, the names in it, and whose it is: "" if of all."""
        folders: _Paths = {name: [self.root] for name in participants if _is_file_name(name)} or {"": [self.root]}
        owner, deepest, with_id = "", self.root, False
        for level in self.pattern.levels(dimension)[:-1]:
            folders = self._folders_at(folders, level)
            self._list(_each(folders))
            there = ((name, folder) for name, found in folders.items() for folder in found if folder in self._listings)
            name, folder = next(there, ("", None))
            if folder is None:
                break
            with_id = with_id or level.has_id
            owner, deepest = name if with_id else "", folder
        self._list([deepest])
        listing = self._listings.get(deepest, _NOTHING)
        return owner, deepest, [*(f"{name}/" for name in listing.folders), *listing.files]

    def _shared(self, levels: Sequence[Level]) -> list[Path]:
        """Return the folders at levels that all participants share."""
        folders = {"": [self.root]}
        for level in levels:
            folders = self._folders_at(folders, level)
        return folders[""]

    def _folders_at(self, folders: _Paths, level: Level) -> _Paths:
        """Return each participant's folders at the next level."""
        if level.text == ANY_DEPTH:
            self._list_all_below(folders)
            return {name: self._all_below(found) for name, found in folders.items()}
        # One of several folders may have a participant's own, and the others not.
        if level.is_wild or any(len(found) > 1 for found in folders.values()):
            return self._named(folders, level, "folders")
        return {name: [folder / level.of(name) for folder in found] for name, found in folders.items()}

    def _check_owners(self, files: _Paths) -> None:
        """Raise if a file may be of two participants: ids may contain the text between an id and a wildcard."""
        owners = Counter(itertools.chain.from_iterable(files.values()))
        if n_shared := sum(count > 1 for count in owners.values()):
            raise CohortError(
                f"`cohort.pattern`: each file must be of one participant, but the names of {n_shared} files fit two or "
                f"more ids, of which one is the beginning or the end of another. Write what is next to the id into the "
                f"pattern, in place of *, but got `{self.pattern.text}`."
            )

    def _files_at(self, folders: _Paths, last: Level) -> _Paths:
        own = self.pattern.extension
        files: _Paths = {name: [] for name in folders}
        for extension in EXTENSIONS if last.is_wild and not own else dict.fromkeys((own, *EXTENSIONS)):
            files |= self._named(folders, Level(last.text + extension), "files")
            folders = {name: found for name, found in folders.items() if not files[name]}
        return files

    def _named(self, folders: _Paths, level: Level, kind: str) -> _Paths:
        """Return what in these folders has the level's name."""
        self._list(_each(folders))
        # By the identity of a list: participants may share one of many folders.
        merged: dict[int, tuple[list[str], Mapping[str, list[Path]]]] = {}
        paths: _Paths = {}
        for participant, found in folders.items():
            if id(found) not in merged:
                merged[id(found)] = self._merged(found, kind)
            names, places = merged[id(found)]
            paths[participant] = [folder / name for name in level.among(names, participant) for folder in places[name]]
        return paths

    def _merged(self, folders: Sequence[Path], kind: str) -> tuple[list[str], Mapping[str, list[Path]]]:
        """Return the sorted names of the files or folders in these folders, and the folders that have each."""
        places: dict[str, list[Path]] = defaultdict(list)
        for folder in folders:
            for name in getattr(self._listings.get(folder, _NOTHING), kind):
                places[name].append(folder)
        return sorted(places), places

    def _list_all_below(self, folders: _Paths) -> None:
        """List folders and all below, level by level."""
        new = list(_each(folders))
        while new:
            if len(self._listings) + len(new) > MAX_FOLDERS:
                raise ConfigError(
                    f"`cohort.pattern` must not have `**` above more than {MAX_FOLDERS:,} folders, but got "
                    f"`{self.pattern.text}` in `{self.root}`. Write the folders of the first levels into the pattern, "
                    "such as `derivatives/xcpd/sub-{participant_id}/**/`."
                )
            self._list(new)
            listings = [(folder, self._listings.get(folder, _NOTHING)) for folder in dict.fromkeys(new)]
            new = [folder / name for folder, listing in listings for name in listing.plain_folders]

    def _all_below(self, folders: Sequence[Path]) -> list[Path]:
        """Return listed folders and all below, without those that are links."""
        found = list(folders)
        for folder in found:  # it grows
            found += [folder / name for name in self._listings.get(folder, _NOTHING).plain_folders]
        return found

    def _list(self, folders: Iterable[Path]) -> None:
        new = [folder for folder in dict.fromkeys(folders) if folder not in self._listings]
        self._listings |= look_into(self.root, new, lambda folder: list_folder(folder, self.root))

    def _found(self, path: Path) -> FoundFile:
        entities = entities_of(path.relative_to(self.root).as_posix())
        return FoundFile(path, entities.get("ses"), entities.get("run"))


def _each(paths: _Paths) -> Iterator[Path]:
    """Yield the paths of lists that participants may share."""
    return itertools.chain.from_iterable({id(found): found for found in paths.values()}.values())


def entities_of(path: str) -> dict[str, str]:
    """Return the values of the BIDS entities in a path, by their keys."""
    return dict(re.findall(r"(?:^|[_/])([a-z]+)-([^_/.]+)", path))


def _natural(path: Path) -> list[str | int]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", os.fspath(path))]


def _is_file_name(text: str) -> bool:
    return not (set(text) & {"/", "\\", "\0", "*"}) and ".." not in text and text not in ("", ".")
